package engine

import (
	"slices"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	var d deadlines
	a, b, c := &session{number: 1}, &session{number: 2}, &session{number: 3}
	d.set(a, 0, 3*time.Second)
	d.set(b, 1, 3*time.Second)
	d.set(c, 2, time.Second)
	if got, want := d.next(2), time.Second; got != want {
		t.Errorf("next %v, want %v", got, want)
	}
	expired := func(at int64) (n []int32) {
		for s := d.expired(at); s != nil; s = d.expired(at) {
			n = append(n, s.number)
		}
		return n
	}
	if got := expired(int64(time.Second)); got != nil {
		t.Errorf("expired early: %v", got)
	}
	if got := expired(int64(time.Second) + 2); !slices.Equal(got, []int32{3}) {
		t.Errorf("got %v, want 3", got)
	}
	d.set(a, int64(time.Second), 3*time.Second) // put off: now behind b
	if got := expired(int64(3*time.Second) + 1); !slices.Equal(got, []int32{2}) {
		t.Errorf("got %v, want 2", got)
	}
	d.lift(a)
	d.lift(a)
	if got := d.next(0); got != -1 {
		t.Errorf("next %v with no deadline, want -1", got)
	}
}

// Settings may change a thousand times; the lists must not pile up.
func TestDeadlinesReuseLists(t *testing.T) {
	var d deadlines
	s := &session{}
	for i := range 1000 {
		d.set(s, 0, time.Duration(i)*time.Second)
	}
	if len(d.lists) > 2 {
		t.Errorf("%d lists for one session", len(d.lists))
	}
}

func TestDeadlinesOverdue(t *testing.T) {
	var d deadlines
	d.set(&session{}, 0, time.Second)
	if got := d.next(int64(5 * time.Second)); got != 0 {
		t.Errorf("next %v, want 0: it is overdue", got)
	}
}
