package engine

import (
	"io"
	"net"
	"testing"

	"pen/conf"
)

// echo answers every chunk with itself, without allocating.
func echo(c *net.TCPConn) {
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// round returns a function that sends a request of a size through an engine and takes the answer.
func round(t testing.TB, size int, change func(*conf.Settings, *conf.Service)) func() {
	s := conf.Default()
	s.Limits.Reactors = 1
	v := s.Services[0]
	v.Listen, v.Servers = "127.0.0.1:0", []conf.Server{backend(t, echo)}
	change(s, v)
	e, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(func() { e.Stop(0) })
	c, err := net.Dial("tcp", e.Listening("default"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b := make([]byte, size)
	return func() {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}

// In the steady state nothing is allocated for an event, whatever is switched on.
func TestNoAllocations(t *testing.T) {
	tests := []struct {
		name   string
		size   int
		change func(*conf.Settings, *conf.Service)
	}{
		{"small", 200, func(*conf.Settings, *conf.Service) {}},
		{"large", 1 << 20, func(*conf.Settings, *conf.Service) {}},
		{"with idle_timeout", 200, func(_ *conf.Settings, v *conf.Service) { v.Timeout.Idle = patient }},
		{"with poll", 200, func(s *conf.Settings, _ *conf.Service) { s.Limits.Poller = "poll" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := round(t, tt.size, tt.change)
			for range 20 {
				f() // buffers, caps and pipes find their size
			}
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%v allocations a request, want 0", n)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, bb := range []struct {
		name string
		size int
	}{{"200", 200}, {"64K", 64 << 10}, {"1M", 1 << 20}} {
		b.Run(bb.name, func(b *testing.B) {
			f := round(b, bb.size, func(*conf.Settings, *conf.Service) {})
			f()
			b.SetBytes(int64(2 * bb.size))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
