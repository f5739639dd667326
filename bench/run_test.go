//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the parts that the program gives to children of its own kind.
func TestMain(m *testing.M) {
	if part, err := playPart(os.Args[1:]); part {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // for the children: by default each stays a second longer
	os.Exit(m.Run())
}

// shortly is a plan of the peers that are part of this program, with little time.
func shortly(t *testing.T, list []Test) *plan {
	// Children die with the thread that starts them, which must not be one that Go ends meanwhile.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	p := &plan{Options: Options{Rounds: 1, Duration: minDuration, Warmup: minDuration}, layout: Layout{[]int{0}, []int{0}}, tests: list}
	for _, peer := range peers {
		if peer.Program == "" {
			p.peers = append(p.peers, peer)
		}
	}
	return p
}

// Every kind of origin and client runs, directly and through a proxy, and counts what its unit needs.
func TestEveryKind(t *testing.T) {
	p := shortly(t, []Test{
		{Name: "keepalive-2", Origin: Origin{Does: reply, Size: smallReply}, Client: Client{Does: keepAlive, Conns: 2}, Unit: request},
		{Name: "connect-2", Origin: Origin{Does: replyClose, Size: smallReply}, Client: Client{Does: connect, Conns: 2}, Unit: request},
		{Name: "reply-2", Origin: Origin{Does: reply, Size: bulkReply}, Client: Client{Does: keepAlive, Conns: 2}, Unit: byteCount},
		{Name: "stream-2", Origin: Origin{Does: stream}, Client: Client{Does: download, Conns: 2}, Unit: streamed},
		{Name: "upload-2", Origin: Origin{Does: sink}, Client: Client{Does: upload, Conns: 2}, Unit: streamed},
		{Name: "datagram-2", Origin: Origin{Does: mirror, Size: smallDatagram}, Client: Client{Does: askAgain, Conns: 2}, Unit: pair, Needs: canDatagram},
		{Name: "flow-2", Origin: Origin{Does: mirror, Size: smallDatagram}, Client: Client{Does: askOnce, Conns: 2}, Unit: pair, Needs: canDatagram},
		{Name: "paced-2", Origin: small, Client: Client{Does: keepAlive, Conns: 2, Rate: 1000}, Unit: paced},
		{Name: "half-2", Origin: small, Client: Client{Does: keepAlive, Conns: 2, Rate: halfLoad}, Unit: paced},
		{Name: "tlsfull-2", Origin: smallOnce, Client: Client{Does: handshake, Conns: 2, Key: ecdsaKey}, Unit: request, Needs: canTLS},
		{Name: "tlsrsa-2", Origin: smallOnce, Client: Client{Does: handshake, Conns: 2, Key: rsaKey}, Unit: request, Needs: canTLS},
		{Name: "tlsresume-2", Origin: smallOnce, Client: Client{Does: resume, Conns: 2, Key: ecdsaKey}, Unit: request, Needs: canTLS},
		{Name: "tlskeepalive-2", Origin: small, Client: Client{Does: keepAlive, Conns: 2, Key: ecdsaKey}, Unit: request, Needs: canTLS},
		{Name: "tlsbeside-2", Origin: small, Client: Client{Does: keepAlive, Conns: 2, Key: rsaKey, Rate: 1000}, Unit: paced, Needs: canTLS,
			Beside: &Client{Does: handshake, Conns: 2, Key: rsaKey, Rate: 100}},
		{Name: "tlsstream-2", Origin: Origin{Does: stream}, Client: Client{Does: download, Conns: 2, Key: ecdsaKey}, Unit: streamed, Needs: canTLS},
		{Name: "tlsupload-2", Origin: Origin{Does: sink}, Client: Client{Does: upload, Conns: 2, Key: ecdsaKey}, Unit: streamed, Needs: canTLS},
		{Name: "idle-40", Origin: Origin{Does: reply, Size: smallReply}, Client: Client{Does: hold, Conns: 40}, Unit: quiet, Needs: canMemory},
	})
	var progress bytes.Buffer
	r, err := p.measure(t.Context(), &progress)
	if err != nil {
		t.Fatalf("measure: %v\n%s", err, progress.String())
	}
	want := 0
	for _, test := range p.tests {
		want += len(p.taking(test))
	}
	if len(r.Samples) != want {
		t.Errorf("%d samples, want %d", len(r.Samples), want)
	}
	for _, s := range r.Samples {
		if s.Error != "" || s.Failures != 0 {
			t.Errorf("%s %s: %s, %d connections failed: %s", s.Test, s.Peer, s.Error, s.Failures, s.Failure)
			continue
		}
		test := p.tests[slices.IndexFunc(p.tests, func(t Test) bool { return t.Name == s.Test })]
		if v, ok := test.Unit.Metrics[0].Of(s); test.Client.Does != hold && (!ok || v <= 0) {
			t.Errorf("%s %s: %v %s, want more", s.Test, s.Peer, v, test.Unit.Metrics[0].Name)
		}
		if test.Client.Does == hold && s.Requests != 40 {
			t.Errorf("%s %s: %d connections, want 40", s.Test, s.Peer, s.Requests)
		}
		if s.Peer != direct && (s.ProxyCPU <= 0 || s.ProxyRSS <= 0) {
			t.Errorf("%s %s: proxy used %v and %d bytes, want some", s.Test, s.Peer, s.ProxyCPU, s.ProxyRSS)
		}
		if s.Peer != direct && test.Client.Does != hold && test.Client.Rate == 0 && s.Calls.Why == "" && s.Calls.Calls <= 0 {
			t.Errorf("%s %s: %+v, want some system calls", s.Test, s.Peer, s.Calls)
		}
		if s.Peer == direct && (s.ProxyCPU != 0 || s.ProxyRSS != 0) {
			t.Errorf("%s %s: a proxy that is not there used %v and %d bytes", s.Test, s.Peer, s.ProxyCPU, s.ProxyRSS)
		}
	}
}

// A peer that adds no header must not pass for one that does.
func TestMissingHeaderFails(t *testing.T) {
	p := shortly(t, nil)
	test := Test{Name: "forwarded-1", Origin: Origin{Does: reply, Size: smallReply, Forwarded: true}, Client: Client{Does: keepAlive, Conns: 1}, Unit: request}
	if s := p.sample(t.Context(), test, Peer{Name: direct}); s.Error == "" {
		t.Errorf("got %+v, want an error", s)
	}
}

func TestPeerThatDoesNotStart(t *testing.T) {
	p := shortly(t, nil)
	test := Test{Name: "keepalive-1", Origin: Origin{Does: reply, Size: smallReply}, Client: Client{Does: keepAlive, Conns: 1}, Unit: request}
	for _, tt := range []struct{ name, program, want string }{
		{"not there", "/no/such/program", "/no/such/program"},
		{"ends at once", "/bin/false", "ended at start: exit status 1"},
	} {
		peer := Peer{Name: "bad", Program: tt.program, Launch: func(Setup) Launch { return Launch{} }}
		if s := p.sample(t.Context(), test, peer); !strings.Contains(s.Error, tt.want) {
			t.Errorf("%s: %q, want %q in it", tt.name, s.Error, tt.want)
		}
	}
}

// Stopped in the middle, everything that was started has ended.
func TestStopEndsChildren(t *testing.T) {
	p := shortly(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	o, address, err := startOrigin(p.layout.Load, spareFiles, originRole{Origin: small})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := runLoad(ctx, p.layout.Load, spareFiles, loadRole{Address: address, Client: Client{Does: keepAlive, Conns: 1},
		Origin: Origin{Does: reply, Size: smallReply}, Duration: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v, want that it was stopped", err)
	}
	o.stop()
	if o.why() == "" {
		t.Error("the origin runs after stop")
	}
	if c, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			c.Close()
		}
		t.Errorf("connect to the origin after stop: %v, want refused", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var b tail
	for range 3 {
		b.Write(bytes.Repeat([]byte("a"), complaint))
	}
	b.Write([]byte("the end"))
	if got := b.String(); len(got) != complaint || !strings.HasSuffix(got, "the end") {
		t.Errorf("%d bytes ending in %q, want %d ending in %q", len(got), got[max(0, len(got)-10):], complaint, "the end")
	}
}

func TestPlayPart(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		part bool
	}{
		{"options", []string{"--list"}, false},
		{"nothing", nil, false},
		{"no role", []string{roleCommand, "{}"}, true},
		{"not JSON", []string{roleCommand, "x"}, true},
		{"bad core", []string{pinCommand, "x", "100", "/bin/true"}, true},
	} {
		part, err := playPart(tt.in)
		if part != tt.part || (err != nil) != tt.part {
			t.Errorf("%s: %v, %v; want %v and an error if so", tt.name, part, err, tt.part)
		}
	}
}
