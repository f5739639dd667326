package engine

import (
	"sync/atomic"
	"time"

	"pen/conf"
	"pen/engine/certs"
)

// server is what all reactors share about a server. It is found again by its address when the configuration changes,
// so that counts and blacklisting go on. The atomics are touched when a connection begins and ends, never per byte.
type server struct {
	id       int32 // index of its counters in each reactor; never given to another server
	addr     *address
	reserved atomic.Int32  // connections under way and established: what limits are held against
	active   atomic.Int32  // established connections: what weight and reports look at
	barred   atomic.Uint32 // a bar: who is not sent there; written by the control goroutine, as the next four
	health   atomic.Uint32 // a Health
	drained  atomic.Bool   // its agent wants no new clients
	share    atomic.Int32  // percent of its weight, by its agent
	since    atomic.Int64  // when it came back, by the engine's clock, in nanoseconds; 0 = it was never away
	troubles atomic.Int32  // failures in a row, as observe counts them
	line     *line         // of its service: who gets a place that is given back
	hash     uint64        // for maglev: of its address
	excluded atomic.Int64  // blacklisted until this time of the engine's clock, in nanoseconds; 0 = not
	failed   atomic.Int64  // Unix time of the last failure that still counts, 0 = none: pen's "status"
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

// release gives a connection of the limit back, or hands it to a client that waits for it.
func (v *server) release() {
	if v.line.waiting.Load() > 0 && v.line.pass(v) {
		return
	}
	v.reserved.Add(-1)
	v.line.offer(v) // somebody may have joined the line before the place was free
}

// bar says which clients are kept from a server.
type bar uint8

const (
	barNobody bar = iota
	barNew        // all but its own: drained
	barAll
)

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
	admin   conf.Admin
	slow    int64 // slow_start, in nanoseconds
	proxy   conf.ProxyVersion
	acl     *conf.Matcher
	tls     *certs.Upstream // nil = no TLS is spoken to it
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
func (p *place) eligible(now int64) bool { return p.usable() && !p.blacklisted(now) && !p.bars(false) }

// bars tells if the operator or the probes keep a client from the place. returning tells that the client is its own.
func (p *place) bars(returning bool) bool {
	if p.admin == conf.Maint {
		return true
	}
	b := bar(p.barred.Load())
	return b == barAll || (b == barNew || p.admin == conf.Drain) && !returning
}

// wholePortion is the portion of a place that gets all of its weight.
const wholePortion = 1000

// portion is how much of its weight the place gets now, in thousandths: what its agent says, and less while it starts.
func (p *place) portion(now int64) int64 {
	share := int64(p.share.Load()) * (wholePortion / 100)
	if p.slow > 0 {
		if since := p.since.Load(); since != 0 && now-since < p.slow {
			share = share * max(now-since, 0) / p.slow
		}
	}
	return max(share, 1)
}

// open tells if the place may have flows of datagrams now, new ones or those that it has: they move when a server is
// drained. An emergency or abuse server may even if it failed a moment ago: there is nobody else.
func (p *place) open(now int64) bool {
	return p.usable() && (p.index < 0 || !p.blacklisted(now) && !p.bars(false))
}

// limit is the number of connections that the place takes; returning tells that the client was here last.
func (p *place) limit(returning bool) int {
	if p.max > 0 && returning {
		return max(p.max, p.hard)
	}
	return p.max
}
