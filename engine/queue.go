package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pen/poller"
)

// The line of a service: clients for whom every server is full wait there, first come, first served, over all reactors.
//
// Problem: a place is given back on one reactor, who waits for it belongs to another one, and newcomers on a third must
// not get there first. Nobody polls.
//
// Rule: who gives a place back while somebody waits does not give it back at all, but hands it to the first one in line
// whom the server may serve. The place stays taken until it is used, so no newcomer sees it. The session learns of it by
// Post; if it is gone by then, its reactor hands the place on.
//
// Places that become free in another way – a limit was raised, a server came back – are offered to the line when that
// happens, and whoever joins the line has it look for a place that was given back in the meantime.
//
// Invariant: a waiter is in the line, or has been handed a place, or has left; it is moved from the first to one of the
// others under the lock, by whoever finds it there.

// line is the queue of one service. Its lock is taken when somebody waits, never otherwise.
type line struct {
	waiting atomic.Int32 // length; may be read without the lock
	start   time.Time    // the engine's clock counts from here

	mu      sync.Mutex
	first   *waiter
	last    *waiter
	service *service // of the newest plan: by its limits places are handed out
}

// waiter is a session in line. All but the links is constant.
type waiter struct {
	reactor *reactor
	session *session // only its own reactor looks at it
	client  netip.Addr
	choice  *choice // of its route
	last    int32   // id of the server that the client used last
	only    int32   // id of the only server that it may get; none = any

	prev, next *waiter
	in         bool // in the line
}

// maxWaits is how often a session may join the line: again if the server whose place it got fails.
const maxWaits = 3

// follow has places handed out by the limits of v from now on.
func (l *line) follow(v *service) {
	l.mu.Lock()
	l.service = v
	l.mu.Unlock()
}

// join adds a waiter at the end, or at the head if it has been in line before. false means that there is no room.
func (l *line) join(w *waiter, room int, again bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(l.waiting.Load()) >= room {
		return false
	}
	switch {
	case l.first == nil:
		l.first, l.last = w, w
	case again:
		w.next, l.first.prev, l.first = l.first, w, w
	default:
		w.prev, l.last.next, l.last = l.last, w, w
	}
	w.in = true
	l.waiting.Add(1)
	return true
}

// leave takes a waiter out. false means that it has been handed a place, and is being told of it.
func (l *line) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !w.in {
		return false
	}
	l.remove(w)
	return true
}

func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.in = nil, nil, false
	l.waiting.Add(-1)
}

// pass hands on a place on v that is about to be given back. false means that nobody in line may have it.
func (l *line) pass(v *server) bool {
	return l.hand(v, func(limit int) bool { return limit == 0 || int(v.reserved.Load()) <= limit })
}

// offer hands out the places that are free on v, for as long as somebody in line may have one.
func (l *line) offer(v *server) {
	for l.waiting.Load() > 0 && l.hand(v, v.reserve) {
	}
}

// offerAll is offer for all servers of a service.
func (l *line) offerAll(v *service) {
	for i := range v.places {
		if v.places[i].server != nil {
			l.offer(v.places[i].server)
		}
	}
}

// hand gives a place on v to the first waiter that may have it and for whose limit take takes it.
func (l *line) hand(v *server, take func(limit int) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := l.service
	i := to.indexOf(v.id)
	if i == none || !to.places[i].usable() || to.places[i].blacklisted(int64(time.Since(l.start))) {
		return false
	}
	p, full := &to.places[i], false
	for w := l.first; w != nil && (!full || p.hard > p.max); w = w.next {
		own := w.last == v.id
		switch {
		case full && !own || !w.fits(to, p):
		case take(p.limit(own)):
			l.remove(w)
			w.reactor.Post(func() { w.reactor.called(w, to, p) })
			return true
		default:
			full = true // for strangers; its own clients may go up to hard
		}
	}
	return false
}

// fits tells if a waiter may get a place.
func (w *waiter) fits(v *service, p *place) bool {
	return (w.only == none || w.only == p.id) && v.along(w.choice).indexOf(p.id) != none && !p.bars(v.returning(w.last, p.id)) && p.acl.Permit(w.client)
}

// enqueue has a client wait if a server that may serve it is full and the line has room.
func (r *reactor) enqueue(s *session) bool {
	v := s.service
	l := v.state.line
	if s.marks&markFull == 0 || v.conf.Limit.Queue == 0 || s.waits == maxWaits {
		return false
	}
	w := &waiter{reactor: r, session: s, client: s.client, choice: v.choice, last: s.last, only: none}
	if v.conf.Balance.Stubborn {
		w.only = v.places[s.first].id
	}
	if s.state == stateStarved {
		r.fed()
		s.state = stateWaiting
	}
	if !l.join(w, v.conf.Limit.Queue, s.waits > 0) {
		return false
	}
	s.marks &^= markFull
	s.waits++
	s.state = stateQueued
	r.lined[s] = w
	r.deadlines.set(s, r.now, v.conf.Limit.QueueTime)
	l.offerAll(v) // a place may have been given back while we looked elsewhere
	return true
}

// called takes the place that a waiter was handed; v is the service by whose plan.
func (r *reactor) called(w *waiter, v *service, p *place) {
	s := w.session
	if r.lined[s] != w { // it has gone meanwhile
		r.promised--
		p.release()
		return
	}
	defer r.contain(s)
	delete(r.lined, s)
	r.deadlines.lift(s)
	s.service, s.state, s.tried = v.along(w.choice), stateWaiting, 0
	s.first = int32(s.service.indexOf(p.id))
	if !r.engage(s, p) {
		s.tried++
		r.seek(s)
	}
}

// leaveLine takes a session out of the line.
func (r *reactor) leaveLine(s *session) {
	w := r.lined[s]
	delete(r.lined, s)
	if !s.service.state.line.leave(w) {
		r.promised++
	}
}

// unserved goes on with a session that has waited in vain: all servers are asked once more, then the emergency server.
func (r *reactor) unserved(s *session) {
	r.leaveLine(s)
	s.state, s.waits, s.tried = stateWaiting, maxWaits, 0
	r.seek(s)
}

// returning tells if a client is a server's own: the one that the client used last, in a service that looks at that.
func (v *service) returning(last, server int32) bool {
	return last == server && !v.conf.Balance.RoundRobin
}

// abandoned ends a session in which nobody but the client takes part yet, when the client has gone: its stream ended
// before it said anything, or broke.
func (r *reactor) abandoned(s *session) {
	if !s.readable.has(down) {
		return
	}
	if e := s.tls(down); e != nil {
		r.abandonedTLS(s, e)
		return
	}
	var b [1]byte
	n, _, err := unix.Recvfrom(int(s.sock[down].FD), b[:], unix.MSG_PEEK)
	switch {
	case err == unix.EAGAIN:
		s.readable.remove(down)
		r.arm(s, down, poller.Readable)
	case err == nil && n > 0 || err == unix.EINTR: // stays unread
	default:
		s.because(reasonClient)
		r.retire(s)
	}
}
