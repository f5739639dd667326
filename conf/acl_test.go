package conf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// entries makes an access list of lines like "permit 10.0.0.0 255.0.0.0".
func entries(t testing.TB, lines ...string) ACL {
	t.Helper()
	var a ACL
	for _, line := range lines {
		e, err := parseEntry(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		a = append(a, e)
	}
	return a
}

// countryOf knows two networks.
func countryOf(a netip.Addr) string {
	switch {
	case netip.MustParsePrefix("192.0.2.0/24").Contains(a):
		return "SE"
	case netip.MustParsePrefix("2001:db8::/32").Contains(a):
		return "DE"
	}
	return ""
}

func TestPermit(t *testing.T) {
	tests := []struct {
		list []string
		addr string
		want bool
	}{
		{nil, "10.0.0.1", true},
		{[]string{"permit 10.0.0.1"}, "10.0.0.1", true},
		{[]string{"permit 10.0.0.1"}, "10.0.0.2", false},
		{[]string{"deny 10.0.0.1"}, "10.0.0.1", false},
		{[]string{"deny 10.0.0.1"}, "10.0.0.2", true},
		{[]string{"permit 10.0.0.1"}, "::1", false},
		{[]string{"deny 10.0.0.1"}, "::1", true},
		{[]string{"permit ::1"}, "10.0.0.1", false},
		{[]string{"deny ::1"}, "10.0.0.1", true},
		{[]string{"permit 10.0.0.0 255.0.0.0"}, "10.9.9.9", true},
		{[]string{"permit 10.0.0.0 255.0.0.0"}, "::ffff:10.9.9.9", true},
		{[]string{"permit 10.0.0.1 255.0.0.0"}, "10.0.0.1", false}, // bits outside of the mask
		{[]string{"permit 10.0.0.5 255.0.0.255"}, "10.3.4.5", true},
		{[]string{"permit 10.0.0.5 255.0.0.255"}, "10.3.4.6", false},
		{[]string{"deny 10.1.0.0 255.255.0.0", "permit 10.0.0.0 255.0.0.0"}, "10.1.2.3", false},
		{[]string{"permit 10.0.0.0 255.0.0.0", "deny 10.1.0.0 255.255.0.0"}, "10.1.2.3", true},
		{[]string{"deny 10.0.0.1", "permit 10.0.0.1"}, "10.0.0.1", false},
		{[]string{"permit 0.0.0.0 0.0.0.0", "deny ::1"}, "10.0.0.1", true},
		{[]string{"permit 2001:db8::/32"}, "2001:db8:1::1", true},
		{[]string{"permit 2001:db8::/32"}, "2001:db9::1", false},
		{[]string{"permit 2001:db8::1/32"}, "2001:db8::1", false},
		{[]string{"deny 2001:db8::/33", "permit ::/0"}, "2001:db8:8000::1", true},
		{[]string{"permit fe80::/10"}, "fe80::1%eth0", true},
		{[]string{"permit ::ffff:10.0.0.0/104"}, "10.1.2.3", true},
		{[]string{"permit country SE"}, "192.0.2.1", true},
		{[]string{"permit country se"}, "192.0.2.1", true},
		{[]string{"permit country SE"}, "192.0.3.1", false},
		{[]string{"deny country DE", "permit ::/0"}, "2001:db8::1", false},
		{[]string{"permit ::/0", "deny country DE"}, "2001:db8::1", true},
		{[]string{"permit 10.0.0.1", "deny country DE"}, "10.0.0.2", true},
	}
	for _, tt := range tests {
		m := entries(t, tt.list...).Compile(countryOf)
		if got := m.Permit(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%q: Permit(%s) = %t, want %t", tt.list, tt.addr, got, tt.want)
		}
		if !m.Permit(netip.Addr{}) {
			t.Errorf("%q denies the peer of a Unix socket", tt.list)
		}
	}
}

func TestPermitWithoutCountries(t *testing.T) {
	m := entries(t, "permit country SE").Compile(nil)
	if m.Permit(netip.MustParseAddr("192.0.2.1")) {
		t.Error("permitted, want the inverse of the last entry")
	}
}

// naive decides as the facts about pen say it, entry by entry.
func naive(a ACL, addr netip.Addr) bool {
	permit := true
	for _, e := range a {
		permit = !e.Permit
		match := false
		switch {
		case e.Country != "":
			match = countryOf(addr) == e.Country
		case e.Addr.Is4() && addr.Is4():
			match = uint4(addr)&uint4(e.Mask) == uint4(e.Addr)
		case e.Addr.Is6() && addr.Is6():
			p := netip.PrefixFrom(addr, e.Bits).Masked()
			match = p.Addr() == e.Addr
		}
		if match {
			return e.Permit
		}
	}
	return permit
}

// TestMatcherIsNaive compares the matcher with a walk through random lists with few distinct addresses.
func TestMatcherIsNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	masks := []string{"255.255.255.255", "255.255.255.0", "255.0.255.0", "0.0.0.255", "0.0.0.0", "128.0.0.1"}
	v4 := func() string { return fmt.Sprintf("192.0.%d.%d", r.IntN(3), r.IntN(3)) }
	v6 := func() string { return fmt.Sprintf("2001:db8::%x:%x", r.IntN(3), r.IntN(3)) }
	for range 2000 {
		var lines []string
		for range r.IntN(12) {
			verb := []string{"permit ", "deny "}[r.IntN(2)]
			switch r.IntN(5) {
			case 0, 1:
				lines = append(lines, verb+v4()+" "+masks[r.IntN(len(masks))])
			case 2, 3:
				lines = append(lines, fmt.Sprintf("%s%s/%d", verb, v6(), []int{0, 32, 112, 127, 128}[r.IntN(5)]))
			default:
				lines = append(lines, verb+"country "+[]string{"SE", "DE", "XX"}[r.IntN(3)])
			}
		}
		a := entries(t, lines...)
		m := a.Compile(countryOf)
		for range 20 {
			addr := netip.MustParseAddr([]string{v4(), v6()}[r.IntN(2)])
			if got, want := m.Permit(addr), naive(a, addr); got != want {
				t.Fatalf("%q: Permit(%s) = %t, want %t", lines, addr, got, want)
			}
		}
	}
}

// long returns a list of n entries of both families with ten masks.
func long(n int) ACL {
	a := make(ACL, n)
	for i := range a {
		a[i] = ACLEntry{Addr: addr4(uint32(10<<24 + i<<8)), Mask: addr4(^uint32(0) << (i % 9))}
		if i%10 == 9 {
			a[i] = ACLEntry{Addr: netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 10: byte(i >> 16), 11: byte(i >> 8), 12: byte(i)}), Bits: 104}
		}
	}
	return a
}

func TestPermitAllocatesNothing(t *testing.T) {
	m := long(1000).Compile(countryOf)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	if got := testing.AllocsPerRun(100, func() { m.Permit(v4); m.Permit(v6) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkPermit(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		m := long(n).Compile(nil)
		for _, addr := range []string{"192.0.2.1", "10.1.2.3", "2001:db8::1"} {
			a := netip.MustParseAddr(addr)
			b.Run(fmt.Sprintf("%d/%s", n, addr), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					m.Permit(a)
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	a := long(100_000)
	for b.Loop() {
		a.Compile(nil)
	}
}
