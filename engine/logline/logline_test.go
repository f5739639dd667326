package logline

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

var (
	v4 = netip.MustParseAddr("192.0.2.7")
	v6 = netip.MustParseAddr("2001:db8::7")
)

// appended are chunks with the lines that they make, in both forms.
var appended = []struct {
	name   string
	client netip.Addr
	server string
	chunk  string
	file   string
	net    string
}{
	{"request", v4, "10.0.0.1", "GET / HTTP/1.0\r\nHost: a\r\n", "192.0.2.7 1700000000 10.0.0.1 GET / HTTP/1.0\n", "+ 192.0.2.7 10.0.0.1 GET / HTTP/1.0\n"},
	{"LF", v4, "10.0.0.1", "GET /\nHost", "192.0.2.7 1700000000 10.0.0.1 GET /\n", "+ 192.0.2.7 10.0.0.1 GET /\n"},
	{"CR", v4, "10.0.0.1", "a\rb\nc", "192.0.2.7 1700000000 10.0.0.1 a\n", "+ 192.0.2.7 10.0.0.1 a\n"},
	{"LF before CR", v4, "10.0.0.1", "a\nb\rc", "192.0.2.7 1700000000 10.0.0.1 a\n", "+ 192.0.2.7 10.0.0.1 a\n"},
	{"no line end", v4, "10.0.0.1", "quit", "192.0.2.7 1700000000 10.0.0.1 quit\n", "+ 192.0.2.7 10.0.0.1 quit\n"},
	{"line end first", v4, "10.0.0.1", "\r\nGET /", "192.0.2.7 1700000000 10.0.0.1 \n", "+ 192.0.2.7 10.0.0.1 \n"},
	{"empty", v4, "10.0.0.1", "", "192.0.2.7 1700000000 10.0.0.1 \n", "+ 192.0.2.7 10.0.0.1 \n"},
	{"blanks", v4, "10.0.0.1", "  a b  \n", "192.0.2.7 1700000000 10.0.0.1   a b  \n", "+ 192.0.2.7 10.0.0.1   a b  \n"},
	{"IPv6", v6, "::1", "GET /\r\n", "2001:db8::7 1700000000 ::1 GET /\n", "+ 2001:db8::7 ::1 GET /\n"},
	{"IPv4 on an IPv6 socket", netip.MustParseAddr("::ffff:192.0.2.7"), "::1", "x", "::ffff:192.0.2.7 1700000000 ::1 x\n", "+ ::ffff:192.0.2.7 ::1 x\n"},
	{"unix sockets", netip.Addr{}, "/run/a b\n", "x", "- 1700000000 /run/a.b. x\n", "+ - /run/a.b. x\n"},
	{"no server", v4, "", "x", "192.0.2.7 1700000000 - x\n", "+ 192.0.2.7 - x\n"},
	{"bytes", v4, "10.0.0.1", "a\tb\x00c\x7fd\x80\xffe\n", "192.0.2.7 1700000000 10.0.0.1 a\tb\x00c\x7fd..e\n", "+ 192.0.2.7 10.0.0.1 a\tb\x00c\x7fd\x80\xffe\n"},
	{"100 bytes", v4, "10.0.0.1", strings.Repeat("x", 100) + "\r\n", "192.0.2.7 1700000000 10.0.0.1 " + strings.Repeat("x", 100) + "\n", "+ 192.0.2.7 10.0.0.1 " + strings.Repeat("x", 100) + "\n"},
	{"cut", v4, "10.0.0.1", strings.Repeat("x", 5000), "192.0.2.7 1700000000 10.0.0.1 " + strings.Repeat("x", 100) + "\n", "+ 192.0.2.7 10.0.0.1 " + strings.Repeat("x", 1024-1-len("+ 192.0.2.7 10.0.0.1 ")) + "\n"},
	{"server fills the datagram", v4, strings.Repeat("s", 2000), "x", "192.0.2.7 1700000000 " + strings.Repeat("s", 2000) + " x\n", "+ 192.0.2.7 " + strings.Repeat("s", 1024-1-len("+ 192.0.2.7 ")) + "\n"},
}

