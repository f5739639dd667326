//go:build unix

package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// turn is what a reactor does for one small message: the peer writes, Wait reports, a read takes it, Arm.
func turn(t testing.TB, p Poller, events []Event, ours, peer int, b []byte) {
	if _, err := unix.Write(peer, b[:1]); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := p.Wait(events, patience)
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 && events[0].FD == ours && events[0].Ready&Readable != 0 {
			break
		}
	}
	if n, err := unix.Read(ours, b); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := p.Arm(ours, Readable); err != nil {
		t.Fatal(err)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	events, b := make([]Event, batch), make([]byte, 64)
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		l, _ := listenUnix(t)
		settle(t, p)
		got := testing.AllocsPerRun(100, func() {
			turn(t, p, events, ours, peer, b)
			if p.Remove(ours) != nil || p.Add(ours) != nil || p.AddListener(l) != nil || p.Remove(l) != nil || p.Wake() != nil {
				t.Fatal("an error in the steady state")
			}
		})
		if got != 0 {
			t.Errorf("got %v allocations, want 0", got)
		}
	})
}

// One byte there and back through Wait and Arm, alone and among 1000 idle connections.
func BenchmarkRoundTrip(b *testing.B) {
	for _, name := range Names() {
		for _, tc := range []struct {
			name string
			idle int
		}{{"alone", 0}, {"idle=1000", 1000}} {
			b.Run(name+"/"+tc.name, func(b *testing.B) {
				p := open(b, name)
				for range tc.idle / 2 {
					one, other := unixPair(b)
					add(b, p, one)
					add(b, p, other)
				}
				ours, peer := unixPair(b)
				add(b, p, ours)
				settle(b, p)
				events, buf := make([]Event, batch), make([]byte, 64)
				b.ReportAllocs()
				for b.Loop() {
					turn(b, p, events, ours, peer, buf)
				}
			})
		}
	}
}
