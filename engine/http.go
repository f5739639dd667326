package engine

import (
	"net/netip"

	"pen/conf"
	"pen/engine/http1"
	"pen/splice"
)

// A service with http looks at the heads of requests and tells servers who the client is. What that takes is in package
// http1; this file is how it becomes part of a session. Both directions are followed: what the server answers says
// when the client's bytes are no requests any more (WebSocket), and to which request a refusal of ours would be the answer.
//
// A session looks at requests for all of its life or not at all: in the middle nobody can tell a head from a body.

// httpRules are what a service does to requests.
type httpRules struct {
	http1.Rules
	existing http1.Existing
	believed *conf.Matcher // whose word on others is taken; nil = everybody's
}

// compileHTTP returns nil if the service leaves requests alone.
func compileHTTP(p *plan, c *conf.HTTP) *httpRules {
	if !c.On {
		return nil
	}
	h := &httpRules{Rules: http1.Rules{Forwarded: c.Forwarded, Only: c.Only, MaxHead: c.MaxHead}}
	switch c.Existing {
	case conf.Append:
		h.existing = http1.Append
	case conf.Replace:
		h.existing = http1.Replace
	}
	if c.Trusts {
		h.believed = p.matchers[c.Trusted]
	}
	return h
}

// treats returns what becomes of the fields that a client sends: who is not on the list of those to be believed has
// them replaced, and who is on it keeps them, or has them added to.
func (h *httpRules) treats(client netip.Addr) http1.Existing {
	switch {
	case h.believed == nil:
		return h.existing
	case !h.believed.Permit(client):
		return http1.Replace
	case h.existing == http1.Replace:
		return http1.Keep
	}
	return h.existing
}

// exchange is the HTTP of a session.
type exchange struct {
	conn    http1.Conn
	to      [2]splice.Edited // by the side it leads to
	reading uint32           // for whose head there is a deadline; 0 = none
	over    bool             // the client has got our refusal, or is about to
}

// keepExchanges bounds how many unused ones a reactor keeps, so that a connection allocates nothing: 1 MB.
const keepExchanges = 4096

// beginHTTP has the bytes of a session looked at, from the first one on.
func (r *reactor) beginHTTP(s *session) {
	h := &exchange{}
	if n := len(r.exchanges); n > 0 {
		h = r.exchanges[n-1]
		r.exchanges = r.exchanges[:n-1]
	}
	l, rules := s.layered(), s.service.http
	h.conn.Reset(&rules.Rules, http1.Client{Addr: s.client, TLS: l.end[down] != nil || l.secure, Existing: rules.treats(s.client)})
	h.to[up] = splice.Edited{Relay: &s.relay[up], Editor: h.conn.Requests()}
	h.to[down] = splice.Edited{Relay: &s.relay[down], Editor: h.conn.Responses()}
	l.http, l.flow[up], l.flow[down] = h, &h.to[up], &h.to[down]
}

// exchange returns the HTTP of a session, nil if it has none.
func (s *session) exchange() *exchange {
	if s.layers == nil {
		return nil
	}
	return s.layers.http
}

// endHTTP takes back what a session that is over had.
func (r *reactor) endHTTP(s *session) {
	h := s.exchange()
	if h == nil {
		return
	}
	s.layers.http, s.layers.flow = nil, [2]splice.Flow{}
	if len(r.exchanges) < keepExchanges {
		*h = exchange{}
		r.exchanges = append(r.exchanges, h)
	}
}

// attend looks after the requests of a session when something has moved.
func (r *reactor) attend(s *session, h *exchange) {
	if h.conn.Refused() != nil {
		r.refuse(s, h)
		return
	}
	limit := s.service.conf.HTTP.Timeout
	if n := h.conn.Reading(); n != h.reading && limit > 0 {
		h.reading = n
		r.deadlines.lift(s)
		if n == 0 {
			r.touch(s)
			return
		}
		if idle := s.service.conf.Timeout.Idle; idle > 0 {
			limit = min(limit, idle)
		}
		r.deadlines.set(s, r.now, limit)
	}
}

// headIsDue tells if the deadline of a session is for the head of a request.
func (s *session) headIsDue() bool {
	h := s.exchange()
	return h != nil && h.reading != 0
}

// tooSlow refuses a request whose head has not come in time.
func (r *reactor) tooSlow(s *session) {
	h := s.exchange()
	h.reading = 0
	h.conn.Refuse(http1.TooSlow)
	r.refuse(s, h)
	if s.state == stateRelaying {
		r.touch(s)
	}
}

// refuse ends a session whose client has sent a request that is not let through. It may have to wait: the client gets the
// refusal behind the responses to what it has asked before.
func (r *reactor) refuse(s *session, h *exchange) {
	why := h.conn.Refused()
	if s.why == reasonNone {
		s.because(reasonRequest)
		if r.debugging(1) {
			r.engine.report(1, "refusing a request of client %s: %d, %s", clientName(s.client), why.Status, why.Why)
		}
	}
	if h.reading != 0 {
		h.reading = 0
		r.deadlines.lift(s)
		r.touch(s)
	}
	due, reply := h.conn.Due()
	switch {
	case s.ended.has(down): // the server has, and so there is no place for a reply
		r.lose(s, up)
	case h.over || !due:
	default:
		h.over = true
		if reply {
			s.relay[down].Hold(r.pool, why.Reply())
		}
		s.layers.flow[down] = farewell{&s.relay[down]}
		if s.relay[down].Held() == 0 {
			r.farewell(s)
		} else {
			r.postpone(s)
		}
	}
}

// farewell is the Flow of last words: it sends what the relay holds and reads no more. They are nobody's traffic.
type farewell struct{ *splice.Relay }

// Pump is part of splice.Flow.
func (f farewell) Pump(p *splice.Pool, _, dst splice.End, _ int) (n int, s splice.Status) {
	if _, _, s = f.PumpUpTo(p, nil, dst, 0, 0); s == splice.Again {
		s = splice.EOF
	}
	return 0, s
}

// farewell closes the server's side of a session whose client has been told why.
func (r *reactor) farewell(s *session) {
	s.ended.add(down)
	r.lose(s, up)
}
