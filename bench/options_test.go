//go:build linux

package main

import (
	"errors"
	"slices"
	"testing"
)

func TestParseOptionsRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
	}{
		{"unknown option", []string{"--fast"}},
		{"operand", []string{"keepalive-64"}},
		{"no round", []string{"--rounds", "0"}},
		{"no time", []string{"--duration", "1us"}},
		{"no unit", []string{"--duration", "2"}},
		{"warm-up below zero", []string{"--warmup", "-1s"}},
	} {
		if _, err := parseOptions(tt.in); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v, want a usage error", tt.name, err)
		}
	}
}

func TestParseLayout(t *testing.T) {
	for _, tt := range []struct {
		name, in    string
		proxy, load []int
		bad         bool
	}{
		{"usual", "1:0", []int{1}, []int{0}, false},
		{"two each", "2,3:0,1", []int{2, 3}, []int{0, 1}, false},
		{"shared", "0:0", []int{0}, []int{0}, false},
		{"no colon", "1", nil, nil, true},
		{"empty side", ":0", nil, nil, true},
		{"no such core", "4:0", nil, nil, true},
		{"below zero", "-1:0", nil, nil, true},
		{"a word", "a:0", nil, nil, true},
	} {
		got, err := parseLayout(tt.in, 4)
		if (err != nil) != tt.bad || !tt.bad && (!slices.Equal(got.Proxy, tt.proxy) || !slices.Equal(got.Load, tt.load)) {
			t.Errorf("%s: %+v, %v; want %v:%v, error %v", tt.name, got, err, tt.proxy, tt.load, tt.bad)
		}
	}
}

func FuzzParseLayout(f *testing.F) {
	f.Add("1:0")
	f.Add("2,3:0,1")
	f.Add("1:0:1")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLayout(text, 64)
		if err != nil {
			return
		}
		again, err := parseLayout(l.String(), 64)
		if err != nil || again.String() != l.String() {
			t.Errorf("%q is %v, and that reads as %v, %v", text, l, again, err)
		}
	})
}

func TestChoose(t *testing.T) {
	rows := []string{"keepalive-1", "keepalive-64", "stream-1"}
	self := func(s string) string { return s }
	for _, tt := range []struct {
		name     string
		patterns []string
		want     []string
		bad      bool
	}{
		{"all", []string{"*"}, rows, false},
		{"one", []string{"keepalive-64"}, rows[1:2], false},
		{"prefix", []string{"keepalive-*"}, rows[:2], false},
		{"the table's order, each once", []string{"stream-1", "keepalive-1"}, []string{"keepalive-1", "stream-1"}, false},
		{"overlapping", []string{"keep*", "keepalive-1"}, rows[:2], false},
		{"a prefix without star", []string{"keepalive"}, nil, true},
		{"unknown beside a known one", []string{"stream-1", "streams"}, nil, true},
	} {
		got, err := choose(rows, self, tt.patterns, "row")
		if (err != nil) != tt.bad || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v, error %v", tt.name, got, err, tt.want, tt.bad)
		}
	}
}

func TestWithVariants(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []Peer
		want bool
	}{{"pen", []Peer{{Name: ours}}, true}, {"others", []Peer{{Name: direct}, {Name: "nginx"}}, false}} {
		got := withVariants(tt.in)
		if has := slices.ContainsFunc(got, func(p Peer) bool { return p.Name == full }); has != tt.want || len(got) < len(tt.in) {
			t.Errorf("%s: variants %v, want %v", tt.name, has, tt.want)
		}
	}
}

func TestRotate(t *testing.T) {
	list := []string{"a", "b", "c"}
	for round, want := range [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"a", "b", "c"}} {
		if got := rotate(list, round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
	if got := rotate([]string(nil), 2); got != nil {
		t.Errorf("of nothing: %v, want nothing", got)
	}
}
