package engine

import (
	"net/netip"
	"sync"

	"pen/conf"
)

// visitors is the table by which the limits per client address are kept: how many connections an address has, and when
// it may have the next one. Addresses with a connection are never forgotten, so that client_max is exact; of the others
// the most recently seen ones are remembered, as many as the client table holds, the least recently seen one making
// room. So its size is bounded by conn_max and clients_max together.
//
// All reactors share it; its lock is held for a few instructions per connection of a service that has such limits.
type visitors struct {
	mu      sync.Mutex
	index   map[clientKey]int32
	entries []visitor
	newest  int32 // of those without a connection, by when the last one ended; none = there are none
	oldest  int32
	idle    int // how many these are
	max     int // how many of these are remembered
}

// visitor is one address.
type visitor struct {
	key          clientKey
	open         int32 // connections that were let in and have not ended
	due          int64 // generic cell rate algorithm: when the rate would be used up evenly, in nanoseconds of the engine's clock
	older, newer int32 // links of those without a connection
}

func newVisitors(max int) *visitors {
	return &visitors{index: map[clientKey]int32{}, newest: none, oldest: none, max: max}
}

// visitor is the key of a client of the service.
func (v *service) visitor(client netip.Addr) clientKey { return clientKey{v.state.id, client} }

// enter lets a connection in, to be followed by leave, or tells that a limit is reached. The rate is that of a bucket of
// Rate tokens that fills up in RateTime: as many at once, and then one every RateTime/Rate. Who is not let in does not
// use it up.
func (t *visitors) enter(k clientKey, limit *conf.Limit, now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, known := t.index[k]
	if !known {
		i = t.add(k)
	}
	e := &t.entries[i]
	if limit.Clients > 0 && int(e.open) >= limit.Clients {
		return false
	}
	if limit.Rate > 0 {
		due := max(e.due, now) + int64(limit.RateTime)/int64(limit.Rate)
		if due > now+int64(limit.RateTime) {
			return false
		}
		e.due = due
	}
	if e.open++; e.open == 1 {
		t.unlink(i)
	}
	return true
}

// leave ends a connection that was let in.
func (t *visitors) leave(k clientKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index[k]
	if t.entries[i].open--; t.entries[i].open == 0 {
		t.link(i)
	}
}

// resize sets how many addresses without a connection are remembered; it only grows, like the client table.
func (t *visitors) resize(max int) {
	t.mu.Lock()
	t.max = max
	t.mu.Unlock()
}

// add makes an entry without connections, in the place of the least recently seen one if there are enough.
func (t *visitors) add(k clientKey) int32 {
	i := t.oldest
	if t.idle >= max(t.max, 1) {
		t.unlink(i)
		delete(t.index, t.entries[i].key)
	} else {
		i = int32(len(t.entries))
		t.entries = append(t.entries, visitor{})
	}
	t.entries[i] = visitor{key: k}
	t.index[k] = i
	t.link(i)
	return i
}

func (t *visitors) link(i int32) {
	e := &t.entries[i]
	e.older, e.newer = t.newest, none
	if t.newest != none {
		t.entries[t.newest].newer = i
	} else {
		t.oldest = i
	}
	t.newest = i
	t.idle++
}

func (t *visitors) unlink(i int32) {
	e := &t.entries[i]
	if e.newer != none {
		t.entries[e.newer].older = e.older
	} else {
		t.newest = e.older
	}
	if e.older != none {
		t.entries[e.older].newer = e.newer
	} else {
		t.oldest = e.newer
	}
	t.idle--
}
