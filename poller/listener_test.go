//go:build unix

package poller

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var listeners = []struct {
	name string
	make func(t testing.TB) (int, unix.Sockaddr)
}{
	{"tcp", listenTCP},
	{"unix", listenUnix},
}

// eachListener runs a test for every poller and kind of listening socket.
func eachListener(t *testing.T, test func(t *testing.T, name string, l int, addr unix.Sockaddr)) {
	for _, name := range Names() {
		for _, kind := range listeners {
			t.Run(name+"/"+kind.name, func(t *testing.T) {
				l, addr := kind.make(t)
				test(t, name, l, addr)
			})
		}
	}
}

func addListener(t *testing.T, p Poller, l int) {
	t.Helper()
	if err := p.AddListener(l); err != nil {
		t.Fatalf("AddListener: %v", err)
	}
}

func remove(t *testing.T, p Poller, fd int) {
	t.Helper()
	if err := p.Remove(fd); err != nil {
		t.Fatalf("Remove: %v", err)
	}
}

// A listener is reported as long as a connection is pending, without Arm.
func TestListenerIsLevelTriggered(t *testing.T) {
	eachListener(t, func(t *testing.T, name string, l int, addr unix.Sockaddr) {
		p := open(t, name)
		addListener(t, p, l)
		mustNotReport(t, p, l)
		connect(t, addr)
		connect(t, addr)
		for range 2 {
			for range 3 {
				await(t, p, l, Readable)
			}
			accept(t, l)
		}
		mustNotReport(t, p, l)
		arm(t, p, l, Readable)
		mustNotReport(t, p, l)
		connect(t, addr)
		await(t, p, l, Readable)
	})
}

func TestListenerRemovedAndBack(t *testing.T) {
	eachListener(t, func(t *testing.T, name string, l int, addr unix.Sockaddr) {
		p := open(t, name)
		addListener(t, p, l)
		for range 3 {
			connect(t, addr)
			await(t, p, l, Readable)
			remove(t, p, l)
			mustNotReport(t, p, l)
			connect(t, addr)
			mustNotReport(t, p, l)
			addListener(t, p, l)
			await(t, p, l, Readable)
			accept(t, l)
			accept(t, l)
		}
	})
}

// Two pollers sleep on one listening socket. The first that is told leaves the connection and Removes the listener, as a
// reactor at its limit does: the other must be told, although no further connection arrives.
func TestListenerLeftToTheOther(t *testing.T) {
	const rounds = 10
	eachListener(t, func(t *testing.T, name string, l int, addr unix.Sockaddr) {
		pollers := []Poller{open(t, name), open(t, name)}
		for range rounds {
			told := make(chan int)
			for i, p := range pollers {
				addListener(t, p, l)
				go func() {
					if !waitFor(p, l) {
						i = -1
					}
					if err := p.Remove(l); err != nil {
						i = -1
					}
					told <- i
				}()
			}
			connect(t, addr)
			for range pollers {
				if <-told < 0 {
					t.Error("a poller was not told of the pending connection")
				}
			}
			if t.Failed() {
				return
			}
			accept(t, l)
		}
	})
}

// waitFor sleeps until fd is reported; for goroutines, which may not end the test.
func waitFor(p Poller, fd int) bool {
	var events [batch]Event
	for end := time.Now().Add(patience); time.Now().Before(end); {
		n, err := p.Wait(events[:], time.Until(end))
		if err != nil {
			return false
		}
		if slices.ContainsFunc(events[:n], func(ev Event) bool { return ev.FD == fd }) {
			return true
		}
	}
	return false
}
