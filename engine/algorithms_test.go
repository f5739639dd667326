package engine

import (
	"fmt"
	"net/netip"
	"testing"

	"pen/conf"
)

// farm makes a service with n servers that need not exist, and settles it.
func farm(t testing.TB, n int, change func(*conf.Service)) *service {
	t.Helper()
	s := conf.Default()
	v := s.Services[0]
	for i := range n {
		v.Servers = append(v.Servers, conf.Server{Address: fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), Port: 80})
	}
	change(v)
	p, err := newRegistry().compile(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.services[0].settle()
	return p.services[0]
}

// crowd returns n clients.
func crowd(n int) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})
	}
	return list
}

// takeDown takes servers down as probes do.
func takeDown(v *service, places ...int) {
	for _, i := range places {
		v.places[i].stand(Standing{Down, false, 100}, 1)
	}
	v.settle()
}

func TestOwnAlgorithms(t *testing.T) {
	const now = 1
	least := func(v *conf.Service) { v.Balance.LeastConnections = true }
	load := func(loads ...int32) func(*service) {
		return func(v *service) {
			for i, n := range loads {
				v.places[i].reserved.Store(n)
			}
		}
	}
	tests := []struct {
		name  string
		conf  func(*conf.Service)
		state func(*service)
		want  []int // of clients that come one after the other and stay
	}{
		{"least: equals take turns", least, nil, []int{1, 2, 0, 1, 2, 0}},
		{"least: the fewest", least, load(4, 2, 3), []int{1, 2, 1, 2, 0, 1}},
		{"least: in proportion to the weight", func(v *conf.Service) {
			least(v)
			v.Servers[0].Weight, v.Servers[1].Weight, v.Servers[2].Weight = 4, 1, 1
		}, nil, []int{0, 0, 0, 1, 2, 0}},
		{"least: not the down", least, func(v *service) { takeDown(v, 1) }, []int{2, 0, 2, 0}},
		{"least: not the blacklisted", least, func(v *service) { v.places[2].blacklist(0, 1000) }, []int{1, 0, 1, 0}},
		{"least: none", least, func(v *service) { takeDown(v, 0, 1, 2) }, []int{none, none}},
		{"two choices of two: the fewest", func(v *conf.Service) {
			v.Balance.TwoChoices = true
			v.Servers = v.Servers[:2]
		}, load(3, 0), []int{1, 1, 1}},
		{"two choices: the only one", func(v *conf.Service) { v.Balance.TwoChoices = true }, func(v *service) { takeDown(v, 0, 2) }, []int{1, 1, 1}},
		{"two choices: none", func(v *conf.Service) { v.Balance.TwoChoices = true }, func(v *service) { takeDown(v, 0, 1, 2) }, []int{none}},
		{"maglev: none", func(v *conf.Service) { v.Balance.Maglev = true }, func(v *service) { takeDown(v, 0, 1, 2) }, []int{none}},
		{"maglev: the only one", func(v *conf.Service) { v.Balance.Maglev = true }, func(v *service) { takeDown(v, 0, 1) }, []int{2, 2}},
		{"maglev: the only one that is not blacklisted", func(v *conf.Service) { v.Balance.Maglev = true }, func(v *service) {
			v.places[0].blacklist(0, 1000)
			v.places[1].blacklist(0, 1000)
		}, []int{2, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := farm(t, 3, tt.conf)
			if tt.state != nil {
				tt.state(v)
			}
			for n, want := range tt.want {
				got := v.first(mustAddr("192.0.2.1"), 1, none, now)
				if got != want {
					t.Errorf("client %d got server %d, want %d", n, got, want)
				}
				if got != none {
					v.places[got].reserved.Add(1)
				}
			}
		})
	}
}

// With two choices the fullest of many servers has little more than the mean; with one it would have far more.
func TestTwoChoicesAreEven(t *testing.T) {
	v := farm(t, 100, func(v *conf.Service) { v.Balance.TwoChoices = true })
	most := int32(0)
	for range 10000 {
		p := &v.places[v.byTwo(1)]
		p.reserved.Add(1)
		most = max(most, p.reserved.Load())
	}
	if most > 110 { // one choice: about 126; two: 103
		t.Errorf("the fullest of 100 servers has %d of 10000 connections, want about 103", most)
	}
}

func TestMaglevIsEvenAndWeighted(t *testing.T) {
	tests := []struct {
		name    string
		servers int
		weights map[int]int
	}{{"equal", 10, nil}, {"one of double weight", 10, map[int]int{3: 2}}, {"many", 1000, nil}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := farm(t, tt.servers, func(v *conf.Service) {
				v.Balance.Maglev = true
				for i, w := range tt.weights {
					v.Servers[i].Weight = w
				}
			})
			slots := map[int32]int{}
			table := v.choice.maglev.Load().slots
			for _, id := range table {
				slots[id]++
			}
			total := tt.servers
			for _, w := range tt.weights {
				total += w - 1
			}
			for i := range v.places {
				want := len(table) / total * max(tt.weights[i], 1)
				if got := slots[v.places[i].id]; got < want-want/20-2 || got > want+want/20+2 {
					t.Errorf("server %d has %d of %d slots, want %d", i, got, len(table), want)
				}
			}
		})
	}
}

