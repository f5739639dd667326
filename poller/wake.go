//go:build unix

package poller

import (
	"runtime"
	"sync/atomic"
)

// waker makes many calls of Wake cost one write, and keeps a late one from writing into a descriptor that has been
// closed and perhaps given to somebody else. It is the only state of a poller that several goroutines touch.
//
// A caller that gets true from begin writes to whatever interrupts the poller's wait, then calls end. The owner calls
// heard when the wait has reported that write, in this order: first consume the write, then heard. A Wake that comes in
// between writes nothing and need not: the owner is about to return from Wait and looks at its mailbox after that.
// Invariant: while pending is set, a write is on its way or lies unread.
type waker struct {
	pending atomic.Bool  // set by callers of Wake, cleared by the owner
	closed  atomic.Bool  // set by the owner
	writers atomic.Int32 // callers between begin and end; close waits for them
}

// begin reports whether the caller has to write, and then to call end.
func (w *waker) begin() bool {
	if w.pending.Load() {
		return false
	}
	w.writers.Add(1)
	if w.closed.Load() || !w.pending.CompareAndSwap(false, true) {
		w.writers.Add(-1)
		return false
	}
	return true
}

// end passes on the error of the write; after one, the next Wake tries again.
func (w *waker) end(err error) error {
	if err != nil {
		w.pending.Store(false)
	}
	w.writers.Add(-1)
	return err
}

// heard tells that the write has been noticed and consumed.
func (w *waker) heard() {
	w.pending.Store(false)
}

// close returns when no caller writes any more and none ever will; false means that it was closed before. The writes
// do not block, so the wait is short.
func (w *waker) close() bool {
	if w.closed.Swap(true) {
		return false
	}
	for w.writers.Load() != 0 {
		runtime.Gosched()
	}
	return true
}
