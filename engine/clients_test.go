package engine

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

func key(s string) clientKey { return clientKey{0, netip.MustParseAddr(s)} }

// nowhere chooses no server.
func nowhere(int32) int32 { return none }

// All connections of a burst see the server that the first of them is sent to.
func TestClientsChooseOnce(t *testing.T) {
	table := newClients(10)
	chosen := 0
	choose := func(last int32) int32 {
		if last == none {
			chosen++
			return 7
		}
		return last
	}
	var burst sync.WaitGroup
	for range 100 {
		burst.Go(func() { table.visit(key("10.0.0.1"), 0, 0, choose) })
	}
	burst.Wait()
	if chosen != 1 {
		t.Errorf("a server was chosen %d times for one client", chosen)
	}
}

func TestClientsRemember(t *testing.T) {
	const a, b, c = "10.0.0.1", "10.0.0.2", "2001:db8::1"
	type step struct {
		client string
		at     time.Duration
		want   int32 // server it was last sent to
		assign int32
	}
	tests := []struct {
		name     string
		max      int
		tracking time.Duration
		steps    []step
	}{
		{"new clients have no server", 10, 0, []step{{a, 0, none, 1}, {b, 0, none, 2}}},
		{"they come back to the last one", 10, 0, []step{{a, 0, none, 1}, {a, time.Hour, 1, 2}, {a, 2 * time.Hour, 2, 2}}},
		{"away for the tracking time", 10, 5 * time.Second, []step{{a, 0, none, 1}, {a, 5 * time.Second, 1, 1}}},
		{"away for longer", 10, 5 * time.Second, []step{{a, 0, none, 1}, {a, 5*time.Second + 1, none, 1}}},
		{"the least recently seen one makes room", 2, 0, []step{{a, 0, none, 1}, {b, 1, none, 2}, {a, 2, 1, 1}, {c, 3, none, 3}, {a, 4, 1, 1}, {b, 5, none, 2}}},
		{"a table of one", 1, 0, []step{{a, 0, none, 1}, {a, 1, 1, 1}, {b, 2, none, 2}, {a, 3, none, 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := newClients(tt.max)
			for i, s := range tt.steps {
				place, got := table.visit(key(s.client), int64(s.at), tt.tracking, nowhere)
				if got != s.want {
					t.Errorf("step %d: client %s was last sent to %d, want %d", i, s.client, got, s.want)
				}
				table.assign(place, key(s.client), s.assign)
			}
			if len(table.entries) > tt.max || len(table.index) != len(table.entries) {
				t.Errorf("%d entries, %d in the index, want at most %d and as many", len(table.entries), len(table.index), tt.max)
			}
		})
	}
}

func TestClientsOfServicesAreApart(t *testing.T) {
	table := newClients(10)
	addr := netip.MustParseAddr("10.0.0.1")
	place, _ := table.visit(clientKey{0, addr}, 0, 0, nowhere)
	table.assign(place, clientKey{0, addr}, 7)
	if _, got := table.visit(clientKey{1, addr}, 0, 0, nowhere); got != none {
		t.Errorf("service 1 knows server %d of service 0's client", got)
	}
}

// A session may outlive its client's entry; what it has to say then concerns nobody.
func TestClientsReusedEntryIsNotTouched(t *testing.T) {
	table := newClients(1)
	place, _ := table.visit(key("10.0.0.1"), 0, 0, nowhere)
	table.visit(key("10.0.0.2"), 1, 0, nowhere)
	table.assign(place, key("10.0.0.1"), 5)
	table.leave(place, key("10.0.0.1"), 100, 200)
	found, _ := table.recent([]int32{0}, 0)
	if len(found) != 1 || found[0].server != none || found[0].sent != 0 {
		t.Errorf("got %+v, want one untouched entry", found)
	}
}

func TestClientsRecent(t *testing.T) {
	table := newClients(10)
	for i, c := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"} {
		place, _ := table.visit(key(c), int64(i), 0, nowhere)
		table.leave(place, key(c), 10, 1)
	}
	found, _ := table.recent([]int32{0}, 2)
	if len(found) != 2 || found[0].key != key("10.0.0.1") || found[1].key != key("10.0.0.3") {
		t.Fatalf("got %+v, want 10.0.0.1 and 10.0.0.3", found)
	}
	if c := found[0]; c.connects != 2 || c.sent != 20 || c.received != 2 {
		t.Errorf("got %d connects, %d sent, %d received, want 2, 20, 2", c.connects, c.sent, c.received)
	}
}

func BenchmarkClientsVisit(b *testing.B) {
	table := newClients(65536)
	var keys [4096]clientKey
	for i := range keys {
		keys[i] = clientKey{0, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.visit(keys[i%len(keys)], int64(i), 0, nowhere)
	}
}
