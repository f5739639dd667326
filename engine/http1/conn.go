// Package http1 follows the requests and the responses of one HTTP/1 connection through a proxy and says what to write
// into the heads of the requests (RFC 9110, 9112, 7239). It sees bytes, in whatever pieces they come, and returns bytes:
// no sockets, no buffers of its own, no time, nothing is allocated. What a request asks for is none of its business,
// only where it begins and ends.
//
// What ends where must be told exactly as the server will tell it: else what pen takes for a body is a request to the
// server, with fields that pen has never looked at (request smuggling). So requests are taken strictly, and what could
// be read in two ways is refused. Responses come from servers of ours and are never refused; they are followed as far as
// they can be, to know which requests have been answered, and whether a server has agreed to another protocol.
//
// A [Conn] belongs to its session. Rules are shared and never change.
package http1

import (
	"math"
	"net/netip"
)

// Rules are what a service wants of requests.
type Rules struct {
	Forwarded bool // write RFC 7239's Forwarded, too
	Only      bool // refuse what is not HTTP/1, and drop offers to go on in HTTP/2
	MaxHead   int  // bytes of a head at most
}

// Existing says what becomes of fields like ours that a request has already.
type Existing uint8

// What becomes of them.
const (
	Keep    Existing = iota // they stay as they are, and ours are left out
	Append                  // the client is added to their lists
	Replace                 // they are taken out and ours put in
)

// Client is what a request is told about who sent it.
type Client struct {
	Addr     netip.Addr // not valid: has none
	TLS      bool
	Existing Existing
}

// Conn is one connection of a client, with the server's side of it. The zero value is not ready: see Reset.
//
//	            upgrade, CONNECT
//	head ─► body ─────────────► deciding ─► opaque (the server has agreed)
//	 ▲ │     │                     │
//	 │ └─────┤ next                │ it has not
//	 └───────┴─────────────────────┘
//
// Requests that can't be let through end in refused. What does not begin like HTTP/1 is opaque from its first byte.
type Conn struct {
	rules  *Rules
	client Client

	req, res stream
	requests uint32   // that were passed on
	waiting  queue    // requests that were passed on and are not answered yet
	refused  *Refusal // why requests are not passed on any more; nil = they are
	begun    bool     // there was a request
	asks     bool     // the request in hand asks for another protocol
	agreed   bool     // the server has said that the connection is something else from here
	answered bool     // the final response to the first of waiting has begun
	torn     bool     // a part of the refused request was passed on
	lost     bool     // responses can't be told apart any more: they pass as they are
}

// Reset makes c ready for a new connection.
func (c *Conn) Reset(rules *Rules, client Client) { *c = Conn{rules: rules, client: client} }

// Requests is the side of a Conn that looks at what the client sends.
type Requests Conn

// Responses is the side of a Conn that looks at what the server sends.
type Responses Conn

// Requests returns the view for the client's bytes.
func (c *Conn) Requests() *Requests { return (*Requests)(c) }

// Responses returns the view for the server's bytes.
func (c *Conn) Responses() *Responses { return (*Responses)(c) }

// Pass tells how many of the bytes that come next it need not see. 0 means that it wants to see what comes, less than 0
// that nothing is to be read until something has come from the server.
func (q *Requests) Pass() int64 {
	c := (*Conn)(q)
	if c.paused() {
		return -1
	}
	return c.req.pass()
}

// Passed tells that n bytes went past.
func (q *Requests) Passed(n int64) {
	c := (*Conn)(q)
	if c.req.passed(n); c.req.state == atHead {
		c.finish()
	}
}

// Edit is given what has come and was not taken yet; last says that no more follows. It takes the first bytes of in, and
// returns what is to be sent for them, appended to out, or nil if they are to be sent as they are. Of what it does not
// take it wants to see more, unless Pass says otherwise.
func (q *Requests) Edit(out, in []byte, last bool) (edited []byte, taken int) {
	c := (*Conn)(q)
	e := edit{out: out, in: in}
	for !c.paused() && c.request(&e, last) {
	}
	c.req.part = e.done < len(in)
	return e.result()
}

// Pass is as that of Requests. It is never less than 0.
func (p *Responses) Pass() int64 { return (*Conn)(p).res.pass() }

// Passed is as that of Requests.
func (p *Responses) Passed(n int64) {
	c := (*Conn)(p)
	if c.res.passed(n); c.res.state == atHead {
		c.answer()
	}
}

