package http1

import "bytes"

// request takes a step through what the client sends. false means that it can't go on with what there is.
func (c *Conn) request(e *edit, last bool) bool {
	b := e.rest()
	switch c.req.state {
	case opaque:
		e.done = len(e.in)
		return false
	case refused:
		e.drop(e.done, len(e.in))
		e.done = len(e.in)
		return false
	case atHead:
		if c.agreed {
			c.req.state = opaque
			return true
		}
		return c.requestHead(e, b, last)
	case deciding:
		c.asks = false
		c.req.state = atHead
		return true
	}
	n, o := c.req.body(b, c.rules.MaxHead)
	e.done += n
	switch o {
	case bad:
		why := badChunk
		if c.req.state == atTrailer {
			why = badTrailer
		}
		c.Refuse(why)
	case ended:
		c.finish()
	case more:
		if last { // the server sees that it is not complete
			e.done = len(e.in)
		}
		return false
	}
	return true
}

// finish is at the end of a request. Who asked for another protocol may go on in it, so nothing is read until it is known
// whether the server agrees.
func (c *Conn) finish() {
	if c.asks {
		c.req.state = deciding
	}
}

// requestHead reads a head.
func (c *Conn) requestHead(e *edit, b []byte, last bool) bool {
	if n := emptyLines(b); n > 0 {
		e.done += n
		return true
	}
	switch {
	case len(b) == 0, !c.begun && !c.opening(b, last):
		return c.req.state != atHead
	case b[0] == '\r' && len(b) == 1: // perhaps another one
		return c.incomplete(b, last)
	}
	if c.req.part { // in how many pieces it ever comes, it is searched for its end once
		n, seen := emptyLine(b, int(c.req.seen))
		if c.req.seen = int32(seen); n == 0 {
			return c.incomplete(b, last)
		}
	}
	h := heading{client: &c.client}
	o := h.read(b)
	switch {
	case o == more:
		return c.incomplete(b, last)
	case o != good:
		c.Refuse(h.why)
	case h.end > c.rules.MaxHead:
		c.Refuse(TooLarge)
	default:
		c.req.seen, c.req.part = 0, false
		h.rewrite(e, c.rules)
		c.pass(&h)
		e.done += h.end
	}
	return true
}

// incomplete waits for the rest of a head, for as much as it may be.
func (c *Conn) incomplete(b []byte, last bool) bool {
	switch {
	case len(b) > c.rules.MaxHead:
		c.Refuse(TooLarge)
	case last:
		c.Refuse(unfinished)
	default:
		return false
	}
	return true
}

// pass notes that the head of a request goes to the server.
func (c *Conn) pass(h *heading) {
	c.begun = true
	c.requests++
	if !c.lost {
		c.waiting.push(h.kind)
	}
	c.asks = h.kind == connect || h.upgrade > 0 && !h.old
	c.req.begin(h.length, h.chunked)
	if c.req.state == atHead {
		c.finish()
	}
}

// emptyLines returns the length of the empty lines in front of a request, which some old clients send behind a body
// (RFC 9112, 2.2).
func emptyLines(b []byte) int {
	n := 0
	for {
		switch {
		case len(b) > n && b[n] == '\n':
			n++
		case len(b) > n+1 && b[n] == '\r' && b[n+1] == '\n':
			n += 2
		default:
			return n
		}
	}
}

// heading is the head of a request.
type heading struct {
	client  *Client
	why     *Refusal
	kind    kind
	old     bool // HTTP/1.0
	chunked bool
	length  int64
	lengths int
	codings int

	end     int // of the head
	insert  int // where fields of ours go: behind the text of the last line
	upgrade int // fields Upgrade
	foreign int // fields to be replaced
	seen    [ourFields]listed
}

// read reads a head and finds out where the request ends. bad comes with a reason.
func (h *heading) read(b []byte) outcome {
	l, o := h.readLine(b)
	for o == good {
		var f field
		if f, o = l.field(); o == good {
			h.note(l.name(f), l.text(f), f)
		}
	}
	h.end, h.insert = l.next, l.last
	switch {
	case h.why != nil:
	case o == bad:
		h.why = badField
	case o == mixed:
		h.why = badLineEnd
	case o == ended:
		h.why = h.contradiction()
	}
	switch {
	case h.why != nil:
		return bad
	case o == ended:
		return good
	}
	return o
}

// note takes what matters of a field.
func (h *heading) note(name, value []byte, f field) {
	switch len(name) {
	case len("upgrade"):
		if is(name, "upgrade") {
			h.upgrade++
		}
	case len("content-length"):
		if is(name, "content-length") {
			h.noteLength(value)
		}
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") {
			h.noteCoding(value)
		}
	}
	h.noteOurs(name, f)
}

