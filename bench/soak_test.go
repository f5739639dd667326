//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestGrowth(t *testing.T) {
	points := func(own ...int64) (list []SoakPoint) {
		for _, n := range own {
			list = append(list, SoakPoint{Own: n, Descriptors: int(n) / 10})
		}
		return list
	}
	for _, tt := range []struct {
		name     string
		in       []SoakPoint
		from, to int64
	}{
		{"one", points(100), 100, 100},
		{"few", points(100, 200, 300), 100, 300},
		{"the first quarter does not count", points(10, 20, 100, 100, 110, 120, 130, 130), 100, 130},
	} {
		from, to := (&Soak{Points: tt.in}).growth()
		if from.Own != tt.from || to.Own != tt.to || to.Descriptors != int(tt.to)/10 {
			t.Errorf("%s: from %+v to %+v, want from %d to %d", tt.name, from, to, tt.from, tt.to)
		}
	}
}

func TestJudgeSoak(t *testing.T) {
	got := (&Soak{Points: []SoakPoint{{Own: 1000, Descriptors: 20}, {Own: 1040, Descriptors: 21}}}).judge()
	if len(got) != 2 || !got[0].Met || got[1].Met {
		t.Errorf("got %+v, want that memory is in its limit and descriptors are not", got)
	}
	if got := (&Soak{Points: []SoakPoint{{}}}).judge(); len(got) != 0 {
		t.Errorf("one point: %+v, want no verdict", got)
	}
}

func TestPrintSoak(t *testing.T) {
	var b bytes.Buffer
	(*Soak)(nil).print(&b)
	if b.Len() != 0 {
		t.Errorf("no soak: %q, want nothing", b.String())
	}
	(&Soak{Points: []SoakPoint{{Own: 5e6, Descriptors: 20}, {Own: 6e6, Descriptors: 21}}}).print(&b)
	for _, want := range []string{"5000 and 6000 KB", "20 and 21"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got %q, want %q in it", b.String(), want)
		}
	}
}
