package engine

import (
	"bytes"
	"io"
	"net"
	"testing"

	"pen/conf"
)

// held stops the reactor while f runs, so that all that f sends is there when the client is accepted.
func held(e *Engine, f func()) {
	release := make(chan struct{})
	e.reactors[0].Post(func() { <-release })
	f()
	close(release)
}

// What is there when a client is accepted, in any amount, comes through whole and once: by the first server, or by the next
// one if that refuses; with and without an end behind it.
func TestEarlyBytes(t *testing.T) {
	echo := backend(t, func(c *net.TCPConn) {
		io.Copy(c, c)
		c.CloseWrite()
	})
	for _, servers := range [][]conf.Server{{echo}, {refusing(t), echo}} {
		e := start(t, func(s *conf.Settings, v *conf.Service) {
			v.Servers = servers
			v.Timeout.Blacklist = 0
		})
		for _, size := range []int{0, 1, earlyBytes - 1, earlyBytes, earlyBytes + 1, 100 << 10} {
			for _, ends := range []bool{false, true} {
				sent := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
				var c *net.TCPConn
				held(e, func() {
					c = dial(t, e)
					c.Write(sent)
					if ends {
						c.CloseWrite()
					}
				})
				got := make([]byte, size)
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d servers, %d bytes, end %v: they did not come back: %v", len(servers), size, ends, err)
				}
				c.CloseWrite()
				if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
					t.Errorf("%d servers, %d bytes, end %v: %d more bytes, %v", len(servers), size, ends, len(rest), err)
				}
				c.Close()
			}
		}
	}
}

// A client that has reset its connection by the time that it is accepted is no server's business.
func TestEarlyReset(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "0")} })
	held(e, func() {
		c := dial(t, e)
		c.SetLinger(0)
		c.Close()
	})
	if got := visit(t, e, "127.0.0.1"); got != "0" { // and the next one is served
		t.Errorf("got %q, want 0", got)
	}
	if s := e.Snapshot().Services[0].Servers[0]; s.Connects != 1 {
		t.Errorf("the server was connected to %d times, want once", s.Connects)
	}
}
