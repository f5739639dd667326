package conf

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// Matcher is an access list made ready for lookups. It never changes, so that any number of goroutines may use it.
//
// Entries with the same mask differ in the address alone, and of those with the same address only the first one counts.
// So each distinct mask has one map from the address to the place of its first entry, and a lookup costs one masked
// access per distinct mask (33 at most if all are prefixes), however long the list is. The lowest place found is the
// first match. Masks are tried in the order of their first entries, which ends the search early.
type Matcher struct {
	v4        []group[uint32]
	v6        []group[[16]byte]
	countries map[string]place
	nation    place // the first entry that is about a country
	country   func(netip.Addr) string
	permits   []bool // by place
	otherwise bool   // for what no entry matches
}

// place is the number of an entry in its list.
type place int

// none is behind all places.
const none place = math.MaxInt

// group holds the entries with the same mask.
type group[A comparable] struct {
	mask   A
	first  place
	places map[A]place
}

// Compile returns the matcher of the list. The function country gives the two capital letters of an address's country,
// "" if it is not known; nil knows none. It is called only if it can matter.
func (a ACL) Compile(country func(netip.Addr) string) *Matcher {
	m := &Matcher{otherwise: true, country: country, countries: map[string]place{}, nation: none}
	v4 := map[uint32]*group[uint32]{}
	v6 := map[[16]byte]*group[[16]byte]{}
	for i, e := range a {
		m.permits = append(m.permits, e.Permit)
		m.otherwise = !e.Permit
		switch {
		case e.Country != "":
			if _, known := m.countries[e.Country]; !known && country != nil {
				m.countries[e.Country] = place(i)
				m.nation = min(m.nation, place(i))
			}
		case e.Addr.Is4():
			mask, addr := ^uint32(0), uint4(e.Addr)
			if e.Mask.Is4() {
				mask = uint4(e.Mask)
			}
			put(v4, mask, addr, mask&addr == addr, place(i))
		case e.Addr.Is6():
			addr := e.Addr.As16()
			put(v6, prefixMask(e.Bits), addr, and(addr, prefixMask(e.Bits)) == addr, place(i))
		}
	}
	m.v4, m.v6 = ordered(v4), ordered(v6)
	return m
}

// put adds an entry to the group of its mask, unless it can never match or one before it matches the same.
func put[A comparable](groups map[A]*group[A], mask, addr A, possible bool, at place) {
	if !possible {
		return
	}
	g := groups[mask]
	if g == nil {
		g = &group[A]{mask: mask, first: at, places: map[A]place{}}
		groups[mask] = g
	}
	if _, known := g.places[addr]; !known {
		g.places[addr] = at
	}
}

// ordered returns the groups in the order of their first entries.
func ordered[A comparable](groups map[A]*group[A]) []group[A] {
	var list []group[A]
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b group[A]) int { return cmp.Compare(a.first, b.first) })
	return list
}

// Permit reports whether the list permits an address. An invalid one is the peer of a Unix socket: always permitted.
func (m *Matcher) Permit(addr netip.Addr) bool {
	if m == nil || !addr.IsValid() || len(m.permits) == 0 {
		return true
	}
	addr = addr.Unmap()
	at := m.find(addr)
	if m.nation < at {
		if p, found := m.countries[m.country(addr)]; found {
			at = min(at, p)
		}
	}
	if at == none {
		return m.otherwise
	}
	return m.permits[at]
}

// find returns the first entry that holds the address, countries apart.
func (m *Matcher) find(addr netip.Addr) place {
	at := none
	if addr.Is4() {
		a := uint4(addr)
		for i := range m.v4 {
			g := &m.v4[i]
			if g.first > at {
				break
			}
			if p, found := g.places[a&g.mask]; found {
				at = min(at, p)
			}
		}
		return at
	}
	a := addr.As16()
	for i := range m.v6 {
		g := &m.v6[i]
		if g.first > at {
			break
		}
		if p, found := g.places[and(a, g.mask)]; found {
			at = min(at, p)
		}
	}
	return at
}

// uint4 returns an IPv4 address as a number, the first octet highest.
func uint4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// addr4 is the inverse of uint4.
func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// prefixMask returns bits ones followed by zeros.
func prefixMask(bits int) (mask [16]byte) {
	for i := range mask {
		mask[i] = ^byte(0xff >> min(8, max(0, bits-8*i)))
	}
	return mask
}

// and returns the bits that are set in both.
func and(a, b [16]byte) [16]byte {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}
