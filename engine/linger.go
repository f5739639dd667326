package engine

import (
	"time"

	"pen/poller"
	"pen/splice"
)

// How a session ends whose one side is gone before the other: the other gets to read all that was sent to it.

const (
	lingerTime  = 5 * time.Second // for the other side to end; it then has had its data or never will
	lingerBytes = 1 << 20         // thrown away at most meanwhile; who sends more is not waiting for an answer
)

// sinkFailed goes on with a side that does not take bytes any more. What it has sent before is still to be delivered,
// and who writes to it must not be held up.
func (r *reactor) sinkFailed(s *session, to side) {
	from := to.other()
	r.closeFlow(s, to)
	s.broken.add(to)
	if h := s.exchange(); h != nil && to == down {
		h.conn.Lose() // the responses are thrown away
	}
	if s.ended.has(from) {
		r.lose(s, to)
		return
	}
	s.readable.add(to)
	s.readable.add(from)
	r.postpone(s)
}

// lose closes one side, which has ended or failed, and lingers over the other: closing a socket with unread bytes in
// it resets the connection, and the peer would lose what it has not read yet (RFC 1122, 4.2.2.13).
func (r *reactor) lose(s *session, gone side) {
	left := gone.other()
	over := s.ended.has(gone) // the stream from the side that is left has ended, so nothing unread can come
	r.closeFlows(s)
	if over {
		r.retire(s)
		return
	}
	if gone == up && s.holds {
		r.leaveServer(s)
	} else {
		r.close(s, gone)
	}
	s.state, s.spent = stateLingering, 0
	if s.ended.has(left) { // else it misses something, and is to know
		s.goodbye(left)
	}
	shutdownWrite(int(s.sock[left].FD))
	r.deadlines.set(s, r.now, lingerTime)
	s.readable.add(left)
	r.linger(s)
}

// linger throws away what the side that is left sends, until it ends.
func (r *reactor) linger(s *session) {
	left := down
	if s.sock[down].FD < 0 {
		left = up
	}
	if !s.readable.has(left) {
		return
	}
	n, status := splice.Discard{}.Pump(r.pool, &s.sock[left], nil, turnBudget)
	s.spent += int32(n)
	switch {
	case status != splice.NeedRead && status != splice.Again, s.spent > lingerBytes:
		r.retire(s)
	case status == splice.NeedRead:
		s.readable.remove(left)
		r.arm(s, left, poller.Readable)
	default:
		r.postpone(s)
	}
}
