package main

import (
	"bytes"
	"net/netip"
	"strings"
	"time"
)

// webLine is a line of a web server's log in the common format, or one that starts like it:
//
//	CLIENT IDENT[DD/Mon/YYYY:HH:MM:SS +ZZZZ]MIDDLE"REQUEST"REST
type webLine struct {
	time    int64  // seconds since 1970, UTC
	ident   []byte // from the client's blanks to the bracket
	middle  []byte // between bracket and request, usually one blank
	request []byte
	rest    []byte // behind the closing quote
}

// parseWebLine splits a line; ok is false if it does not look like that. All parts must be there: the C program demands as
// much. The slices are parts of the line.
func parseWebLine(line []byte, clock *clock) (l webLine, ok bool) {
	client, ident, _ := bytes.Cut(line, []byte{' '})
	ident = bytes.TrimLeft(ident, " ")
	ident, stamp, _ := bytes.Cut(ident, []byte{'['})
	stamp, middle, _ := bytes.Cut(stamp, []byte{']'})
	middle, request, _ := bytes.Cut(middle, []byte{'"'})
	request, rest, _ := bytes.Cut(request, []byte{'"'})
	if len(client) == 0 || len(ident) == 0 || len(middle) == 0 || len(request) == 0 || len(rest) == 0 {
		return webLine{}, false
	}
	seconds, ok := clock.parse(stamp)
	return webLine{seconds, ident, middle, request, rest}, ok
}

// appendTo appends the merged log's form of the line.
func (l *webLine) appendTo(dst []byte, client string, clock *clock) []byte {
	dst = append(dst, client...)
	dst = append(dst, ' ')
	dst = append(dst, l.ident...)
	dst = append(dst, '[')
	dst = clock.append(dst, l.time)
	dst = append(dst, ']')
	dst = append(dst, l.middle...)
	dst = append(dst, '"')
	dst = append(dst, l.request...)
	dst = append(dst, '"')
	dst = append(dst, l.rest...)
	return append(dst, '\n')
}

// layouts are the times that are understood. Without a zone a time is UTC.
var layouts = []string{"2/Jan/2006:15:4:5 -0700", "2/Jan/2006:15:4:5", "2/Jan/2006:15:4:5 MST"}

// clock converts times, and remembers the last ones: most lines of a log have the same second as the line before.
type clock struct {
	stamp   string // as parsed last
	seconds int64  // what it meant
	printed []byte // the text for printedAt
	at      int64
}

// parse returns the seconds since 1970 of a time in a log.
func (c *clock) parse(stamp []byte) (seconds int64, ok bool) {
	if string(stamp) == c.stamp && len(stamp) > 0 {
		return c.seconds, true
	}
	text := string(bytes.Trim(stamp, " "))
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			c.stamp, c.seconds = string(stamp), t.Unix()
			return c.seconds, true
		}
	}
	return 0, false
}

// append appends a time as the C program writes it: local, but with the zone +0000 whatever that is.
func (c *clock) append(dst []byte, seconds int64) []byte {
	if c.printed == nil || c.at != seconds {
		c.at = seconds
		c.printed = time.Unix(seconds, 0).AppendFormat(c.printed[:0], "02/Jan/2006:15:04:05 +0000")
	}
	return append(dst, c.printed...)
}

// endOfIPv6 returns the length of the longest IPv6 address that s starts with and a colon and something else follow,
// or 0.
func endOfIPv6(s string) int {
	for i := strings.LastIndexByte(s, ':'); i > 0; i = strings.LastIndexByte(s[:i], ':') {
		addr, err := netip.ParseAddr(s[:i])
		if err == nil && addr.Is6() && i+1 < len(s) {
			return i
		}
	}
	return 0
}
