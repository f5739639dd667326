package engine

import (
	"slices"
	"testing"
)

func TestConnectionNumbers(t *testing.T) {
	c := newConnections(3)
	take := func() int32 {
		t.Helper()
		n, ok := c.take(nil)
		if !ok {
			t.Fatal("the table is full")
		}
		return n
	}
	if got := []int32{take(), take(), take()}; !slices.Equal(got, []int32{0, 1, 2}) {
		t.Fatalf("got %v, want 0 1 2", got)
	}
	if _, ok := c.take(nil); ok {
		t.Fatal("took a fourth of three")
	}
	c.give(1)
	if n := take(); n != 1 {
		t.Errorf("got %d, want the free number 1", n)
	}
	// pen starts to look at the number that was handed out last
	c.give(0)
	c.give(2)
	if n := take(); n != 2 {
		t.Errorf("got %d, want 2", n)
	}
	if n := take(); n != 0 {
		t.Errorf("got %d, want 0, behind the end", n)
	}
}

// A number that was taken for nobody leaves no trace: pen's numbers do not drift.
func TestConnectionsCancel(t *testing.T) {
	c := newConnections(10)
	for range 3 {
		n, _ := c.take(nil)
		if n != 0 {
			t.Errorf("got %d, want 0 again", n)
		}
		idle, _ := c.take(nil)
		c.cancel(idle)
		c.give(n)
	}
	if open, _ := c.count(); open != 0 {
		t.Errorf("%d numbers are in use, want none", open)
	}
}

func TestConnectionsWakeWhoWaits(t *testing.T) {
	c := newConnections(1)
	r := &reactor{}
	n, _ := c.take(r)
	c.take(r)
	if got := c.give(n); !slices.Equal(got, []*reactor{r}) {
		t.Errorf("give returned %v, want the one reactor that waits", got)
	}
	n, _ = c.take(r)
	if got := c.give(n); got != nil {
		t.Errorf("give returned %v, want nobody a second time", got)
	}
}

func TestConnectionsGrow(t *testing.T) {
	c := newConnections(64)
	for range 64 {
		c.take(nil)
	}
	r := &reactor{}
	c.take(r)
	if got := c.resize(10); got != nil {
		t.Errorf("a smaller size woke %v", got)
	}
	if got := c.resize(65); len(got) != 1 {
		t.Errorf("a larger size woke %v, want one reactor", got)
	}
	if n, ok := c.take(r); !ok || n != 64 {
		t.Errorf("got %d, %v, want 64", n, ok)
	}
	if open, max := c.count(); open != 65 || max != 65 {
		t.Errorf("got %d of %d, want 65 of 65", open, max)
	}
}
