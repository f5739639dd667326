package engine

import (
	"pen/poller"
	"pen/splice"
)

// dummyReply is what pen's built-in web server answers to whatever it is sent.
var dummyReply = []byte("HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Type: text/html\r\n\r\nUlric was here.")

// serveDummy answers a client of a service that is a dummy web server, once it has said something.
func (r *reactor) serveDummy(s *session) {
	n, status := splice.Discard{}.Pump(r.pool, s.end(down), nil, turnBudget)
	switch {
	case n > 0: // a new socket has room for so few bytes
		s.end(down).Write(dummyReply)
		s.moved[down] += uint64(len(dummyReply))
		s.because(reasonDummy)
		s.ended.add(down)
		r.lose(s, up)
	case status == splice.NeedRead:
		s.readable.remove(down)
		r.arm(s, down, poller.Readable)
	default:
		r.retire(s)
	}
}