// Edit is as that of Requests, but all is sent as it is.
func (p *Responses) Edit(_, in []byte, last bool) (edited []byte, taken int) {
	c := (*Conn)(p)
	for {
		n, going := c.response(in[taken:], last)
		if taken += n; !going {
			break
		}
	}
	c.res.part = taken < len(in)
	if last {
		c.Lose()
	}
	return nil, taken
}

// Lose tells that responses are not followed any more. Requests don't wait for them from now on.
func (c *Conn) Lose() {
	c.lost = true
	c.res.state = opaque
}

// Reading returns a number for the request whose head, or whose trailer, has come in part, so that its rest is waited for; 0
// if there is none.
func (c *Conn) Reading() uint32 {
	if !c.req.part || c.req.state != atHead && c.req.state != atTrailer || c.paused() {
		return 0
	}
	return c.requests + 1
}

// Refuse has no more requests passed on. What the client sends from now on is thrown away.
func (c *Conn) Refuse(why *Refusal) {
	if c.refused == nil {
		c.refused = why
		c.torn = c.req.state != atHead
		c.req.state = refused
	}
}

// Refused returns why requests are not passed on any more, nil if they are.
func (c *Conn) Refused() *Refusal { return c.refused }

// Due tells, after a refusal, if all requests before have been answered, so that the connection can be ended; with a reply,
// unless the server has replied to the request itself.
func (c *Conn) Due() (now, reply bool) {
	switch {
	case c.refused == nil || c.lost:
		return false, false
	case c.waiting.n == 0:
		return true, !c.torn
	}
	untouched := c.torn && c.waiting.n == 1 && !c.answered && !c.res.part
	return untouched, untouched
}

// paused tells if nothing is to be read from the client before something has come from the server.
func (c *Conn) paused() bool {
	if c.lost || c.agreed {
		return false
	}
	switch c.req.state {
	case atHead:
		return c.waiting.full()
	case deciding:
		return c.waiting.n > 1 || c.waiting.n == 1 && !c.answered
	}
	return false
}

// stream is where one direction is.
type stream struct {
	state state
	part  bool  // the beginning of something has come that can't be judged before its end
	seen  int32 // bytes of it that have been searched for its end
	left  int64 // bytes of a body or a chunk that are to come
}

type state uint8

const (
	atHead     state = iota // of a request or response
	inBody                  // of a known length
	atChunk                 // at the line with its size
	inChunk                 // in its data
	afterChunk              // at the line end behind the data
	atTrailer               // behind the last chunk
	deciding                // requests: the server decides whether it goes on with HTTP
	opaque                  // all passes, without being looked at
	refused                 // requests: all is thrown away
)

func (s *stream) pass() int64 {
	switch s.state {
	case inBody, inChunk:
		return s.left
	case opaque:
		return math.MaxInt64
	}
	return 0
}

func (s *stream) passed(n int64) {
	switch s.state {
	case inBody:
		if s.left -= n; s.left == 0 {
			s.state = atHead
		}
	case inChunk:
		if s.left -= n; s.left == 0 {
			s.state = afterChunk
		}
	}
}

// queue holds what must be known of requests until their responses have come.
type queue struct {
	kinds uint64 // kindBits for each, the oldest lowest
	n     uint8
}

type kind uint8

const (
	plain   kind = iota
	head         // HEAD: the response has no body, whatever it says
	connect      // CONNECT: a response of 2xx ends HTTP on this connection
)

const (
	kindBits = 2
	maxQueue = 64 / kindBits // requests that wait for responses at most; who sends more waits, too
)

func (q *queue) full() bool  { return q.n == maxQueue }
func (q *queue) front() kind { return kind(q.kinds & (1<<kindBits - 1)) }

func (q *queue) push(k kind) {
	q.kinds |= uint64(k) << (kindBits * q.n)
	q.n++
}

func (q *queue) pop() {
	q.kinds >>= kindBits
	q.n--
}

// edit is what becomes of a piece of a stream.
type edit struct {
	out, in []byte
	done    int  // in[:done] is taken
	copied  int  // in[:copied] is in out, as far as it goes on
	changed bool // else out is not used
}

func (e *edit) rest() []byte { return e.in[e.done:] }

// upTo copies what comes before a place where something is changed.
func (e *edit) upTo(i int) {
	e.out = append(e.out, e.in[e.copied:i]...)
	e.copied, e.changed = i, true
}

// drop leaves in[i:j] out.
func (e *edit) drop(i, j int) {
	e.upTo(i)
	e.copied = j
}

func (e *edit) result() ([]byte, int) {
	if !e.changed {
		return nil, e.done
	}
	if e.upTo(e.done); e.out == nil {
		e.out = []byte{} // all was left out
	}
	return e.out, e.done
}
