package engine

import (
	"net/netip"

	"pen/engine/tlsio"
	"pen/splice"
)

// What looks at the bytes of a session, rather than only moving them: TLS stands on top of a socket as its layer, and an
// editor of HTTP in the place of a plain relay. Few services want either, so a session without them has no layers.

// layer is an end on top of a side's socket. It is the session's: made in greet or introduce, and closed with its side.
type layer interface {
	splice.End

	// Goodbye tells the peer, as far as the socket has room, that no more bytes follow and none were lost: close_notify.
	// It comes before the socket is shut down or closed, unless bytes may have been lost. It may come twice.
	Goodbye()

	// Close gives back what the layer holds. The socket is not its property.
	Close(p *splice.Pool)
}

// layers is what a session has that is more than two sockets and two relays.
type layers struct {
	end     [2]layer       // by side: TLS; nil = the socket itself
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
	if s.layers != nil && s.layers.end[x] != nil {
		return s.layers.end[x]
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
	if s.layers != nil && s.layers.end[x] != nil && !s.broken.has(x) {
		s.layers.end[x].Goodbye()
	}
}

// strip takes the layer off a side whose socket is being closed.
func (r *reactor) strip(s *session, x side) {
	if s.layers != nil && s.layers.end[x] != nil {
		if e := s.tls(x); e != nil {
			r.stripped(s, x, e)
		}
		s.layers.end[x].Close(r.pool)
		s.layers.end[x] = nil
	}
}
