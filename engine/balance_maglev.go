package engine

import (
	"cmp"
	"net/netip"
	"slices"

	"pen/conf"
)

// Maglev: a consistent hash of the client's address by a table that is looked up once (Eisenbud et al., "Maglev: A Fast
// and Reliable Software Network Load Balancer", NSDI 2016, section 3.4). Each server fills the slots of the table in an
// order of its own, which its address decides, one slot a round. When a server goes, its slots are shared by the
// others, and few more change hands; so its clients move, and nearly nobody else does. Any pen with the same servers
// has the same table, in whatever order they are listed.
//
// The table holds the servers that the operator and the probes allow to be used, and is made anew by the control
// goroutine when that changes. Blacklisting, which comes and goes by itself, is looked at with each client: then the
// slots that follow decide.

// Sizes of the table: primes, so that every step visits all slots. The paper has about a hundred slots for each server.
const (
	maglevSlots     = 65537
	maglevManySlots = 655373
	maglevMany      = maglevSlots / 100 // servers from which on the larger one is used
)

// maglevSteps is how many slots are looked at for a server that is not blacklisted.
const maglevSteps = 64

// maglev is a table. It does not change once it has been made.
type maglev struct {
	members []maglevMember
	slots   []int32 // server.id
}

// maglevMember is a server in the table.
type maglevMember struct {
	id     int32
	hash   uint64
	weight int64
}

// rebuild makes the table of a service if its members are not those of the table that there is.
func (v *service) rebuild() {
	members := v.maglevMembers()
	old := v.choice.maglev.Load()
	if old != nil && slices.Equal(old.members, members) {
		return
	}
	v.choice.maglev.Store(newMaglev(members))
}

// maglevMembers returns who belongs in the table, in an order that does not depend on the places.
func (v *service) maglevMembers() []maglevMember {
	var members []maglevMember
	for i := range v.places {
		p := &v.places[i]
		if p.usable() && p.admin == conf.Ready && bar(p.barred.Load()) == barNobody {
			weight := int64(max(p.weight, 1)) * int64(p.share.Load())
			members = append(members, maglevMember{p.id, p.hash, weight})
		}
	}
	slices.SortFunc(members, func(a, b maglevMember) int { return cmp.Compare(a.hash, b.hash) })
	return members
}

// newMaglev fills the slots. In each round a member gets slots in proportion to its weight, the heaviest one gets one.
func newMaglev(members []maglevMember) *maglev {
	t := &maglev{members: members}
	if len(members) == 0 {
		return t
	}
	size := uint64(maglevSlots)
	if len(members) > maglevMany {
		size = maglevManySlots
	}
	t.slots = slices.Repeat([]int32{none}, int(size))
	heaviest := slices.MaxFunc(members, func(a, b maglevMember) int { return cmp.Compare(a.weight, b.weight) }).weight
	next, step, credit := make([]uint64, len(members)), make([]uint64, len(members)), make([]int64, len(members))
	for i, m := range members {
		next[i] = m.hash % size
		step[i] = mix(m.hash)%(size-1) + 1
	}
	for filled := uint64(0); ; {
		for i, m := range members {
			if credit[i] += m.weight; credit[i] < heaviest {
				continue
			}
			credit[i] -= heaviest
			for t.slots[next[i]] != none {
				next[i] = (next[i] + step[i]) % size
			}
			t.slots[next[i]] = m.id
			if filled++; filled == size {
				return t
			}
		}
	}
}

// byMaglev looks the client up. Peers of a Unix socket are one client.
func (v *service) byMaglev(client netip.Addr, now int64) int {
	t := v.choice.maglev.Load()
	if t == nil || len(t.slots) == 0 {
		return v.after(0, now)
	}
	h := hashAddr(client)
	for step := range uint64(maglevSteps) {
		i := v.indexOf(t.slots[(h+step)%uint64(len(t.slots))])
		if i != none && v.places[i].eligible(now) {
			return i
		}
	}
	return v.after(int(h%uint64(len(v.places))), now)
}

// The hash is FNV-1a with a finalizer: the same in every process and on every machine.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashAddr(a netip.Addr) uint64 {
	b := a.As16() // zero for a Unix socket
	h := uint64(fnvOffset)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return mix(h)
}

// hashKey is the hash of a server: of its address, and of its number among places with the same one.
func hashKey(k serverKey) uint64 {
	h := uint64(fnvOffset)
	for _, c := range []byte(k.address) {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return mix((h ^ uint64(k.nth)) * fnvPrime)
}

// mix spreads each bit over all others (the finalizer of splitmix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
