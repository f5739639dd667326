package engine

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// Choosing a server: first gives the initial one, candidate the ones to try after it.

// first is pen's decision for a new connection: the server that the client used last, else by prio, weight, hash or
// round robin, whichever is enabled first; our own algorithms come after hash. A remembered server is left out if it is down. It returns an index, or none.
func (v *service) first(client netip.Addr, port uint16, last int32, now int64) int {
	b := &v.conf.Balance
	if !b.RoundRobin {
		if i := v.indexOf(last); i >= 0 && !v.places[i].bars(true) {
			return i // even if it is blacklisted or full: then the others are tried from there
		}
	}
	switch {
	case len(v.places) == 0:
		return none
	case b.Prio:
		return v.byPrio(now)
	case b.Weight:
		return v.byWeight(now)
	case b.Hash:
		return hashIndex(client, port, b.RoundRobin, len(v.places))
	case b.LeastConnections:
		return v.byLeast(now)
	case b.TwoChoices:
		return v.byTwo(now)
	case b.Maglev:
		return v.byMaglev(client, now)
	}
	return v.byTurn(now)
}

// candidate returns the n-th place to try when first came out as the initial one: first itself, the others in order,
// the emergency server. A stubborn service tries the first one only. nil means that nothing is left.
func (v *service) candidate(first, n int) *place {
	switch {
	case first == abuseIndex:
		if n == 0 {
			return v.abuse
		}
		return nil
	case first == none:
		if n == 0 {
			return v.emergency
		}
		return nil
	case n == 0, n < len(v.places) && !v.conf.Balance.Stubborn:
		return &v.places[(first+n)%len(v.places)]
	case n == len(v.places) && !v.conf.Balance.Stubborn:
		return v.emergency
	}
	return nil
}

// byPrio finds the smallest prio; the first one wins a tie.
func (v *service) byPrio(now int64) int {
	best := none
	for i := range v.places {
		if p := &v.places[i]; p.eligible(now) && (best == none || p.prio < v.places[best].prio) {
			best = i
		}
	}
	return best
}

// byWeight finds the lowest load, 256*connections/weight; the first one wins a tie. Weight 0 never gets a client.
func (v *service) byWeight(now int64) int {
	best, least := none, 0
	for i := range v.places {
		p := &v.places[i]
		if !p.eligible(now) || p.weight <= 0 {
			continue
		}
		if load := 256 * wholePortion * int(p.active.Load()) / (p.weight * int(p.portion(now))); best == none || load < least {
			best, least = i, load
		}
	}
	return best
}

// byTurn is round robin. All reactors take their turns from one counter, which holds the index handed out last; it
// starts at 0, so that the first client goes to server 1.
func (v *service) byTurn(now int64) int {
	for {
		last := v.choice.turn.Load()
		i := v.turnAfter(int(last), now)
		if i == none || v.choice.turn.CompareAndSwap(last, int32(i)) {
			return i
		}
	}
}

// turnAfter is after, but a place that gets a part of its weight only is passed over in as many cases.
func (v *service) turnAfter(i int, now int64) int {
	for range v.places {
		i = (i + 1) % len(v.places)
		if p := &v.places[i]; p.eligible(now) {
			if portion := p.portion(now); portion == wholePortion || rand.Int64N(wholePortion) < portion {
				return i
			}
		}
	}
	return v.after(i, now) // all were passed over: one of them has to do it
}

// after finds the next eligible place behind index i, which itself comes last.
func (v *service) after(i int, now int64) int {
	for range v.places {
		i = (i + 1) % len(v.places)
		if v.places[i].eligible(now) {
			return i
		}
	}
	return none
}

// hashIndex is pen's hash: the IPv4 address as a number whose lowest octet is the first one, with the port as it
// stands in memory mixed in if a client's connections are to be spread; of other addresses the last byte.
func hashIndex(client netip.Addr, port uint16, spread bool, n int) int {
	switch {
	case client.Is4():
		a := client.As4()
		h := binary.LittleEndian.Uint32(a[:])
		if spread {
			h ^= uint32(bits.ReverseBytes16(port))
		}
		return int(h % uint32(n))
	case client.Is6():
		a := client.As16()
		return int(a[15]) % n
	}
	return 0
}
