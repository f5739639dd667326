package control

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"pen/engine"
)

// full is an address where a connect gets no answer: nobody accepts, and the queue has no room left.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "full")
	t.Cleanup(func() { file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*syscall.SockaddrInet4).Port}).String()
	for range 8 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system's queue has no end")
	return ""
}

// Servers that answer, refuse and are silent, probed by connects of the prober's own goroutine.
func TestKnocks(t *testing.T) {
	p := newProber(nil)
	p.begin()
	defer p.stop()
	list := subjects(3, nil)
	for i, addr := range []string{listen(t, "tcp", silent), closed(t), full(t)} {
		list[i].Network, list[i].Address = "tcp", addr
		list[i].probe.Timeout = 200 * time.Millisecond
		if _, ok := p.knocksOn(&list[i]); !ok {
			t.Errorf("%s is not knocked on", addr)
		}
	}
	p.want(list)
	want := map[int32]string{0: "up ", 1: "down tcp: connect: connection refused", 2: "down tcp: no answer within 200ms"}
	for len(want) > 0 {
		for _, c := range <-p.changes {
			if c.to.Health == engine.Probing {
				continue
			}
			if got := c.to.Health.String() + " " + c.why; got != want[c.ID] {
				t.Errorf("server %d: got %q, want %q", c.ID, got, want[c.ID])
			}
			delete(want, c.ID)
		}
	}
	for _, r := range (&Control{prober: p}).Probes() {
		if silent := r.Server == 2; r.Took <= 0 || silent != (r.Took >= 200*time.Millisecond) {
			t.Errorf("server %d answered after %v", r.Server, r.Took)
		}
	}
}

// What a knock can't do is left to a goroutine.
func TestKnocksOn(t *testing.T) {
	p := newProber(nil)
	for _, tt := range []struct {
		name   string
		change func(*subject)
		want   string // "" = a goroutine probes
	}{
		{"plain", func(*subject) {}, "192.0.2.1:80"},
		{"another port", func(s *subject) { s.probe.Port = 81 }, "192.0.2.1:81"},
		{"IPv6", func(s *subject) { s.Address = "[2001:db8::1]:80" }, "[2001:db8::1]:80"},
		{"another kind", func(s *subject) { s.probe.Kind = "http" }, ""},
		{"an agent, too", func(s *subject) { s.agent = 7000 }, ""},
		{"unix", func(s *subject) { s.Network, s.Address = "unix", "/run/server" }, ""},
	} {
		s := &subjects(1, nil)[0]
		tt.change(s)
		got := ""
		if to, ok := p.knocksOn(s); ok {
			got = to.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
