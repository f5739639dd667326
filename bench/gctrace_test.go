//go:build linux

package main

import (
	"testing"
	"time"
)

const aCollection = "gc 7 @1.234s 0%: 0.018+1.1+0.003 ms clock, 0.036+0.2/0.5/0.1+0.006 ms cpu, 4->4->1 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"

func TestParseCollection(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     [2]time.Duration
		ok       bool
	}{
		{"usual", aCollection, [2]time.Duration{18 * time.Microsecond, 3 * time.Microsecond}, true},
		{"forced", "gc 1 @0.1s 12%: 1+2+3 ms clock, 1+2/2/2+3 ms cpu, 4->4->1 MB, 5 MB goal, 2 P (forced)\n", [2]time.Duration{time.Millisecond, 3 * time.Millisecond}, true},
		{"something else", "server is down\n", [2]time.Duration{}, false},
		{"that begins alike", "gc is fine\n", [2]time.Duration{}, false},
		{"two phases", "gc 1 @0.1s 12%: 1+2 ms clock\n", [2]time.Duration{}, false},
		{"no number", "gc 1 @0.1s 12%: a+b+c ms clock\n", [2]time.Duration{}, false},
		{"below zero", "gc 1 @0.1s 12%: -1+2+3 ms clock\n", [2]time.Duration{}, false},
	} {
		if got, ok := parseCollection(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseCollection(f *testing.F) {
	f.Add(aCollection)
	f.Fuzz(func(t *testing.T, line string) {
		pauses, ok := parseCollection(line)
		for _, pause := range pauses {
			if ok && (pause < 0 || pause > maxPause) {
				t.Errorf("%q: %v", line, pause)
			}
		}
	})
}

// Lines may come in pieces, and between others.
func TestComplaints(t *testing.T) {
	var c complaints
	for _, piece := range []string{"bad\n" + aCollection[:20], aCollection[20:], aCollection, "worse"} {
		c.Write([]byte(piece))
	}
	if got := c.String(); got != "bad\nworse" {
		t.Errorf("got %q, want what is about no collection", got)
	}
	want := Collections{Count: 2, Longest: 18 * time.Microsecond, Total: 42 * time.Microsecond}
	if got := c.collections(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := c.collections(); got != (Collections{}) {
		t.Errorf("got %+v again, want none", got)
	}
}
