package engine

import (
	"bytes"
	"slices"
	"testing"
)

type control struct {
	level, kind int
	value       string
}

func listControls(b []byte) (list []control) {
	for c := controls(b); ; {
		level, kind, value, ok := c.next()
		if !ok {
			return list
		}
		list = append(list, control{level, kind, string(value)})
	}
}

func TestControls(t *testing.T) {
	tests := []struct {
		name string
		in   []control
	}{
		{"none", nil},
		{"empty value", []control{{1, 2, ""}}},
		{"several", []control{{0, 8, "12345678abcd"}, {17, 104, "ab"}, {1, 40, "1234"}}},
	}
	for _, tt := range tests {
		var b []byte
		for _, c := range tt.in {
			b = appendControl(b, c.level, c.kind, []byte(c.value))
		}
		if got := listControls(b); !slices.Equal(got, tt.in) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.in)
		}
		for n := range b { // cut anywhere: no more than there was, and no panic
			if got := listControls(b[:n]); len(got) > len(tt.in) {
				t.Errorf("%s, cut at %d: got %v", tt.name, n, got)
			}
		}
	}
}

func FuzzControls(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendControl(nil, 0, 8, make([]byte, 12)))
	f.Add(appendControl(appendControl(nil, 41, 50, make([]byte, 20)), 1, 40, []byte{1, 2, 3, 4}))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for _, c := range listControls(b) {
			total += len(c.value)
		}
		if total > len(b) {
			t.Errorf("values of %d bytes in %d", total, len(b))
		}
		localIn(b)
	})
}

func TestDatagramEach(t *testing.T) {
	tests := []struct {
		data    string
		segment int
		want    []string
	}{
		{"", 0, []string{""}}, {"abc", 0, []string{"abc"}}, {"aabbc", 2, []string{"aa", "bb", "c"}}, {"aabb", 2, []string{"aa", "bb"}},
	}
	for _, tt := range tests {
		d := datagram{data: []byte(tt.data), segment: tt.segment}
		var got []string
		for chunk := range d.each {
			got = append(got, string(chunk))
		}
		if !slices.Equal(got, tt.want) || d.count() != len(tt.want) {
			t.Errorf("%q by %d: got %q, count %d, want %q", tt.data, tt.segment, got, d.count(), tt.want)
		}
	}
}
