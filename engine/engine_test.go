package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// patient bounds every wait of these tests; nothing waits that long unless it fails.
const patient = 10 * time.Second

// start runs an engine for the test's time with one service on a port of its own.
func start(t *testing.T, change func(*conf.Settings, *conf.Service)) *Engine {
	t.Helper()
	s := conf.Default()
	s.Services[0].Listen = "127.0.0.1:0"
	change(s, s.Services[0])
	e, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(func() {
		e.Stop(0)
		if open, _ := e.connections.count(); open != 0 {
			t.Errorf("%d connections still counted after Stop", open)
		}
		for _, r := range e.reactors {
			if c := r.pool.Counters(); c.Buffers != 0 || c.Pipes != 0 {
				t.Errorf("reactor %d left %d buffers and %d pipes", r.id, c.Buffers, c.Pipes)
			}
			if r.counters.panics != 0 {
				t.Errorf("reactor %d: %d panics", r.id, r.counters.panics)
			}
		}
		for _, v := range e.plan.Load().services {
			for i := range v.places {
				if p := &v.places[i]; p.server != nil && (p.active.Load() != 0 || p.reserved.Load() != 0) {
					t.Errorf("server %d: %d active, %d reserved after Stop", i, p.active.Load(), p.reserved.Load())
				}
			}
		}
	})
	return e
}

// backend serves each connection with f for the test's time.
func backend(t testing.TB, f func(*net.TCPConn)) conf.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // some tests take the descriptors away
				time.Sleep(time.Millisecond)
				continue
			}
			go func() {
				defer c.Close()
				f(c.(*net.TCPConn))
			}()
		}
	}()
	return serverAt(l.Addr())
}

func serverAt(a net.Addr) conf.Server {
	return conf.Server{Address: "127.0.0.1", Port: a.(*net.TCPAddr).Port}
}

// named answers every line with its name.
func named(t *testing.T, name string) conf.Server {
	return backend(t, func(c *net.TCPConn) {
		b := make([]byte, 64)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
			io.WriteString(c, name)
		}
	})
}

// refusing is the address of a server that is down.
func refusing(t *testing.T) conf.Server {
	t.Helper()
	return serverAt(freeAddress(t))
}

// freeAddress is one at which nobody listens.
func freeAddress(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr()
}

func dial(t *testing.T, e *Engine) *net.TCPConn {
	t.Helper()
	return dialFrom(t, e, "127.0.0.1")
}

// dialFrom connects as a client of a certain address.
func dialFrom(t *testing.T, e *Engine, from string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: patient, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", e.Listening("default"))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patient))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// answer sends a line and returns what comes back; "closed" if nothing does.
func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	io.WriteString(c, "hello\n")
	b := make([]byte, 64)
	n, err := c.Read(b)
	if n == 0 && err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatalf("no answer within %v", patient)
		}
		return "closed"
	}
	return string(b[:n])
}

// visit is one whole connection; it returns who answered.
func visit(t *testing.T, e *Engine, from string) string {
	t.Helper()
	c := dialFrom(t, e, from)
	defer c.Close()
	return answer(t, c)
}

// eventually waits for a state that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patient, what)
		}
	}
}

func TestRelayBothWays(t *testing.T) {
	for _, reactors := range []int{1, 2} {
		for _, size := range []int{0, 1, 100, 64 << 10, 5 << 20} {
			t.Run(fmt.Sprintf("%d reactors, %d bytes", reactors, size), func(t *testing.T) {
				echo := backend(t, func(c *net.TCPConn) {
					io.Copy(c, c)
					c.CloseWrite()
				})
				e := start(t, func(s *conf.Settings, v *conf.Service) {
					s.Limits.Reactors = reactors
					v.Servers = []conf.Server{echo}
				})
				data := make([]byte, size)
				rand.NewChaCha8([32]byte{}).Read(data)
				c := dial(t, e)
				go func() {
					c.Write(data)
					c.CloseWrite() // the answer must still come
				}()
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("got %d bytes (%x), %v; want %d (%x)", len(got), sha256.Sum256(got), err, size, sha256.Sum256(data))
				}
			})
		}
	}
}

func TestRoundRobinBeginsWithServerOne(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Servers = []conf.Server{named(t, "0"), named(t, "1"), named(t, "2")}
		v.Balance.RoundRobin = true
	})
	var got []string
	for range 7 {
		got = append(got, visit(t, e, "127.0.0.1"))
	}
	if want := "1 2 0 1 2 0 1"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestClientsReturn(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{named(t, "0"), named(t, "1"), named(t, "2")}
	})
	for _, tt := range []struct{ from, want string }{
		{"127.0.0.1", "1"}, {"127.0.0.2", "2"}, {"127.0.0.1", "1"}, {"127.0.0.3", "0"}, {"127.0.0.2", "2"},
	} {
		if got := visit(t, e, tt.from); got != tt.want {
			t.Errorf("client %s got server %s, want %s", tt.from, got, tt.want)
		}
	}
}

func TestFailOverKeepsWhatTheClientSent(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{named(t, "0"), refusing(t), refusing(t)}
	})
	for range 3 {
		if got := visit(t, e, "127.0.0.1"); got != "0" {
			t.Errorf("got %s, want server 0", got)
		}
	}
	s := e.Servers("default")
	if !s[1].Blacklisted || !s[2].Blacklisted || s[0].Blacklisted {
		t.Errorf("got %+v, want servers 1 and 2 blacklisted", s)
	}
	if s[0].Sent != 18 || s[0].Received != 3 {
		t.Errorf("server 0: sent %d, received %d, want 18 and 3", s[0].Sent, s[0].Received)
	}
}
