package engine

import "sync/atomic"

// mailbox takes functions from other goroutines to a reactor, which runs them between two batches of events.
// Senders push on a stack; the reactor takes the whole stack once per turn, for one atomic load when it is empty.
type mailbox struct {
	top atomic.Pointer[letter]
}

type letter struct {
	run  func()
	next *letter
}

func (m *mailbox) put(f func()) {
	l := &letter{run: f}
	for {
		l.next = m.top.Load()
		if m.top.CompareAndSwap(l.next, l) {
			return
		}
	}
}

// run executes what has come, oldest first. Only the reactor may call it.
func (m *mailbox) run() {
	if m.top.Load() == nil {
		return
	}
	var oldest *letter
	for l := m.top.Swap(nil); l != nil; {
		l, l.next, oldest = l.next, oldest, l
	}
	for l := oldest; l != nil; l = l.next {
		l.run()
	}
}
