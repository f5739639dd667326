package engine

import (
	"net/netip"
	"testing"

	"pen/conf"
)

// table makes a service with servers that need not exist.
func table(t *testing.T, change func(*conf.Service)) *service {
	t.Helper()
	s := conf.Default()
	v := s.Services[0]
	for i := range 3 {
		v.Servers = append(v.Servers, conf.Server{Address: "127.0.0.1", Port: 1000 + i})
	}
	change(v)
	p, err := newRegistry().compile(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.services[0]
}

func TestFirst(t *testing.T) {
	const now = 1
	client := netip.MustParseAddr("10.20.30.41")
	blacklist := func(v *service, places ...int) {
		for _, i := range places {
			v.places[i].blacklist(0, 1000)
		}
	}
	tests := []struct {
		name   string
		conf   func(*conf.Service)
		state  func(*service)
		client netip.Addr
		port   uint16
		last   int32
		want   int
	}{
		{name: "round robin begins with 1", want: 1},
		{name: "a remembered server", last: 2, want: 2},
		{name: "even blacklisted", state: func(v *service) { blacklist(v, 2) }, last: 2, want: 2},
		{name: "not with roundrobin", conf: func(v *conf.Service) { v.Balance.RoundRobin = true }, last: 2, want: 1},
		{name: "round robin skips blacklisted", state: func(v *service) { blacklist(v, 1) }, want: 2},
		{name: "and unused", conf: func(v *conf.Service) { v.Servers[1].Address = "" }, want: 2},
		{name: "and 0.0.0.0", conf: func(v *conf.Service) { v.Servers[1].Address = "0.0.0.0" }, want: 2},
		{name: "and port 0", conf: func(v *conf.Service) { v.Servers[1].Port = 0 }, want: 2},
		{name: "all blacklisted", state: func(v *service) { blacklist(v, 0, 1, 2) }, want: none},
		{name: "no servers", conf: func(v *conf.Service) { v.Servers = nil }, want: none},
		{name: "prio: the smallest", conf: func(v *conf.Service) {
			v.Balance.Prio = true
			v.Servers[0].Prio, v.Servers[1].Prio, v.Servers[2].Prio = 3, 2, 1
		}, want: 2},
		{name: "prio: the first of equals", conf: func(v *conf.Service) { v.Balance.Prio = true }, want: 0},
		{name: "prio: not the blacklisted", conf: func(v *conf.Service) { v.Balance.Prio = true },
			state: func(v *service) { blacklist(v, 0) }, want: 1},
		{name: "prio before weight and hash", conf: func(v *conf.Service) {
			v.Balance = conf.Balance{Prio: true, Weight: true, Hash: true}
			v.Servers[1].Weight, v.Servers[0].Prio = 1, 9
		}, want: 1},
		{name: "weight 0 never", conf: func(v *conf.Service) { v.Balance.Weight = true }, want: none},
		{name: "weight: the lowest load", conf: func(v *conf.Service) {
			v.Balance.Weight = true
			v.Servers[0].Weight, v.Servers[1].Weight, v.Servers[2].Weight = 1, 2, 4
		}, state: func(v *service) {
			v.places[0].active.Store(1) // 256
			v.places[1].active.Store(1) // 128
			v.places[2].active.Store(3) // 192
		}, want: 1},
		{name: "weight: the first of equals", conf: func(v *conf.Service) {
			v.Balance.Weight = true
			v.Servers[1].Weight, v.Servers[2].Weight = 1, 1
		}, want: 1},
		{name: "hash: first octet lowest", conf: func(v *conf.Service) { v.Balance.Hash = true }, want: (10 + 20<<8 + 30<<16 + 41<<24) % 3},
		{name: "hash with roundrobin: the port too", conf: func(v *conf.Service) { v.Balance = conf.Balance{Hash: true, RoundRobin: true} },
			port: 0x1234, want: ((10 + 20<<8 + 30<<16 + 41<<24) ^ 0x3412) % 3},
		{name: "hash of IPv6: last byte", conf: func(v *conf.Service) { v.Balance.Hash = true }, client: netip.MustParseAddr("2001:db8::8"), want: 8 % 3},
		{name: "hash of a Unix client", conf: func(v *conf.Service) { v.Balance.Hash = true }, client: netip.IPv6LinkLocalAllNodes(), want: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.conf == nil {
				tt.conf = func(*conf.Service) {}
			}
			v := table(t, tt.conf)
			if tt.state != nil {
				tt.state(v)
			}
			if tt.last == 0 {
				tt.last = none
			}
			if !tt.client.IsValid() {
				tt.client = client
			}
			if got := v.first(tt.client, tt.port, tt.last, now); got != tt.want {
				t.Errorf("got server %d, want %d", got, tt.want)
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	const e, end = emergencyIndex, -9
	tests := []struct {
		name  string
		conf  func(*conf.Service)
		first int
		want  []int
	}{
		{"the others in order", func(*conf.Service) {}, 1, []int{1, 2, 0, end}},
		{"then the emergency server", func(v *conf.Service) { v.Emergency = "127.0.0.1:9" }, 2, []int{2, 0, 1, e, end}},
		{"stubborn: the first only", func(v *conf.Service) { v.Emergency, v.Balance.Stubborn = "127.0.0.1:9", true }, 2, []int{2, end, end, end}},
		{"nothing found", func(*conf.Service) {}, none, []int{end}},
		{"nothing found but emergency", func(v *conf.Service) { v.Emergency = "127.0.0.1:9" }, none, []int{e, end}},
		{"abuse", func(v *conf.Service) { v.Abuse, v.Emergency = "127.0.0.1:8", "127.0.0.1:9" }, abuseIndex, []int{abuseIndex, end}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := table(t, tt.conf)
			for n, want := range tt.want {
				got := end
				if p := v.candidate(tt.first, n); p != nil {
					got = p.index
				}
				if got != want {
					t.Errorf("candidate %d is %d, want %d", n, got, want)
				}
			}
		})
	}
}

func TestLimit(t *testing.T) {
	tests := []struct {
		max, hard int
		returning bool
		want      int
	}{
		{0, 0, false, 0}, {0, 5, true, 0}, {2, 0, false, 2}, {2, 0, true, 2}, {2, 3, false, 2}, {2, 3, true, 3}, {2, 1, true, 2},
	}
	for _, tt := range tests {
		p := place{max: tt.max, hard: tt.hard}
		if got := p.limit(tt.returning); got != tt.want {
			t.Errorf("max %d, hard %d, returning %v: got %d, want %d", tt.max, tt.hard, tt.returning, got, tt.want)
		}
	}
}

func TestServersKeepTheirStateByAddress(t *testing.T) {
	s := conf.Default()
	s.Services[0].Servers = []conf.Server{{Address: "10.0.0.1", Port: 80}, {Address: "10.0.0.2", Port: 80}, {Address: "10.0.0.1", Port: 80}}
	g := newRegistry()
	old, err := g.compile(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := s.Clone()
	n.Services[0].Servers = []conf.Server{{Address: "10.0.0.2", Port: 80}, {Address: "10.0.0.3", Port: 80}, {Address: "10.0.0.1", Port: 80, Max: 5}}
	now, err := g.compile(n, old)
	if err != nil {
		t.Fatal(err)
	}
	was, is := old.services[0], now.services[0]
	if is.places[0].server != was.places[1].server || is.places[2].server != was.places[0].server {
		t.Error("a server that moved to another place is not the same any more")
	}
	if is.places[1].server == was.places[2].server || was.places[0].server == was.places[2].server {
		t.Error("different servers share their state")
	}
	if got := is.indexOf(was.places[1].id); got != 0 {
		t.Errorf("server 10.0.0.2 has index %d, want 0", got)
	}
	if is.state != was.state {
		t.Error("the service lost its state")
	}
}
