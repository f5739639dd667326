//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRecording(t *testing.T) {
	l := newLoad(&loadRole{Client: Client{Does: keepAlive, Conns: 2}})
	l.replied(time.Now())
	if !l.silent(0) {
		t.Error("a reply before the measured time counts")
	}
	l.setMeasuring(true)
	l.replied(time.Now())
	l.replied(time.Now().Add(-2 * longestLatency))
	if l.requests != 2 || l.silent(0) {
		t.Errorf("%d replies, silent %v; want 2, false", l.requests, l.silent(0))
	}
	if got := time.Duration(l.latency.Max()); got < longestLatency || got > longestLatency*101/100 {
		t.Errorf("latency beyond the histogram is %v, want about %v", got, longestLatency)
	}
	l.failed(errEarlyEnd)
	l.failed(io.EOF)
	if l.failures != 2 || l.failure != errEarlyEnd.Error() {
		t.Errorf("%d failures, %q; want 2 and the first one", l.failures, l.failure)
	}
}

func TestSilentGivesUp(t *testing.T) {
	l := newLoad(&loadRole{Client: Client{Does: keepAlive, Conns: 2}})
	for _, want := range []bool{true, false} {
		l.failed(io.EOF)
		if got := l.silent(0); got != want {
			t.Errorf("after %d of 2 connections failed: silent %v, want %v", l.failures, got, want)
		}
	}
}

func TestQuantiles(t *testing.T) {
	l := newLoad(&loadRole{})
	for i := range 1000 {
		l.latency.RecordValue(int64(i+1) * int64(time.Microsecond))
	}
	got := quantiles(l.latency)
	for _, tt := range []struct {
		name      string
		got, want time.Duration
	}{
		{"p50", got.P50, 500 * time.Microsecond}, {"p99", got.P99, 990 * time.Microsecond},
		{"p99.9", got.P999, 999 * time.Microsecond}, {"max", got.Max, time.Millisecond},
	} {
		if tt.got < tt.want*999/1000 || tt.got > tt.want*1001/1000 {
			t.Errorf("%s: %v, want %v to three digits", tt.name, tt.got, tt.want)
		}
	}
}

// talk runs a server for one connection and returns the address.
func talk(t *testing.T, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		serve(c)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestDrain(t *testing.T) {
	const sent = 3*megabyte + 7
	for _, tt := range []struct {
		name string
		take []int
		want []error
	}{
		{"exactly", []int{sent}, []error{nil}},
		{"piece by piece", []int{1, megabyte, 2*megabyte + 6, 1}, []error{nil, nil, nil, io.EOF}},
		{"more than there is", []int{sent + 1}, []error{io.ErrUnexpectedEOF}},
		{"to the end", []int{-1}, []error{io.EOF}},
	} {
		address := talk(t, func(c net.Conn) { c.Write(make([]byte, sent)) })
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		var counted atomic.Int64
		d, err := newDrain(c.(*net.TCPConn), &counted)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range tt.take {
			if err := d.take(want); !errors.Is(err, tt.want[i]) {
				t.Errorf("%s: take(%d) = %v, want %v", tt.name, want, err, tt.want[i])
			}
		}
		if counted.Load() != sent {
			t.Errorf("%s: counted %d bytes, want %d", tt.name, counted.Load(), sent)
		}
		c.Close()
	}
}

func TestConnector(t *testing.T) {
	for _, tt := range []struct {
		name string
		send int
		want error
	}{
		{"whole reply", smallReply, nil},
		{"short reply", smallReply - 1, errEarlyEnd},
		{"nothing", 0, errEarlyEnd},
		{"too much", smallReply + 1, errTooMuch},
	} {
		address := talk(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, len(requestText)))
			c.Write(bytes.Repeat([]byte{'x'}, tt.send))
		})
		l := newLoad(&loadRole{Origin: Origin{Does: replyClose, Size: smallReply}, Address: address})
		l.setMeasuring(true)
		if err := advanceOne(l); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if want := tt.want == nil; (l.requests == 1) != want {
			t.Errorf("%s: %d replies recorded, want that %v", tt.name, l.requests, want)
		}
	}
}

// advanceOne leads one connection through its life.
func advanceOne(l *load) error {
	c, err := newConnector(l)
	if err != nil {
		return err
	}
	defer unix.Close(c.epoll)
	if err := c.connect(); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 1)
	for {
		n, err := unix.EpollWait(c.epoll, events, int(replyTimeout.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return errors.New("no event")
		}
		if done, err := c.advance(events[0].Fd); done {
			c.close(events[0].Fd)
			if len(c.open) != 0 || len(c.spare) != 1 {
				return errors.New("the connection was not given back")
			}
			return err
		}
	}
}
