package engine

import (
	"io"
	"net"
	"testing"
	"time"

	"pen/conf"
)

func TestVisitors(t *testing.T) {
	const second = int64(time.Second)
	type step struct {
		client string // "-a" = a connection of a ends
		at     int64
		want   bool
	}
	tests := []struct {
		name  string
		limit conf.Limit
		steps []step
	}{
		{"two at a time", conf.Limit{Clients: 2}, []step{
			{"a", 0, true}, {"a", 0, true}, {"a", 0, false}, {"b", 0, true}, {"-a", 0, true}, {"a", 0, true}, {"a", 0, false},
		}},
		{"three in ten seconds", conf.Limit{Rate: 3, RateTime: 10 * time.Second}, []step{
			{"a", 0, true}, {"a", 0, true}, {"a", 0, true}, {"a", 0, false}, {"b", 0, true},
			{"a", 3 * second, false}, {"a", 4 * second, true}, {"a", 4 * second, false}, {"a", 7 * second, true},
			{"a", 60 * second, true}, {"a", 60 * second, true}, {"a", 60 * second, true}, {"a", 60 * second, false},
		}},
		{"the end of a connection does not give the rate back", conf.Limit{Rate: 1, RateTime: time.Second}, []step{
			{"a", 0, true}, {"-a", 0, true}, {"a", 0, false}, {"a", second, true},
		}},
		{"both", conf.Limit{Clients: 1, Rate: 2, RateTime: time.Second}, []step{
			{"a", 0, true}, {"a", 0, false}, {"-a", 0, true}, {"a", 0, true}, {"-a", 0, true}, {"a", 0, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVisitors(10)
			for i, s := range tt.steps {
				name := s.client
				if name[0] == '-' {
					v.leave(visitorKey(name[1]))
					continue
				}
				if got := v.enter(visitorKey(name[0]), &tt.limit, s.at); got != s.want {
					t.Errorf("step %d, %s: got %v, want %v", i, name, got, s.want)
				}
			}
		})
	}
}

func visitorKey(name byte) clientKey {
	return clientKey{0, mustAddr("10.0.0." + string('0'+name%10))}
}

// The table is bounded, and forgets nobody who has a connection.
func TestVisitorsAreBounded(t *testing.T) {
	const room = 4
	v := newVisitors(room)
	limit := conf.Limit{Clients: 1}
	clients := crowd(1000)
	staying := clientKey{0, clients[0]}
	v.enter(staying, &limit, 0)
	for _, c := range clients[1:] {
		k := clientKey{0, c}
		if !v.enter(k, &limit, 0) {
			t.Fatalf("client %v was refused", c)
		}
		v.leave(k)
	}
	if len(v.entries) > room+1 || len(v.index) != len(v.entries) {
		t.Errorf("%d entries and %d in the index, want %d at most", len(v.entries), len(v.index), room+1)
	}
	if v.enter(staying, &limit, 0) {
		t.Error("a client with a connection was forgotten")
	}
}

// Clients over a limit are closed, or kept waiting and then closed.
func TestLimitAction(t *testing.T) {
	for _, action := range []string{"reject", "tarpit"} {
		t.Run(action, func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				s.Limits.Reactors = 2
				s.Limits.Connections = 32
				v.Servers = []conf.Server{named(t, "0")}
				v.Limit = conf.Limit{Clients: 1, Tarpit: action == "tarpit", TarpitTime: 300 * time.Millisecond}
			})
			first := dial(t, e)
			answer(t, first)
			begun := time.Now()
			second := dial(t, e)
			if got := answer(t, second); got != "closed" {
				t.Fatalf("got %q, want to be closed", got)
			}
			if waited := time.Since(begun); (waited >= 300*time.Millisecond) != (action == "tarpit") {
				t.Errorf("closed after %v", waited)
			}
			if got := visit(t, e, "127.0.0.2"); got != "0" {
				t.Errorf("another client got %q", got)
			}
			first.Close()
			eventually(t, "the client may come again", func() bool { return visit(t, e, "127.0.0.1") == "0" })
		})
	}
}

// The tarpit holds a part of the connection table only: the others of a flood are closed at once.
func TestTarpitIsBounded(t *testing.T) {
	const room = 32
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors, s.Limits.Connections = 1, room
		v.Servers = []conf.Server{named(t, "0")}
		v.Limit = conf.Limit{Rate: 1, RateTime: time.Hour, Tarpit: true, TarpitTime: time.Hour}
	})
	answer(t, dial(t, e))
	closed := make(chan bool, 2*room)
	for range 2 * room {
		c := dial(t, e)
		go func() {
			_, err := io.ReadFull(c, make([]byte, 1))
			ne, timeout := err.(net.Error)
			closed <- !timeout || !ne.Timeout()
		}()
	}
	for range 2*room - room/tarpitShare {
		if !<-closed {
			t.Fatal("a client that found no room in the tarpit was not closed")
		}
	}
	eventually(t, "the tarpit is full", func() bool { n, _ := e.connections.count(); return n == 1+room/tarpitShare })
	if got := visit(t, e, "127.0.0.2"); got != "0" {
		t.Errorf("another client got %q", got)
	}
}
