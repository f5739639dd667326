package logline

import (
	"bytes"
	"errors"
	"strconv"
)

// Line is a parsed line. Its slices are parts of the input: they live as long as that is left alone.
type Line struct {
	Client []byte // an address, "-" for a client on a unix socket; empty there in a file by the C pen
	Epoch  int64  // seconds since 1970; 0 in the datagram's form, which has no time
	Server []byte // an address without port, or the path of a unix socket
	Text   []byte // may be empty
}

// What can be wrong with a line.
var (
	ErrShort = errors.New("not as many fields as a line of pen's log has")
	ErrEpoch = errors.New("the second field is not a time in seconds")
	ErrPlus  = errors.New("no + at the start of a datagram of pen")
)

// ParseFile parses a line of a log file, with or without its newline; what follows a newline is ignored. Several
// blanks between fields count as one, except in front of the text, which is taken as it is.
func ParseFile(line []byte) (Line, error) {
	line = firstLine(line, len(line))
	client, rest, found := bytes.Cut(line, []byte{' '})
	if !found {
		return Line{}, ErrShort
	}
	epoch, rest, found := cutField(rest)
	if !found {
		return Line{}, ErrShort
	}
	server, text, found := cutField(rest)
	if !found {
		return Line{}, ErrShort
	}
	seconds, ok := parseEpoch(epoch)
	if !ok {
		return Line{}, ErrEpoch
	}
	return Line{Client: client, Epoch: seconds, Server: server, Text: text}, nil
}

// ParseNet parses a datagram from pen; see ParseFile. Whoever wants to know whether a datagram is one
// looks at its first byte.
func ParseNet(datagram []byte) (Line, error) {
	rest, found := bytes.CutPrefix(firstLine(datagram, len(datagram)), []byte{'+'})
	if !found {
		return Line{}, ErrPlus
	}
	client, rest, found := cutField(rest)
	if !found {
		return Line{}, ErrShort
	}
	server, text, found := cutField(rest)
	if !found {
		return Line{}, ErrShort
	}
	return Line{Client: client, Server: server, Text: text}, nil
}

// cutField takes the first field off s, and the one blank that ends it. Without such a blank there is none.
func cutField(s []byte) (field, rest []byte, found bool) {
	return bytes.Cut(bytes.TrimLeft(s, " "), []byte{' '})
}

// parseEpoch parses a decimal number of seconds.
func parseEpoch(b []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}
