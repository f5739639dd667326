package conf

import "net/netip"

// ACLs is the number of access lists.
const ACLs = 10

// ACL is an access list: entries in order, the first match decides.
type ACL []ACLEntry

// ACLEntry permits or denies some addresses.
type ACLEntry struct {
	Permit  bool
	Addr    netip.Addr // v4 (never v4-in-v6) or v6
	Mask    netip.Addr // v4 only: any bits; an address matches if address&Mask == Addr
	Bits    int        // v6 only: length of the prefix, 0..128
	Country string     // two letters; then Addr is not valid
}
