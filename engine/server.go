package engine

import (
	"sync/atomic"
	"time"

	"pen/conf"
)

// server is what all reactors share about a server. It is found again by its address when the configuration changes,
// so that counts and blacklisting go on. The atomics are touched when a connection begins and ends, never per byte.
type server struct {
	id       int32 // index of its counters in each reactor; never given to another server
	addr     *address
	reserved atomic.Int32 // connections under way and established: what limits are held against
	active   atomic.Int32 // established connections: what weight and reports look at
	excluded atomic.Int64 // blacklisted until this time of the engine's clock, in nanoseconds; 0 = not
	failed   atomic.Int64 // Unix time of the last failure that still counts, 0 = none: pen's "status"
}

// reserve takes one connection out of the limit, 0 meaning no limit.
func (v *server) reserve(limit int) bool {
	for {
		n := v.reserved.Load()
		if limit > 0 && int(n) >= limit {
			return false
		}
		if v.reserved.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (v *server) release() { v.reserved.Add(-1) }

// blacklisted tells if the server is excluded from selection.
func (v *server) blacklisted(now int64) bool { return now < v.excluded.Load() }

// blacklist excludes the server for d; 0 lifts an exclusion.
func (v *server) blacklist(now int64, d time.Duration) {
	if d <= 0 {
		v.excluded.Store(0)
		v.failed.Store(0)
		return
	}
	v.excluded.Store(now + int64(d))
	v.failed.Store(time.Now().Unix())
}

// place is a server's entry in the table of one plan: the server and what the operator said of it.
type place struct {
	*server     // nil = unused
	index   int // in the table; outside for the emergency and the abuse server
	max     int
	hard    int
	weight  int
	prio    int
	acl     *conf.Matcher
}

// Indices of the servers that have no number.
const (
	emergencyIndex = -1
	abuseIndex     = -2
)

// usable tells if the place may be contacted at all: pen never contacts an empty place or port 0.
func (p *place) usable() bool {
	return p.server != nil && (p.addr.path != "" || p.addr.ip.Port() != 0 && !p.addr.ip.Addr().IsUnspecified())
}

// serverID returns the id of the place's server, none if it is unused.
func (p *place) serverID() int32 {
	if p.server == nil {
		return none
	}
	return p.id
}

// eligible tells if a selection may come up with the place by itself.
func (p *place) eligible(now int64) bool { return p.usable() && !p.blacklisted(now) }

// limit is the number of connections that the place takes; returning tells that the client was here last.
func (p *place) limit(returning bool) int {
	if p.max > 0 && returning {
		return max(p.max, p.hard)
	}
	return p.max
}
