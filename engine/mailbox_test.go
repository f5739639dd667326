package engine

import (
	"sync"
	"testing"
)

func TestMailboxKeepsOrder(t *testing.T) {
	var m mailbox
	var got []int
	for i := range 5 {
		m.put(func() { got = append(got, i) })
	}
	m.run()
	for i, n := range got {
		if i != n {
			t.Fatalf("got %v, want 0 to 4", got)
		}
	}
	if len(got) != 5 {
		t.Fatalf("got %d letters, want 5", len(got))
	}
}

func TestMailboxLosesNothing(t *testing.T) {
	var m mailbox
	var senders sync.WaitGroup
	sum := 0
	for range 8 {
		senders.Go(func() {
			for range 1000 {
				m.put(func() { sum++ })
			}
		})
	}
	sent := make(chan struct{})
	go func() { senders.Wait(); close(sent) }()
	for done := false; !done; m.run() {
		select {
		case <-sent:
			done = true
		default:
		}
	}
	m.run()
	if sum != 8000 {
		t.Errorf("got %d letters, want 8000", sum)
	}
}
