//go:build linux

package main

import (
	"io"
	"net"
	"testing"
	"time"
)

// A server that stands still makes every request wait that is due meanwhile, not just one on each connection.
func TestPacedCountsAllThatWait(t *testing.T) {
	const stall, rate, conns = 100 * time.Millisecond, 1000, 2
	stalled := make(chan struct{})
	address := talkAll(t, func(c net.Conn, first bool) {
		for n := 0; ; n++ {
			if _, err := io.ReadFull(c, make([]byte, len(requestText))); err != nil {
				return
			}
			if n == 3 {
				time.Sleep(stall)
				if first {
					close(stalled)
				}
			}
			c.Write(make([]byte, smallReply))
		}
	}, conns)
	l := newLoad(&loadRole{Client: Client{Does: keepAlive, Conns: conns, Rate: rate}, Origin: small, Address: address})
	l.setMeasuring(true)
	if err := l.asks(); err != nil {
		t.Fatal(err)
	}
	<-stalled
	const enough = rate * int64(stall) / int64(time.Second) / 4 // of those due in the stall waited longer than half of it; a half, to be exact
	for begin := time.Now(); time.Since(begin) < replyTimeout; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		late := int64(0)
		for _, bar := range l.latency.Distribution() {
			if time.Duration(bar.From) >= stall/2 {
				late += bar.Count
			}
		}
		l.mu.Unlock()
		if late >= enough {
			return
		}
	}
	t.Errorf("fewer than %d requests were late, want all that were due", enough)
}

// talkAll serves so many connections at once.
func talkAll(t *testing.T, serve func(c net.Conn, first bool), conns int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for i := range conns {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go serve(c, i == 0)
		}
	}()
	return l.Addr().String()
}
