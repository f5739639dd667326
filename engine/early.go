package engine

import (
	"io"

	"pen/splice"
)

// What a client has sent by the time that it is accepted is read before its server is connected to. Then the server's
// first packet can be the client's request and the end of the handshake in one, and the server hears of the connection
// once, not twice: a packet in ten of a short connection, and a good part of the CPU that it takes at both ends.

// earlyBytes is how much is read, which is what a session that is connecting may hold.
const earlyBytes = 4 << 10

// readEarly reads what the client has sent so far, if nobody wants to see it first, and tells if the server can expect
// bytes as soon as it is connected to. false as the second result means that the client has gone.
func (r *reactor) readEarly(s *session) (some, ok bool) {
	if s.number == none || s.layers != nil || s.service.conf.Log != "" || r.debugging(dumpLevel) {
		return false, true
	}
	if s.relay[up].Held() > 0 { // this is not the first server that is tried
		return true, true
	}
	buf := r.pool.Scratch()[:earlyBytes]
	n, err := s.sock[down].Read(buf)
	s.relay[up].Hold(r.pool, buf[:n])
	switch err {
	case nil, io.EOF: // an end will be read again
	case splice.ErrAgain:
		s.readable.remove(down)
	default:
		return false, false
	}
	return n > 0, true
}