func (h *heading) noteLength(value []byte) {
	n, ok := number(value)
	switch {
	case !ok:
		h.refuse(badLength)
	case h.lengths > 0 && n != h.length:
		h.refuse(twoLengths)
	}
	h.lengths++
	h.length = n
}

func (h *heading) noteCoding(value []byte) {
	if h.codings++; h.codings > 1 || !is(value, "chunked") {
		h.refuse(badCoding)
	}
	h.chunked = true
}

func (h *heading) refuse(why *Refusal) {
	if h.why == nil {
		h.why = why
	}
}

// contradiction returns what is wrong with the fields taken together.
func (h *heading) contradiction() *Refusal {
	switch {
	case h.chunked && h.old:
		return oldCoding
	case h.chunked && h.lengths > 0:
		return twoLengths
	case h.kind == connect && (h.chunked || h.length > 0):
		return connectBody
	}
	return nil
}

// readLine reads METHOD ' ' TARGET ' ' VERSION.
func (h *heading) readLine(b []byte) (l lines, o outcome) {
	l.b = b
	i := 0
	for i < len(b) && tokens[b[i]] {
		i++
	}
	if i == len(b) {
		return l, more
	}
	method := b[:i]
	if i == 0 || b[i] != ' ' {
		h.why = badLine
		return l, bad
	}
	i++
	target := i
	if i = word(b, i); i == len(b) {
		return l, more
	}
	if i == target || b[i] != ' ' {
		h.why = badLine
		return l, bad
	}
	i++
	if len(b) < i+len(version) {
		if word(b, i) == len(b) {
			return l, more
		}
		h.why = badLine
		return l, bad
	}
	if h.why = h.readVersion(b[i : i+len(version)]); h.why != nil {
		return l, bad
	}
	i += len(version)
	l.bare = i < len(b) && b[i] == '\n'
	n, o := l.lineEnd(i)
	if o == bad {
		h.why = badLine
	}
	l.last, l.next = i, i+n
	switch string(method) {
	case "HEAD":
		h.kind = head
	case "CONNECT":
		h.kind = connect
	}
	return l, o
}

const version = "HTTP/1.1"

func (h *heading) readVersion(b []byte) *Refusal {
	const major, minor = len("HTTP/"), len("HTTP/1.")
	switch {
	case string(b[:major]) != version[:major] || b[major+1] != '.' || !digit(b[major]) || !digit(b[minor]):
		return badLine
	case b[major] != '1':
		return badVersion
	}
	h.old = b[minor] == '0'
	return nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// word returns the index of the first blank or control character of b from i on.
func word(b []byte, i int) int {
	for i < len(b) && b[i] > ' ' && b[i] != 0x7f {
		i++
	}
	return i
}

// The beginning of a connection: is it HTTP at all?

// preface is how HTTP/2 begins without being asked for (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const maxMethod = 64 // bytes of a method; the longest that is registered has 17

// opening judges how a connection begins. true means that it is HTTP/1, or meant to be; false that it is not known yet, or
// not HTTP/1 and dealt with.
func (c *Conn) opening(b []byte, last bool) bool {
	n := min(len(b), len(preface))
	switch {
	case string(b[:n]) == preface:
		c.other()
		return false
	case string(b[:n]) == preface[:n] && !last:
		return false
	}
	i := 0
	for i < min(len(b), maxMethod) && tokens[b[i]] {
		i++
	}
	if i == maxMethod || i < len(b) && !blank[b[i]] {
		c.other()
		return false
	}
	line := b[:min(len(b), c.rules.MaxHead+1)] // no more, so that it is the same in however many pieces it comes
	switch end := bytes.IndexByte(line, '\n'); {
	case end >= 0:
		line = line[:end]
	case len(line) > c.rules.MaxHead && i > 0:
		return true
	case len(line) > c.rules.MaxHead, last:
	default:
		return false
	}
	if !mentionsHTTP(line) {
		c.other()
		return false
	}
	return true
}

// blank are the characters that lenient servers take for the blank behind the method.
var blank = [256]bool{' ': true, '\t': true, '\v': true, '\f': true, '\r': true, '\n': true}

// mentionsHTTP tells if a line has a version of HTTP in it, as any but HTTP/0.9 has. What is wrong with the line otherwise is
// said by readLine.
func mentionsHTTP(line []byte) bool {
	for {
		i := bytes.IndexByte(line, '/')
		if i < 0 {
			return false
		}
		if i >= 4 && is(line[i-4:i], "http") && i+1 < len(line) && digit(line[i+1]) {
			return true
		}
		line = line[i+1:]
	}
}

// other goes on with what is not HTTP/1.
func (c *Conn) other() {
	if c.rules.Only {
		c.Refuse(notHTTP)
		return
	}
	c.req.state = opaque
	c.Lose()
}
