package tlsio

import (
	"runtime"
	"syscall"
	"testing"
)

// A signer's thread is a little nicer than the thread that it comes from, whatever that one's priority is.
func TestYieldToOthers(t *testing.T) {
	nice := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its priority
		for range 2 {
			p, _ := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
			nice <- 20 - p
			yieldToOthers()
		}
	}()
	before, after := <-nice, <-nice
	if want := min(before+lower, 19); after != want {
		t.Errorf("from %d to %d, want %d", before, after, want)
	}
}
