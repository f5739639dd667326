package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ACLs is the number of access lists.
const ACLs = 10

// ACL is an access list: entries in order, the first match decides. An address that no entry matches gets the inverse
// of the last entry, whatever that one is about; an empty list permits everything.
type ACL []ACLEntry

// ACLEntry permits or denies some addresses.
type ACLEntry struct {
	Permit  bool
	Addr    netip.Addr // v4 or v6; a v4-in-v6 address is kept as v4
	Mask    netip.Addr // v4 only: any bits, invalid = all; an address matches if address&Mask == Addr
	Bits    int        // v6 only: length of the prefix, 0..128; bits of Addr behind it are never matched
	Country string     // two capital letters; then Addr is not valid
}

// parseEntry takes permit|deny ADDR [MASK], permit|deny ADDR6[/LENGTH] or permit|deny country XX.
func parseEntry(words []string) (ACLEntry, error) {
	var e ACLEntry
	switch words[0] {
	case "permit":
		e.Permit = true
	case "deny":
	default:
		return e, fmt.Errorf("expected permit or deny, not '%s'", clip(words[0]))
	}
	what, more := words[1], words[2:]
	switch {
	case what == "country":
		return e.country(more)
	case strings.Contains(what, ":") && len(more) > 0:
		return e, fmt.Errorf("expected nothing after an IPv6 address, not '%s'", clip(more[0]))
	case strings.Contains(what, ":"):
		return e.prefix(what)
	}
	mask := "255.255.255.255"
	if len(more) > 0 {
		mask = more[0]
	}
	return e.masked(what, mask)
}

// country completes an entry for country XX.
func (e ACLEntry) country(words []string) (ACLEntry, error) {
	if len(words) == 0 {
		return e, errors.New("expected the two letters of a country after country")
	}
	code := strings.ToUpper(words[0])
	if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return e, fmt.Errorf("expected the two letters of a country, not '%s'", clip(words[0]))
	}
	e.Country = code
	return e, nil
}

// prefix completes an entry for an IPv6 address, with or without a length.
func (e ACLEntry) prefix(text string) (ACLEntry, error) {
	text, length, cut := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return e, fmt.Errorf("expected an IPv6 address, not '%s'", clip(text))
	}
	e.Addr, e.Bits = addr, addr.BitLen()
	if cut {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > e.Bits {
			return e, fmt.Errorf("expected the length of a prefix from 0 to 128, not '%s'", clip(length))
		}
		e.Bits = n
	}
	const mapped = 96 // bits of ::ffff:0:0/96, the v4 addresses as v6
	if addr.Is4In6() && e.Bits >= mapped {
		ones := ^uint32(0) << (addr.BitLen() - e.Bits)
		e.Addr, e.Mask, e.Bits = addr.Unmap(), addr4(ones), 0
	}
	return e, nil
}

// masked completes an entry for an IPv4 address and a mask.
func (e ACLEntry) masked(text, mask string) (ACLEntry, error) {
	var err error
	if e.Addr, err = netip.ParseAddr(text); err != nil || !e.Addr.Is4() {
		return e, fmt.Errorf("expected an IP address or country, not '%s'", clip(text))
	}
	if e.Mask, err = netip.ParseAddr(mask); err == nil && e.Mask.Is4() {
		return e, nil
	}
	if mask == "0" { // the other form that pen's users know
		e.Mask = addr4(0)
		return e, nil
	}
	return e, fmt.Errorf("expected a mask like 255.255.255.0, not '%s'", clip(mask))
}

// String returns the entry as the command acl takes it after the number.
func (e ACLEntry) String() string {
	verb := "deny"
	if e.Permit {
		verb = "permit"
	}
	switch {
	case e.Country != "":
		return verb + " country " + e.Country
	case e.Addr.Is4():
		mask := "255.255.255.255"
		if e.Mask.IsValid() {
			mask = e.Mask.String()
		}
		return verb + " " + e.Addr.String() + " " + mask
	}
	return fmt.Sprintf("%s %s/%d", verb, e.Addr, e.Bits)
}