// When one of N servers goes, its clients move and nearly nobody else does; when it comes back, all is as it was. The
// same servers in another order serve the same clients.
func TestMaglevMovesFewClients(t *testing.T) {
	for _, n := range []int{2, 3, 10, 50} {
		t.Run(fmt.Sprintf("one of %d goes", n), func(t *testing.T) {
			v := farm(t, n, func(v *conf.Service) { v.Balance.Maglev = true })
			clients := crowd(20000)
			before := serve(v, clients)
			takeDown(v, 1)
			after := serve(v, clients)
			own, others := 0, 0
			for i := range clients {
				switch {
				case before[i] == 1:
					own++
					if after[i] == 1 {
						t.Fatalf("client %v still goes to the server that is down", clients[i])
					}
				case before[i] != after[i]:
					others++
				}
			}
			t.Logf("of %d clients %d (%.1f%%) were of the server that went and had to move; of the others %d (%.2f%%) moved, too",
				len(clients), own, 100*float64(own)/20000, others, 100*float64(others)/20000)
			if own < 20000/n*8/10 || own > 20000/n*12/10 || others > 20000*3/100 {
				t.Errorf("%d of its clients and %d others moved, want about %d and less than 3%%", own, others, 20000/n)
			}
			v.places[1].stand(Standing{Up, false, 100}, 2)
			v.settle()
			for i, got := range serve(v, clients) {
				if got != before[i] {
					t.Fatalf("client %v goes to %d after all, want %d as before", clients[i], got, before[i])
				}
			}
		})
	}
}

func serve(v *service, clients []netip.Addr) []int {
	list := make([]int, len(clients))
	for i, c := range clients {
		list[i] = v.first(c, 1, none, 1)
	}
	return list
}

func TestMaglevDoesNotDependOnTheOrder(t *testing.T) {
	maglev := func(v *conf.Service) { v.Balance.Maglev = true }
	v := farm(t, 7, maglev)
	w := farm(t, 7, func(v *conf.Service) {
		maglev(v)
		for i, j := 0, len(v.Servers)-1; i < j; i, j = i+1, j-1 {
			v.Servers[i], v.Servers[j] = v.Servers[j], v.Servers[i]
		}
	})
	for _, c := range crowd(1000) {
		a, b := v.places[v.first(c, 1, none, 1)].addr.text, w.places[w.first(c, 1, none, 1)].addr.text
		if a != b {
			t.Fatalf("client %v goes to %s or, in another order, %s", c, a, b)
		}
	}
}

// Nothing is made anew if the members have not changed.
func TestMaglevIsKept(t *testing.T) {
	v := farm(t, 3, func(v *conf.Service) { v.Balance.Maglev = true })
	was := v.choice.maglev.Load()
	v.settle()
	if v.choice.maglev.Load() != was {
		t.Error("the table was made anew though nothing changed")
	}
	takeDown(v, 0)
	if v.choice.maglev.Load() == was {
		t.Error("the table was kept though a server went down")
	}
}

func TestChoosingAllocatesNothing(t *testing.T) {
	tests := map[string]func(*conf.Balance){
		"least": func(b *conf.Balance) { b.LeastConnections = true }, "two": func(b *conf.Balance) { b.TwoChoices = true },
		"maglev": func(b *conf.Balance) { b.Maglev = true }, "turn": func(*conf.Balance) {},
	}
	client := mustAddr("192.0.2.1")
	for name, change := range tests {
		v := farm(t, 50, func(v *conf.Service) { change(&v.Balance) })
		if n := testing.AllocsPerRun(1000, func() { v.first(client, 1, none, 1) }); n != 0 {
			t.Errorf("%s: %v allocations for each client, want 0", name, n)
		}
	}
}

func BenchmarkFirst(b *testing.B) {
	for _, n := range []int{10, 1000} {
		for name, change := range map[string]func(*conf.Balance){
			"least": func(b *conf.Balance) { b.LeastConnections = true }, "two": func(b *conf.Balance) { b.TwoChoices = true },
			"maglev": func(b *conf.Balance) { b.Maglev = true }, "turn": func(*conf.Balance) {},
		} {
			v := farm(b, n, func(v *conf.Service) { change(&v.Balance) })
			clients := crowd(4096)
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				for i := range b.N {
					v.first(clients[i%len(clients)], 1, none, 1)
				}
			})
		}
	}
}

