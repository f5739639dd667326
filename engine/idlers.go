package engine

import (
	"time"

	"pen/poller"
	"pen/splice"
)

// Idlers are connections to servers without a client: N of them for a service, each to the next server of the round
// robin, and replaced when they close. They are sessions that the first reactor keeps, without a number.

// idlerRetry is the time before an idler that was lost is replaced, so that a server that closes them at once, or
// that is down, is not stormed.
const idlerRetry = time.Second

// keepIdlers brings the number of idlers of each service to what the plan wants.
func (r *reactor) keepIdlers() {
	r.idlersDue = 0
	if r.id != 0 || r.stopping {
		return
	}
	have := map[*serviceState]int{}
	r.each(func(s *session) {
		if s.number == none {
			have[s.service.state]++
		}
	})
	for _, v := range r.plan.services {
		for n := have[v.state]; n < v.conf.Idlers; n++ {
			r.startIdler(v)
		}
		have[v.state] -= v.conf.Idlers
	}
	r.each(func(s *session) {
		if s.number == none && have[s.service.state] > 0 {
			have[s.service.state]--
			r.retire(s)
		}
	})
}

// startIdler begins to connect one.
func (r *reactor) startIdler(v *service) {
	s := r.newSession(v, none)
	s.state = stateWaiting
	s.first = int32(v.byTurn(r.now))
	if s.first == none || !r.connect(s, &v.places[s.first]) {
		r.retire(s)
	}
}

// idlerEnds reads what a server has to say on an idler, which goes nowhere, and gives the idler up when it ends.
func (r *reactor) idlerEnds(s *session) {
	if !s.readable.has(up) {
		return
	}
	switch _, status := (splice.Discard{}).Pump(r.pool, &s.sock[up], nil, turnBudget); status {
	case splice.Again:
		r.postpone(s)
	case splice.NeedRead:
		s.readable.remove(up)
		r.arm(s, up, poller.Readable)
	default:
		r.retire(s)
	}
}

// idlerGone has a lost idler replaced in a while.
func (r *reactor) idlerGone() {
	if !r.stopping {
		r.idlersDue = r.now + int64(idlerRetry)
	}
}
