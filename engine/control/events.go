package control

import (
	"sync"
	"time"
)

// Event is a change of the state of a server, or, with a Text, something else.
type Event struct {
	Time    time.Time
	Service string
	Server  int    // its number
	Address string // host:port or path
	From    string // the state before: probing, up, down; ready, drain, maint by the operator; agent ready, agent drain, agent 50%
	To      string // the state now
	Reason  string // why; "" if there is nothing to say
	Text    string // what happened, if it concerns no server
}

// maxEvents is how many events are kept.
const maxEvents = 256

// events are the most recent ones. All goroutines may use them.
type events struct {
	mu   sync.Mutex
	ring [maxEvents]Event
	n    uint64 // added so far
	more chan struct{}
}

func (e *events) add(v Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ring[e.n%maxEvents] = v
	e.n++
	if e.more != nil {
		close(e.more)
		e.more = nil
	}
}

// Recent returns the most recent events, the oldest one first, 256 at most. It may be called
// from any goroutine.
func (c *Control) Recent() []Event {
	list, _ := c.RecentSince(0)
	return list
}

// RecentSince returns the recent events but for the first n of all times, and how many there have been so far: the n of
// the next call, which then gives what is new.
func (c *Control) RecentSince(n uint64) ([]Event, uint64) {
	e := &c.events
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Event
	for i := max(n, e.n-min(e.n, maxEvents)); i < e.n; i++ {
		list = append(list, e.ring[i%maxEvents])
	}
	return list, e.n
}

// Changed returns a channel that is closed with the next event.
func (c *Control) Changed() <-chan struct{} {
	e := &c.events
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more == nil {
		e.more = make(chan struct{})
	}
	return e.more
}
