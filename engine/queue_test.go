package engine

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pen/conf"
	"pen/poller"
)

// queueing starts an engine whose servers are full with one client each.
func queueing(t *testing.T, reactors int, limit conf.Limit, change func(*conf.Service), servers ...conf.Server) *Engine {
	t.Helper()
	return start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = reactors
		for i := range servers {
			servers[i].Max = 1
		}
		v.Servers = servers
		v.Limit = limit
		if change != nil {
			change(v)
		}
	})
}

// hello sends a line, whose answer comes when there is a server.
func hello(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
}

func TestQueueIsServedInOrder(t *testing.T) {
	for _, reactors := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d reactors", reactors), func(t *testing.T) {
			e := queueing(t, reactors, conf.Limit{Queue: 10, QueueTime: time.Hour}, nil, named(t, "0"))
			served := dial(t, e)
			answer(t, served)
			var waiting []net.Conn
			for n := range 5 {
				c := dialFrom(t, e, fmt.Sprintf("127.0.0.%d", 10+n))
				hello(t, c)
				waiting = append(waiting, c)
				eventually(t, "the client is in line", func() bool { return e.Queued("default") == n+1 })
			}
			for n, next := range waiting {
				served.Close()
				b := make([]byte, 1)
				if _, err := next.Read(b); err != nil || b[0] != '0' {
					t.Fatalf("client %d in line got %q, %v, want an answer", n, b, err)
				}
				if got, want := e.Queued("default"), len(waiting)-n-1; got != want {
					t.Errorf("%d clients in line, want %d", got, want)
				}
				served = next.(*net.TCPConn)
			}
		})
	}
}

func TestQueueEnds(t *testing.T) {
	tests := []struct {
		name  string
		limit conf.Limit
		emerg bool
		want  string
	}{
		{"no queue", conf.Limit{}, false, "closed"},
		{"no room", conf.Limit{Queue: 1, QueueTime: time.Hour}, false, "closed"},
		{"no room: the emergency server", conf.Limit{Queue: 1, QueueTime: time.Hour}, true, "e"},
		{"time over", conf.Limit{Queue: 2, QueueTime: 20 * time.Millisecond}, false, "closed"},
		{"time over: the emergency server", conf.Limit{Queue: 2, QueueTime: 20 * time.Millisecond}, true, "e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := queueing(t, 1, tt.limit, func(v *conf.Service) {
				if tt.emerg {
					s := named(t, "e")
					v.Emergency = fmt.Sprintf("127.0.0.1:%d", s.Port)
				}
			}, named(t, "0"))
			answer(t, dial(t, e))
			if tt.limit.Queue == 1 {
				hello(t, dialFrom(t, e, "127.0.0.2"))
				eventually(t, "the client is in line", func() bool { return e.Queued("default") == 1 })
			}
			if got := visit(t, e, "127.0.0.3"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Who goes away leaves the line; the place is for the next one.
func TestQueueIsLeft(t *testing.T) {
	e := queueing(t, 2, conf.Limit{Queue: 10, QueueTime: time.Hour}, nil, named(t, "0"))
	served := dial(t, e)
	answer(t, served)
	gone := dialFrom(t, e, "127.0.0.2")
	eventually(t, "the client is in line", func() bool { return e.Queued("default") == 1 })
	next := dialFrom(t, e, "127.0.0.3")
	hello(t, next)
	eventually(t, "both are in line", func() bool { return e.Queued("default") == 2 })
	gone.Close()
	eventually(t, "one has left", func() bool { return e.Queued("default") == 1 })
	served.Close()
	if got := answer(t, next); !strings.HasPrefix(got, "0") {
		t.Errorf("got %q, want server 0", got)
	}
}

// Places that become free without being given back are found, too.
func TestQueueGetsNewPlaces(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Engine, *conf.Service)
	}{
		{"a limit is raised", func(_ *Engine, v *conf.Service) { v.Servers[0].Max = 2 }},
		{"a server comes", func(_ *Engine, v *conf.Service) {
			v.Servers = append(v.Servers, v.Servers[1])
			v.Servers[2].Admin = conf.Ready
		}},
		{"a server is ready again", func(_ *Engine, v *conf.Service) { v.Servers[1].Admin = conf.Ready }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := queueing(t, 1, conf.Limit{Queue: 10, QueueTime: time.Hour}, func(v *conf.Service) { v.Servers[1].Admin = conf.Maint },
				named(t, "0"), named(t, "1"))
			answer(t, dial(t, e))
			c := dialFrom(t, e, "127.0.0.2")
			eventually(t, "the client is in line", func() bool { return e.Queued("default") == 1 })
			s := e.plan.Load().settings.Clone()
			tt.change(e, s.Services[0])
			if err := e.Publish(s); err != nil {
				t.Fatal(err)
			}
			if got := answer(t, c); got == "closed" {
				t.Error("closed, want to be served")
			}
		})
	}
	t.Run("a server comes up", func(t *testing.T) {
		e := queueing(t, 1, conf.Limit{Queue: 10, QueueTime: time.Hour}, nil, named(t, "0"), named(t, "1"))
		id := e.Targets("default")[1].ID
		e.SetStandings("default", map[int32]Standing{id: {Down, false, 100}})
		answer(t, dial(t, e))
		c := dialFrom(t, e, "127.0.0.2")
		eventually(t, "the client is in line", func() bool { return e.Queued("default") == 1 })
		e.SetStandings("default", map[int32]Standing{id: {Up, false, 100}})
		if got := answer(t, c); got != "1" {
			t.Errorf("got %q, want server 1", got)
		}
	})
}

