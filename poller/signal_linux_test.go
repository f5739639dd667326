package poller

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A signal that interrupts Wait is not an error. SIGURG is Go's own and does nothing else.
func TestWaitInterrupted(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread, stop, done := unix.Gettid(), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG)
					runtime.Gosched()
				}
			}
		}()
		var events [batch]Event
		for range 10 {
			if got := wait(t, p, events[:], -1); len(got) != 0 { // only a signal can end it
				t.Errorf("got %v, want no event", got)
			}
		}
		close(stop)
		<-done
	})
}
