package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The lines of heads and trailers. A line ends with CRLF or LF, all of a head in the same way: a server to which a lone
// LF is no line end would else read other fields than pen does.

// outcome is how a step went.
type outcome uint8

const (
	more outcome = iota // the end has not come yet
	good
	ended // the empty line
	bad
	mixed // the line ends differ
)

// lines goes through a head, a field at a time.
type lines struct {
	b    []byte
	next int  // where the next line begins
	last int  // where the text of the last line ends
	bare bool // lines end with LF
}

// field is a line of a head, as indexes into it: NAME ':' VALUE without the blanks around.
type field struct {
	start, colon int
	value, end   int
	next         int // behind the line end
}

func (l *lines) name(f field) []byte { return l.b[f.start:f.colon] }
func (l *lines) text(f field) []byte { return l.b[f.value:f.end] }

// field reads one line. ended means that it is the empty one.
func (l *lines) field() (f field, o outcome) {
	b, i := l.b, l.next
	if i < len(b) && b[i] < ' ' {
		n, o := l.lineEnd(i)
		if o == good {
			l.next = i + n
			return f, ended
		}
		return f, o
	}
	f.start = i
	for i < len(b) && tokens[b[i]] {
		i++
	}
	if i == len(b) {
		return f, more
	}
	if b[i] != ':' || i == f.start {
		return f, bad
	}
	f.colon = i
	for i++; i < len(b) && (b[i] == ' ' || b[i] == '\t'); i++ {
	}
	f.value = i
	for i = text(b, i); i < len(b) && b[i] == '\t'; {
		i = text(b, i+1)
	}
	n, o := l.lineEnd(i)
	if o != good {
		return f, o
	}
	l.last, l.next, f.next = i, i+n, i+n
	for f.end = i; f.end > f.value && (b[f.end-1] == ' ' || b[f.end-1] == '\t'); f.end-- {
	}
	return f, good
}

// lineEnd tells how long the line end at i is, which must be as that of the lines before.
func (l *lines) lineEnd(i int) (n int, o outcome) {
	b := l.b
	switch {
	case i == len(b), b[i] == '\r' && i+1 == len(b):
		return 0, more
	case b[i] == '\n' && l.bare:
		return 1, good
	case b[i] == '\r' && b[i+1] == '\n' && !l.bare:
		return 2, good
	case b[i] == '\n', b[i] == '\r' && b[i+1] == '\n':
		return 0, mixed
	}
	return 0, bad
}

// text returns the index of the first control character of b from i on, len(b) if there is none.
func text(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ ones*0x7f
		if low := ((x - ones*' ') &^ x & tops) | ((del - ones) &^ del & tops); low != 0 {
			return i + bits.TrailingZeros64(low)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != 0x7f {
		i++
	}
	return i
}

// emptyLine returns the length of b up to and with its first empty line, 0 if it has none, and from where to search for it
// when more has come.
func emptyLine(b []byte, from int) (n, seen int) {
	for i := from; ; i++ {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0, len(b)
		}
		i += j
		rest := b[i+1:]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 2, 0
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 3, 0
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return 0, i
		}
	}
}

// is compares a name with one in small letters.
func is(name []byte, small string) bool {
	if len(name) != len(small) {
		return false
	}
	for i, c := range name {
		if lower(c) != small[i] {
			return false
		}
	}
	return true
}

// passesFor is like is, for a server that takes an underscore for a hyphen, as all that follow CGI do (RFC 3875, 4.1.18).
func passesFor(name []byte, small string) bool {
	if len(name) != len(small) {
		return false
	}
	for i, c := range name {
		if c == '_' {
			c = '-'
		}
		if lower(c) != small[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// tokens are the characters of methods and names, RFC 9110, 5.6.2.
var tokens = func() (set [256]bool) {
	for c := '0'; c <= 'z'; c++ {
		set[c] = c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		set[c] = true
	}
	return set
}()
