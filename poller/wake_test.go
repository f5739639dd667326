//go:build unix

package poller

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestWakeBeforeWait(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		var events [batch]Event
		for range 3 {
			for range 100 {
				wake(t, p)
			}
			if got := wait(t, p, events[:], -1); len(got) != 0 {
				t.Errorf("got %v, want no event", got)
			}
		}
	})
}

func TestWakeDoesNotHideEvents(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		wake(t, p)
		await(t, p, ours, Writable)
		send(t, peer, "x")
		wake(t, p)
		await(t, p, ours, Readable)
	})
}

// Many goroutines post and wake, as to a mailbox; the owner waits for ever and must see each post.
func TestWakeLosesNothing(t *testing.T) {
	const callers, posts = 4, 2000
	each(t, func(t *testing.T, p Poller) {
		var posted atomic.Int64
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range posts {
					posted.Add(1)
					if err := p.Wake(); err != nil {
						t.Errorf("Wake: %v", err)
					}
				}
			})
		}
		var events [batch]Event
		for posted.Load() < callers*posts {
			wait(t, p, events[:], -1) // would hang if the last wake were lost
		}
		group.Wait()
	})
}

func TestWakeAfterClose(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					for range 500 {
						if err := p.Wake(); err != nil {
							t.Errorf("Wake: %v", err)
						}
					}
				})
			}
			for range 2 { // closing twice is closing once
				if err := p.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			wake(t, p)
			group.Wait()
		})
	}
}

func TestWakerCoalesces(t *testing.T) {
	const callers = 8
	var w waker
	for range 100 {
		var writes atomic.Int32
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				if w.begin() {
					writes.Add(1)
					w.end(nil)
				}
			})
		}
		group.Wait()
		if got := writes.Load(); got != 1 {
			t.Fatalf("%d callers: got %d writes, want 1", callers, got)
		}
		w.heard()
	}
}

func TestWakerTriesAgainAfterAnError(t *testing.T) {
	var w waker
	failed := errTest("no")
	if !w.begin() || w.end(failed) != failed {
		t.Fatal("want a write, and its error back")
	}
	if !w.begin() {
		t.Error("after an error: got no write, want one")
	}
	w.end(nil)
	if w.begin() {
		t.Error("while one is pending: got a write, want none")
	}
	if !w.close() || w.close() {
		t.Error("close: want true, then false")
	}
	w.heard()
	if w.begin() {
		t.Error("after close: got a write, want none")
	}
}

type errTest string

func (e errTest) Error() string { return string(e) }

func wake(t testing.TB, p Poller) {
	t.Helper()
	if err := p.Wake(); err != nil {
		t.Fatalf("Wake: %v", err)
	}
}
