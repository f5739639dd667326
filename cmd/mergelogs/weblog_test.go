package main

import (
	"bytes"
	"testing"
	"time"
)

func FuzzParseWebLine(f *testing.F) {
	for _, s := range []string{"", "x", "a - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.0\" 200 5", "a b[1/Jan/1970:0:0:0] \"x\" y", "[]\"\"", "a b [] \"\"\"\"\"", "a b[14/Nov/2023:22:13:20 GMT]-\"x\"\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.IndexByte(in, '\n') >= 0 {
			return
		}
		var c clock
		l, ok := parseWebLine(in, &c)
		if !ok || l.time < 0 || l.time > 1<<37 { // a year has four digits
			return
		}
		again := l.appendTo(nil, "client", &c)
		m, ok := parseWebLine(bytes.TrimSuffix(again, []byte{'\n'}), &c)
		if !ok || m.time != l.time+offset(l.time) || !bytes.Equal(m.request, l.request) || !bytes.Equal(m.rest, l.rest) {
			t.Errorf("%q became %q", in, again)
		}
	})
}

// offset is how far local time is ahead of UTC, in seconds.
func offset(seconds int64) int64 {
	_, offset := time.Unix(seconds, 0).Zone()
	return int64(offset)
}

func FuzzSplitOperand(f *testing.F) {
	for _, s := range []string{"", ":", "a:b", "::1:x", "[::1]:x", "[", "1:2", "::1:2", "fe80::1%eth0:x", "[]:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		server, path, err := splitOperand(s)
		if err == nil && (server == "" || path == "" || len(server)+len(path) >= len(s)) {
			t.Errorf("%q: got server %q, path %q", s, server, path)
		}
	})
}

func TestSplitOperand(t *testing.T) {
	for in, want := range map[string][2]string{
		"10.0.0.1:log":    {"10.0.0.1", "log"},
		"10.0.0.1:a:b":    {"10.0.0.1", "a:b"},
		"www:log":         {"www", "log"},
		"::1:log":         {"::1", "log"},
		"2001:db8::1:/x":  {"2001:db8::1", "/x"},
		"[2001:db8::1]:7": {"2001:db8::1", "7"},
		"/run/web.sock:x": {"/run/web.sock", "x"},
	} {
		server, path, err := splitOperand(in)
		if got := [2]string{server, path}; got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}
