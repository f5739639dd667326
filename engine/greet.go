package engine

import (
	"golang.org/x/sys/unix"

	"pen/conf"
	"pen/poller"
)

// What has to be known about a client before a server is chosen for it, and what a server is told before it gets the
// client's bytes.
//
// A client is greeted step by step. Each step takes what it wants, waits until that has come, and leaves the rest to
// the next. A step that wants no more than to look (at a header, at the name that a TLS client asks for) peeks, so that
// a client which is slow or silent holds nothing but its socket. handshake_timeout bounds the whole.

// step is a step of the greeting, in order.
type step uint8

const (
	stepProxy step = iota // the header of a proxy that we trust
	stepAdmit             // access list, limits
	stepRoute             // what a TLS client asks for, where there are routes
	stepTLS               // the handshake
	stepDone
)

// greeting is how a step went.
type greeting uint8

const (
	passed greeting = iota
	waits           // to be taken again when the client has sent more; the poller has been asked
	over            // the session has been dealt with
)

// greets tells if clients of the service are greeted by more than the access list.
func (v *service) greets() bool { return v.conf.Proxy.Accept || v.routes != nil || v.tls != nil }

// beingGreeted tells if the session waits in one of the steps.
func (s *session) beingGreeted() bool {
	return s.state == stateWaiting && s.layers != nil && s.layers.step < stepDone
}

// greet takes a client through the steps, from the one at which it waited.
func (r *reactor) greet(s *session) {
	for l := s.layers; l.step < stepDone; l.step++ {
		how := over
		switch l.step {
		case stepProxy:
			how = r.takeProxy(s)
		case stepAdmit:
			how = r.admit(s)
		case stepRoute:
			how = r.takeRoute(s)
		case stepTLS:
			how = r.encrypt(s)
		}
		if how != passed {
			return
		}
	}
	r.deadlines.lift(s)
	r.receive(s)
}

// admit looks the client up in the access list, and in the limits of its address.
func (r *reactor) admit(s *session) greeting {
	switch {
	case !s.service.acl.Permit(s.client):
		return r.turnAway(s)
	case !r.welcome(s):
		return over
	}
	return passed
}

// turnAway has a client that the access list denies sent to the abuse server, or away.
func (r *reactor) turnAway(s *session) greeting {
	r.counters.service(s.service.state.id).denied++
	s.because(reasonDenied)
	if s.service.abuse == nil {
		r.retire(s)
		return over
	}
	s.first = abuseIndex
	return passed
}

// receive goes on with a client that has been greeted: a dummy and a service with peek wait for its first bytes.
func (r *reactor) receive(s *session) {
	switch v := s.service.conf; {
	case s.first == abuseIndex:
		r.seek(s)
	case v.Dummy || v.TCP.Peek:
		r.touch(s)
		r.firstBytes(s)
	default:
		r.choose(s)
	}
}

// look peeks at what a client has sent and not yet been read, up to the size of b. The bytes stay in the socket. waits
// means that there is none, over that the client has gone.
func (r *reactor) look(s *session, b []byte) (seen []byte, how greeting) {
	if !s.readable.has(down) {
		return nil, waits
	}
	n, _, err := unix.Recvfrom(int(s.sock[down].FD), b, unix.MSG_PEEK)
	switch {
	case err == unix.EAGAIN:
		return nil, r.lookAgain(s)
	case err != nil || n == 0:
		s.because(reasonClient)
		r.retire(s)
		return nil, over
	}
	return b[:n], passed
}

// lookAgain waits for the client to send more than has been looked at. It is over if the client's stream has ended.
func (r *reactor) lookAgain(s *session) greeting {
	if s.sock[down].Hangup || s.sock[down].Failed {
		s.because(reasonClient)
		r.retire(s)
		return over
	}
	s.readable.remove(down)
	r.arm(s, down, poller.Readable)
	return waits
}

// introduce tells a server that has been connected to what it wants to know before the client's bytes. An idler has no
// client to speak of.
func (r *reactor) introduce(s *session) {
	if s.server.proxy != conf.ProxyNone && s.number != none {
		if err := r.sendProxy(s); err != nil {
			r.connectFailed(s, err)
			return
		}
	}
	if s.server.tls != nil {
		r.encryptUp(s)
		return
	}
	r.established(s)
}