func TestAppend(t *testing.T) {
	const before = "what was there"
	for _, tt := range appended {
		t.Run(tt.name, func(t *testing.T) {
			got := string(AppendFile([]byte(before), tt.client, 1700000000, tt.server, []byte(tt.chunk)))
			if want := before + tt.file; got != want {
				t.Errorf("file: got %q, want %q", got, want)
			}
			got = string(AppendNet([]byte(before), tt.client, tt.server, []byte(tt.chunk)))
			if want := before + tt.net; got != want {
				t.Errorf("net: got %q, want %q", got, want)
			}
		})
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, DatagramMax)
	chunk := []byte("GET /" + strings.Repeat("x", 2000))
	allocs := testing.AllocsPerRun(100, func() {
		AppendFile(dst, v6, 1700000000, "2001:db8::1", chunk)
		AppendNet(dst, v6, "2001:db8::1", chunk)
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want 0", allocs)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     Line
		err      error
	}{
		{"plain", "1.2.3.4 1700000000 10.0.0.1 GET / HTTP/1.0\n", Line{[]byte("1.2.3.4"), 1700000000, []byte("10.0.0.1"), []byte("GET / HTTP/1.0")}, nil},
		{"without newline", "::1 5 ::2 x", Line{[]byte("::1"), 5, []byte("::2"), []byte("x")}, nil},
		{"CRLF", "::1 5 ::2 x\r\n", Line{[]byte("::1"), 5, []byte("::2"), []byte("x")}, nil},
		{"two lines", "::1 5 ::2 x\n::1 6 ::2 y\n", Line{[]byte("::1"), 5, []byte("::2"), []byte("x")}, nil},
		{"empty text", "::1 5 ::2 \n", Line{[]byte("::1"), 5, []byte("::2"), nil}, nil},
		{"client of the C pen on a unix socket", " 5 ::2 x\n", Line{nil, 5, []byte("::2"), []byte("x")}, nil},
		{"more blanks", "::1  5   ::2  x \n", Line{[]byte("::1"), 5, []byte("::2"), []byte(" x ")}, nil},
		{"before 1970", "::1 -5 ::2 x\n", Line{[]byte("::1"), -5, []byte("::2"), []byte("x")}, nil},
		{"empty", "", Line{}, ErrShort},
		{"one field", "::1", Line{}, ErrShort},
		{"two fields", "::1 5 ", Line{}, ErrShort},
		{"no text", "::1 5 ::2", Line{}, ErrShort},
		{"no time", "::1 x ::2 GET /\n", Line{}, ErrEpoch},
		{"time out of range", "::1 99999999999999999999 ::2 GET /\n", Line{}, ErrEpoch},
		{"datagram", "+ 1.2.3.4 10.0.0.1 GET / HTTP/1.0\n", Line{[]byte("1.2.3.4"), 0, []byte("10.0.0.1"), []byte("GET / HTTP/1.0")}, nil},
		{"datagram, no blank behind the plus", "+::1 ::2 x", Line{[]byte("::1"), 0, []byte("::2"), []byte("x")}, nil},
		{"datagram, empty text", "+ ::1 ::2 \n", Line{[]byte("::1"), 0, []byte("::2"), nil}, nil},
		{"datagram, plus alone", "+", Line{}, ErrShort},
		{"datagram, no server", "+ ::1\n", Line{}, ErrShort},
		{"datagram, no text", "+ ::1 ::2\n", Line{}, ErrShort},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parse := ParseFile
			if strings.HasPrefix(tt.in, "+") {
				parse = ParseNet
			}
			got, err := parse([]byte(tt.in))
			if !same(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %s, %v, want %s, %v", show(got), err, show(tt.want), tt.err)
			}
		})
	}
	if _, err := ParseNet([]byte("::1 ::2 x")); !errors.Is(err, ErrPlus) {
		t.Errorf("datagram without a plus: got error %v, want %v", err, ErrPlus)
	}
}

// same tells whether two lines have the same content; nil and empty are the same.
func same(a, b Line) bool {
	return string(a.Client) == string(b.Client) && a.Epoch == b.Epoch && string(a.Server) == string(b.Server) && string(a.Text) == string(b.Text)
}

// show is a line for a message.
func show(l Line) string {
	return fmt.Sprintf("{%q %d %q %q}", l.Client, l.Epoch, l.Server, l.Text)
}
