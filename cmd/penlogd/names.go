package main

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	namesMax      = 64          // servers with a name; pen itself sends addresses
	lookupTimeout = time.Second // nothing is received meanwhile
)

// names knows the addresses of servers. Names are looked up once, found or not, until forget; after namesMax of them no
// other is, so that nobody can keep us busy with inventing names.
type names struct {
	lookup func(name string) (netip.Addr, error)
	known  map[string]netip.Addr // invalid if there is no such name
}

func newNames(lookup func(string) (netip.Addr, error)) *names {
	return &names{lookup: lookup, known: map[string]netip.Addr{}}
}

// address returns the address of server; ok is false if it has none.
func (n *names) address(server []byte) (addr netip.Addr, ok bool) {
	if addr, err := netip.ParseAddr(string(server)); err == nil {
		return addr.Unmap(), true
	}
	addr, seen := n.known[string(server)]
	if !seen && len(n.known) < namesMax {
		addr, _ = n.lookup(string(server))
		n.known[string(server)] = addr
	}
	return addr, addr.IsValid()
}

// forget makes names be looked up again.
func (n *names) forget() { clear(n.known) }

// lookupHost asks the system for an address of name.
func lookupHost(name string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}
