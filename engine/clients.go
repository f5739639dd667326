package engine

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// clients is the table of who was last sent where: the most recently seen clients of all services, at most max of
// them, the least recently seen one making room. All reactors share it; its lock is held for a few lookups per
// connection and never while bytes move.
type clients struct {
	mu      sync.Mutex
	index   map[clientKey]int32
	entries []client
	newest  int32 // -1 = none
	oldest  int32
	max     int
	evicted uint64
}

// clientKey tells clients apart: by address without port, for each service, or route of one. All peers of a Unix socket
// are one client.
type clientKey struct {
	service int32 // choice.id; among visitors serviceState.id
	addr    netip.Addr
}

type client struct {
	key          clientKey
	server       int32 // id of the server it was last sent to; none if there is no such server
	older, newer int32 // -1 = end of the list
	seen         int64 // time of its last connection, in nanoseconds of the engine's clock
	connects     uint64
	sent         uint64 // bytes, of connections that have ended
	received     uint64
}

// none stands for "no server" where the id of a server is kept.
const none = -1

func newClients(max int) *clients {
	return &clients{index: map[clientKey]int32{}, newest: -1, oldest: -1, max: max}
}

// visit enters a connection of the client and returns its place in the table and the server it was last sent to. A
// client that stayed away for longer than tracking is new; tracking 0 remembers for ever. The server that choose comes up
// with is noted as the one it is being sent to, before anybody else sees the entry: all of a burst of connections
// of a new client go to one server, whichever reactors they are on.
func (t *clients) visit(k clientKey, now int64, tracking time.Duration, choose func(last int32) (server int32)) (place, last int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.index[k]
	if !ok {
		i = t.place()
		t.entries[i] = client{key: k, server: none}
		t.index[k] = i
	} else {
		t.unlink(i)
	}
	t.link(i)
	c := &t.entries[i]
	if tracking > 0 && now-c.seen > int64(tracking) {
		c.server = none
	}
	c.seen = now
	c.connects++
	last = c.server
	c.server = choose(last)
	return i, last
}

// assign remembers that the client is being sent to the server. It does nothing if the client has lost its place.
func (t *clients) assign(place int32, k clientKey, server int32) {
	t.mu.Lock()
	if c := &t.entries[place]; c.key == k {
		c.server = server
	}
	t.mu.Unlock()
}

// leave adds the bytes of a connection that has ended.
func (t *clients) leave(place int32, k clientKey, sent, received uint64) {
	t.mu.Lock()
	if c := &t.entries[place]; c.key == k {
		c.sent += sent
		c.received += received
	}
	t.mu.Unlock()
}

// resize sets the size of the table. pen's tables only grow.
func (t *clients) resize(max int) {
	t.mu.Lock()
	t.max = max
	t.mu.Unlock()
}

// recent returns copies of the entries that were seen since a time of services by choice.id, and their places, in whose
// order they are.
func (t *clients) recent(services []int32, since int64) (found []client, places []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.entries {
		if c := &t.entries[i]; slices.Contains(services, c.key.service) && c.seen >= since {
			found, places = append(found, *c), append(places, int32(i))
		}
	}
	return found, places
}

// latest returns copies of the n entries that were seen last, the last one first.
func (t *clients) latest(n int) (found []client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := t.newest; i >= 0 && len(found) < n; i = t.entries[i].older {
		found = append(found, t.entries[i])
	}
	return found
}

// count returns how many entries there are, how many there may be, and how many had to make room.
func (t *clients) count() (used, max int, evicted uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries), t.max, t.evicted
}

// place finds room for a new entry.
func (t *clients) place() int32 {
	if len(t.entries) < t.max {
		t.entries = append(t.entries, client{})
		return int32(len(t.entries) - 1)
	}
	i := t.oldest
	t.unlink(i)
	delete(t.index, t.entries[i].key)
	t.evicted++
	return i
}

func (t *clients) link(i int32) {
	c := &t.entries[i]
	c.older, c.newer = t.newest, -1
	if t.newest >= 0 {
		t.entries[t.newest].newer = i
	} else {
		t.oldest = i
	}
	t.newest = i
}

func (t *clients) unlink(i int32) {
	c := &t.entries[i]
	if c.newer >= 0 {
		t.entries[c.newer].older = c.older
	} else {
		t.newest = c.older
	}
	if c.older >= 0 {
		t.entries[c.older].newer = c.newer
	} else {
		t.oldest = c.newer
	}
}
