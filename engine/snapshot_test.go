package engine

import (
	"fmt"
	"io"
	"testing"

	"pen/conf"
)

// talkOnce has a word echoed through pen.
func talkOnce(t *testing.T, e *Engine) {
	t.Helper()
	c := dial(t, e)
	defer c.Close()
	word := make([]byte, 5)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, word); err != nil {
		t.Fatal(err)
	}
}

// A reactor that does not answer is shown as it was when it last did, so that no counter goes back.
func TestSnapshotOfASilentReactor(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Servers = []conf.Server{backend(t, echo)}
	})
	for range 8 {
		talkOnce(t, e)
	}
	before := e.Snapshot()
	release := make(chan struct{})
	for _, r := range e.reactors {
		r.Post(func() { <-release })
	}
	silent := e.Snapshot()
	close(release)
	after := e.Snapshot()
	for _, tt := range []struct {
		name    string
		s       *Snapshot
		answers bool
	}{{"before", before, true}, {"silent", silent, false}, {"after", after, true}} {
		v := &tt.s.Services[0]
		server := &v.Servers[0]
		if v.Accepted != 8 || v.Connect.Count() != 8 || v.FirstByte.Count() != 8 || server.Connects != 8 || server.Sent != 40 || server.Received != 40 {
			t.Errorf("%s: got %d accepted, %d and %d in histograms, %d connects, %d and %d bytes, want 8 and 40", tt.name, v.Accepted, v.Connect.Count(),
				v.FirstByte.Count(), server.Connects, server.Sent, server.Received)
		}
		if len(tt.s.Reactors) != 2 {
			t.Fatalf("%s: got %d reactors, want 2", tt.name, len(tt.s.Reactors))
		}
		for i, r := range tt.s.Reactors {
			if r.Answers != tt.answers || r.Turns.Count() == 0 {
				t.Errorf("%s: reactor %d: answers %t, %d turns, want %t and some", tt.name, i, r.Answers, r.Turns.Count(), tt.answers)
			}
		}
	}
	if e.Answering() != true {
		t.Error("got reactors that do not answer, want all to")
	}
}

// While pen ends, reactors that have no connection end at once: nobody waits for their answers, and their counters stay.
func TestSnapshotWhilePenEnds(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Servers = []conf.Server{backend(t, echo)}
	})
	talkOnce(t, e)
	e.Snapshot()
	e.Stop(0)
	s := e.Snapshot()
	if s.Services[0].Accepted != 1 || s.Reactors[0].Answers || s.Reactors[1].Answers {
		t.Errorf("got %d accepted, answers %t and %t, want 1 and none", s.Services[0].Accepted, s.Reactors[0].Answers, s.Reactors[1].Answers)
	}
	if len(e.events) > 0 {
		t.Errorf("got a complaint %q, want none about reactors that have ended", (<-e.events).Message)
	}
}

// BenchmarkCopy is what a scrape costs a reactor: the copy of its counters, with so many servers.
func BenchmarkCopy(b *testing.B) {
	for _, servers := range []int32{10, 2000} {
		b.Run(fmt.Sprintf("%d servers", servers), func(b *testing.B) {
			r := &reactor{}
			r.counters.service(3)
			r.counters.server(servers - 1)
			for b.Loop() {
				r.copy()
			}
		})
	}
}

// What people are shown of clients and connections is bounded.
func TestLatest(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{backend(t, echo)} })
	for range 3 {
		c := dial(t, e)
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.LatestClients(10); len(got) != 1 || got[0].Connects != 3 || got[0].Address != "127.0.0.1" || got[0].Server == "" {
		t.Errorf("got %+v, want one client with three connects", got)
	}
	if got := e.LatestClients(0); len(got) != 0 {
		t.Errorf("got %d clients, want none of none", len(got))
	}
	if got := e.SomeConnections(10); len(got) != 3 || got[0].State != "relaying" || got[0].Sent != 1 || got[0].Received != 1 {
		t.Errorf("got %+v, want three that relay", got)
	}
	if got := e.SomeConnections(1); len(got) > len(e.reactors) {
		t.Errorf("got %d connections, want one of each reactor at most", len(got))
	}
}

// A reactor that hangs is noticed: a service manager then hears nothing from pen and starts it anew.
func TestHangingReactorDoesNotAnswer(t *testing.T) {
	e := start(t, func(*conf.Settings, *conf.Service) {})
	held, release := make(chan struct{}), make(chan struct{})
	e.reactors[0].Post(func() { close(held); <-release })
	<-held
	if e.Answering() {
		t.Error("got all reactors answering, want one not to")
	}
	close(release)
	if !e.Answering() {
		t.Error("got a reactor that does not answer, want all to")
	}
}
