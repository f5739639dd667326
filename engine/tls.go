package engine

import (
	"pen/engine/tlsio"
	"pen/poller"
	"pen/splice"
)

// TLS in the life of a session: with the client it is the last step of the greeting, with the server it comes between
// connect and relay. From then on a TLS end stands where the socket stood, and nothing else changes but for two things.
// Such an end may have something to say of its own, for which the socket has no room (flushEnds). And it says goodbye
// before its stream ends, so that the peer can tell that from a connection that was cut (endWriting).
//
// A peer that ends its stream without a goodbye was cut off, or cannot be told from it: what it sent is delivered, then the
// session is over, and a TLS peer on the other side is not told that this was all. Between two plain sockets there is no
// such word; there the end of the stream is all that can be passed on.

// tls is the TLS end of a side, nil if it has none.
func (s *session) tls(x side) *tlsio.End {
	if s.layers == nil {
		return nil
	}
	return s.layers.end[x]
}

// encrypt is the step in which the client and we agree on TLS.
func (r *reactor) encrypt(s *session) greeting {
	e := s.tls(down)
	switch {
	case e != nil: // it goes on, even if the service has a new plan
	case s.service.tls == nil:
		return passed
	default:
		e = r.tls.Server(&s.sock[down], s.service.tls.Config())
		e.Owner = s
		s.layers.end[down] = e
	}
	switch progress, err := r.shakeHands(s, down, e); progress {
	case tlsio.Done:
		s.layers.shaken = e
		r.counters.service(s.service.state.id).tls.done(e)
		r.counters.service(s.service.state.id).shaken.Observe(r.now - s.begun)
		return passed
	case tlsio.Failed:
		r.unencrypted(s, e, err)
		return over
	}
	return waits
}

// shakeHands goes on with a handshake, if what it waits for is there, and sees to it that it goes on.
func (r *reactor) shakeHands(s *session, x side, e *tlsio.End) (tlsio.Progress, error) {
	switch wait := e.Waits(); {
	case wait == tlsio.WantRead && !s.readable.has(x), wait == tlsio.WantWrite && !s.writable.has(x):
		return wait, nil
	}
	progress, err := e.Handshake()
	switch progress {
	case tlsio.WantRead:
		s.readable.remove(x)
		r.arm(s, x, poller.Readable)
	case tlsio.WantWrite:
		s.writable.remove(x)
		r.arm(s, x, poller.Writable)
	case tlsio.Done:
		s.readable.add(x) // there may be bytes behind the handshake that have been read with it
	}
	return progress, err
}

// unencrypted ends a session with whose client there was no agreeing. The alert that says so has been sent, and is to be
// read.
func (r *reactor) unencrypted(s *session, e *tlsio.End, err error) {
	failure := e.FailureOf(err)
	r.counters.service(s.service.state.id).tls.Failed[failure]++
	if r.debugging(1) {
		r.engine.report(1, "closing client %s: TLS handshake: %v", clientName(s.client), err)
	}
	s.because(reasonHandshake)
	if failure == tlsio.FailureClosed {
		r.retire(s)
		return
	}
	r.lose(s, up)
}

// encryptUp agrees on TLS with a server that has been connected to. One with which that fails counts as one that can't be
// connected to.
func (r *reactor) encryptUp(s *session) {
	e := s.tls(up)
	if e == nil {
		e = r.tls.Client(&s.sock[up], s.server.tls.Config())
		e.Owner = s
		l := s.layered()
		l.end[up], l.step = e, stepDone
	}
	switch progress, err := r.shakeHands(s, up, e); progress {
	case tlsio.Done:
		r.counters.server(s.server.id).tls.done(e)
		r.established(s)
	case tlsio.Failed:
		r.counters.server(s.server.id).tls.Failed[e.FailureOf(err)]++
		r.connectFailed(s, handshakeError{err})
	}
}

// handshakeError is the end of a connect to a server with which TLS came to nothing.
type handshakeError struct{ err error }

func (h handshakeError) Error() string { return "TLS handshake: " + h.err.Error() }
func (h handshakeError) Unwrap() error { return h.err }

// signed goes on with a handshake for which a signature has been made.
func (r *reactor) signed(e *tlsio.End) {
	s, _ := e.Owner.(*session)
	if s == nil {
		return // it was given up
	}
	defer r.contain(s)
	switch {
	case s.tls(down) == e && s.beingGreeted():
		r.greet(s)
	case s.tls(up) == e && s.state == stateConnecting:
		r.encryptUp(s)
	}
}

// stripped counts a handshake with a client that is being given up, as its socket is closed.
func (r *reactor) stripped(s *session, x side, e *tlsio.End) {
	if x == up || e.Waits() >= tlsio.Done {
		return
	}
	why := tlsio.FailureClosed
	if s.why == reasonSlow {
		why = tlsio.FailureTimeout
	}
	r.counters.service(s.service.state.id).tls.Failed[why]++
}

// endWriting ends the stream to a side whose last byte has been written.
func (r *reactor) endWriting(s *session, to side) {
	s.goodbye(to)
	if e := s.tls(to); e != nil && e.Keeps() {
		s.layers.leaving.add(to)
		return
	}
	shutdownWrite(int(s.sock[to].FD))
}

// endBoth ends a session both of whose streams have ended, when all is said.
func (r *reactor) endBoth(s *session, last side) {
	s.goodbye(last)
	if e := s.tls(last); e != nil && e.Keeps() {
		s.layers.leaving.add(last)
	}
	if s.layers == nil || s.layers.leaving == 0 {
		r.retire(s)
	}
}

// flushEnds sends what TLS ends keep that is not waited for by a flow: answers to key updates, the goodbye.
func (r *reactor) flushEnds(s *session) {
	for x := down; x <= up && s.state == stateRelaying; x++ {
		e := s.tls(x)
		if e == nil || !e.Keeps() || !s.writable.has(x) || s.broken.has(x) {
			continue
		}
		switch _, err := e.Write(nil); {
		case err == splice.ErrAgain:
			s.writable.remove(x)
			r.arm(s, x, poller.Writable)
		case err != nil:
			s.layers.leaving.remove(x)
			s.because(either(x, reasonClientReset, reasonServerReset))
			r.sinkFailed(s, x)
		case s.layers.leaving.has(x):
			s.layers.leaving.remove(x)
			if s.ended != bothSides {
				shutdownWrite(int(s.sock[x].FD))
			} else if s.layers.leaving == 0 {
				r.retire(s)
			}
		}
	}
}

// explain reports why TLS with a side has broken off, if it has.
func (r *reactor) explain(s *session, x side) {
	e := s.tls(x)
	if e == nil || e.Err() == nil || !r.debugging(1) {
		return
	}
	r.engine.report(1, "TLS with %s: %v", either(x, "client "+clientName(s.client), "server "+s.server.addr.text), e.Err())
}

// saysSomething tells if there is a byte of the client to be read, or its end. Without TLS it need not be asked: then
// something has come.
func (r *reactor) saysSomething(s *session) bool {
	e := s.tls(down)
	if e == nil || e.Fill() != splice.ErrAgain {
		return true
	}
	s.readable.remove(down)
	r.arm(s, down, poller.Readable)
	return false
}

// abandonedTLS is abandoned for a client that speaks TLS, which may have said goodbye while it waited.
func (r *reactor) abandonedTLS(s *session, e *tlsio.End) {
	switch err := e.Fill(); err {
	case nil:
	case splice.ErrAgain:
		s.readable.remove(down)
		r.arm(s, down, poller.Readable)
	default:
		s.because(reasonClient)
		r.retire(s)
	}
}