// Who may be sent where, by the operator's switch and by what probes say.
func TestStandings(t *testing.T) {
	const stranger, own = false, true
	tests := []struct {
		name  string
		conf  func(*conf.Service)
		state func(*service)
		own   bool // the client is remembered as that of server 2
		want  int
	}{
		{"ready", nil, nil, stranger, 1},
		{"drain: nobody new", func(v *conf.Service) { v.Servers[1].Admin = conf.Drain }, nil, stranger, 2},
		{"drain: its own", func(v *conf.Service) { v.Servers[2].Admin = conf.Drain }, nil, own, 2},
		{"drain: nobody with roundrobin", func(v *conf.Service) { v.Servers[2].Admin, v.Balance.RoundRobin = conf.Drain, true }, nil, own, 1},
		{"maint: nobody new", func(v *conf.Service) { v.Servers[1].Admin = conf.Maint }, nil, stranger, 2},
		{"maint: nor its own", func(v *conf.Service) { v.Servers[2].Admin = conf.Maint }, nil, own, 1},
		{"down: nobody new", nil, func(v *service) { takeDown(v, 1) }, stranger, 2},
		{"down: nor its own", nil, func(v *service) { takeDown(v, 2) }, own, 1},
		{"probing is used", nil, func(v *service) { v.places[1].stand(Standing{Probing, false, 100}, 1); v.settle() }, stranger, 1},
		{"its agent drains: nobody new", nil, func(v *service) { v.places[1].stand(Standing{Up, true, 100}, 1); v.settle() }, stranger, 2},
		{"its agent drains: its own", nil, func(v *service) { v.places[2].stand(Standing{Up, true, 100}, 1); v.settle() }, own, 2},
		{"all down, closed", nil, func(v *service) { takeDown(v, 0, 1, 2) }, stranger, none},
		{"all down, open", func(v *conf.Service) { v.Health.FailOpen = true }, func(v *service) { takeDown(v, 0, 1, 2) }, stranger, 1},
		{"all down but one in maint, open", func(v *conf.Service) {
			v.Health.FailOpen = true
			v.Servers[1].Admin = conf.Maint
		}, func(v *service) { takeDown(v, 0, 2) }, stranger, 2},
		{"two down, open", func(v *conf.Service) { v.Health.FailOpen = true }, func(v *service) { takeDown(v, 1, 2) }, stranger, 0},
		{"back", nil, func(v *service) { takeDown(v, 1); v.places[1].stand(Standing{Up, false, 100}, 1); v.settle() }, stranger, 1},
		{"back, though it was blacklisted", nil, func(v *service) {
			v.places[1].blacklist(0, 1000)
			takeDown(v, 1)
			v.places[1].stand(Standing{Up, false, 100}, 1)
			v.settle()
		}, stranger, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.conf == nil {
				tt.conf = func(*conf.Service) {}
			}
			v := farm(t, 3, tt.conf)
			if tt.state != nil {
				tt.state(v)
			}
			last := int32(none)
			if tt.own {
				last = v.places[2].id
			}
			if got := v.first(mustAddr("192.0.2.1"), 1, last, 2); got != tt.want {
				t.Errorf("got server %d, want %d", got, tt.want)
			}
		})
	}
}

func TestPortion(t *testing.T) {
	const second = int64(1e9)
	tests := []struct {
		name      string
		slow      int64
		share     int32
		since, at int64
		want      int64
	}{
		{"never away", 10 * second, 100, 0, 5 * second, 1000},
		{"no slow_start", 0, 100, second, 2 * second, 1000},
		{"just back", 10 * second, 100, second, second, 1},
		{"half-way", 10 * second, 100, second, 6 * second, 500},
		{"in full", 10 * second, 100, second, 11 * second, 1000},
		{"by its agent", 0, 30, 0, second, 300},
		{"both", 10 * second, 50, second, 6 * second, 250},
	}
	for _, tt := range tests {
		p := place{server: &server{}, slow: tt.slow}
		p.share.Store(tt.share)
		p.since.Store(tt.since)
		if got := p.portion(tt.at); got != tt.want {
			t.Errorf("%s: got %d thousandths, want %d", tt.name, got, tt.want)
		}
	}
}

// A server that gets a tenth of its weight gets about a tenth of the turns, and a tenth of the load.
func TestShares(t *testing.T) {
	tests := []struct {
		name string
		conf func(*conf.Service)
		stay bool
	}{
		{"round robin", func(*conf.Service) {}, false},
		{"weight", func(v *conf.Service) {
			v.Balance.Weight = true
			v.Servers[0].Weight, v.Servers[1].Weight = 1, 1
		}, true},
		{"least connections", func(v *conf.Service) { v.Balance.LeastConnections = true }, true},
		{"maglev", func(v *conf.Service) { v.Balance.Maglev = true }, false},
	}
	clients := crowd(4400)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := farm(t, 2, tt.conf)
			v.places[1].stand(Standing{Up, false, 10}, 1)
			v.settle()
			n := 0
			for _, c := range clients {
				i := v.first(c, 1, none, 1)
				n += i
				if tt.stay {
					v.places[i].reserved.Add(1)
					v.places[i].active.Add(1)
				}
			}
			if n < 300 || n > 500 {
				t.Errorf("the server got %d of %d clients, want about 400", n, len(clients))
			}
		})
	}
}