// A client that only one server may serve does not hold up those behind it.
func TestQueueSkipsWhoMayNotHaveThePlace(t *testing.T) {
	l := &line{start: time.Now()}
	v := farm(t, 2, func(v *conf.Service) { v.Servers[0].Max, v.Servers[1].Max = 1, 1 })
	r := &reactor{poller: wakes{}}
	l.follow(v)
	first := &waiter{reactor: r, only: v.places[0].id, last: none}
	second := &waiter{reactor: r, only: none, last: none}
	for _, w := range []*waiter{first, second} {
		if !l.join(w, 10, false) {
			t.Fatal("no room")
		}
	}
	l.offer(v.places[1].server)
	if !first.in || second.in || v.places[1].reserved.Load() != 1 {
		t.Errorf("first in line: %v, second: %v, %d places taken; want true, false, 1", first.in, second.in, v.places[1].reserved.Load())
	}
}

// wakes is a poller that is woken only.
type wakes struct{ poller.Poller }

func (wakes) Wake() error { return nil }

// Many clients, few places, two reactors, clients that give up: nobody is served beyond the limits, nobody is forgotten,
// and in the end all places are back.
func TestQueueUnderLoad(t *testing.T) {
	var serving, most atomic.Int32
	server := func() conf.Server {
		return backend(t, func(c *net.TCPConn) {
			for n := serving.Add(1); n > most.Load(); {
				most.Store(n)
			}
			b := make([]byte, 16)
			c.Read(b)
			serving.Add(-1)
			c.Write([]byte("x"))
		})
	}
	e := queueing(t, 2, conf.Limit{Queue: 1000, QueueTime: time.Minute}, nil, server(), server(), server())
	var all sync.WaitGroup
	var served atomic.Int32
	for n := range 150 {
		all.Go(func() {
			d := net.Dialer{Timeout: patient, LocalAddr: &net.TCPAddr{IP: netip.AddrFrom4([4]byte{127, 0, 1, byte(n)}).AsSlice()}}
			c, err := d.Dial("tcp", e.Listening("default"))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patient))
			if n%5 == 0 {
				return // gives up at once
			}
			c.Write([]byte("hello\n"))
			b := make([]byte, 1)
			if _, err := c.Read(b); err != nil {
				t.Errorf("client %d: %v", n, err)
				return
			}
			served.Add(1)
		})
	}
	all.Wait()
	if served.Load() != 120 {
		t.Errorf("%d clients were served, want 120", served.Load())
	}
	if e.Queued("default") != 0 {
		t.Errorf("%d clients in line, want none", e.Queued("default"))
	}
	eventually(t, "all places are back", func() bool {
		n := int32(0)
		for i := range e.plan.Load().services[0].places {
			n += e.plan.Load().services[0].places[i].reserved.Load()
		}
		return n == 0
	})
}

// Clients wait for a server that dies: they go on to the other one when that is free, or are closed when their time is
// over; the places of the dead one are not lost.
func TestQueueForAServerThatDies(t *testing.T) {
	end := make(chan struct{})
	dying := backend(t, func(c *net.TCPConn) {
		c.Write([]byte("d"))
		<-end
	})
	e := queueing(t, 2, conf.Limit{Queue: 10, QueueTime: 50 * time.Millisecond}, nil, dying)
	first := dial(t, e)
	answer(t, first)
	var waiting []net.Conn
	for n := range 3 {
		waiting = append(waiting, dialFrom(t, e, fmt.Sprintf("127.0.0.%d", 10+n)))
	}
	eventually(t, "all are in line", func() bool { return e.Queued("default") == 3 })
	e.SetStandings("default", map[int32]Standing{e.Targets("default")[0].ID: {Down, false, 100}})
	close(end)
	first.Close()
	for _, c := range waiting {
		if got := answer(t, c); got != "closed" {
			t.Errorf("got %q, want to be closed", got)
		}
	}
}
