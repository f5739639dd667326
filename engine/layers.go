package engine

import (
	"net/netip"

	"pen/engine/tlsio"
	"pen/splice"
)

// What looks at the bytes of a session, rather than only moving them: TLS stands on top of a socket, and an
// editor of HTTP in the place of a plain relay. Few services want either, so a session without them has no layers.

// layers is what a session has that is more than two sockets and two relays.
type layers struct {
	end     [2]*tlsio.End  // by side, made in greet or introduce and closed with its side; nil = the socket itself
	flow    [2]splice.Flow // by the side it leads to: HTTP; nil = the plain relay
	http    *exchange      // nil = requests are not looked at
	leaving sides          // whose goodbye is kept until there is room for it; their streams end with it
	shaken  *tlsio.End     // with the client, when the handshake is done; it tells what was agreed on, even closed
	step    step           // of the greeting: the one that it is at
	to      netip.AddrPort // whom the client has connected to, by its PROXY header; not valid = we were not told
	secure  bool           // it speaks TLS with the proxy in front, likewise
}

// layered returns the layers of a session, made at the first call.
func (s *session) layered() *layers {
	if s.layers == nil {
		s.layers = &layers{}
	}
	return s.layers
}

// end returns what a side is read from and written to.
func (s *session) end(x side) splice.End {
	if e := s.tls(x); e != nil {
		return e
	}
	return &s.sock[x]
}

// flow returns what moves the bytes towards a side.
func (s *session) flow(to side) splice.Flow {
	switch {
	case s.broken.has(to):
		return splice.Discard{}
	case s.layers != nil && s.layers.flow[to] != nil:
		return s.layers.flow[to]
	}
	return &s.relay[to]
}

// closeFlow drops what waits to be written to a side.
func (r *reactor) closeFlow(s *session, to side) {
	if s.layers != nil && s.layers.flow[to] != nil {
		s.layers.flow[to].Close(r.pool)
	}
	s.relay[to].Close(r.pool)
}

func (r *reactor) closeFlows(s *session) {
	r.closeFlow(s, down)
	r.closeFlow(s, up)
}

// goodbye tells a side, if it has a way to say so, that no more bytes follow and none were lost.
func (s *session) goodbye(x side) {
	if e := s.tls(x); e != nil && !s.broken.has(x) {
		e.Goodbye()
	}
}

// strip takes TLS off a side whose socket is being closed.
func (r *reactor) strip(s *session, x side) {
	if e := s.tls(x); e != nil {
		r.stripped(s, x, e)
		e.Close(r.pool)
		s.layers.end[x] = nil
	}
}
