package engine

// What happens to a client that is over a limit of its address: its connection is closed, or it is kept open for a
// while without a server, so that who asks too much gets slow. The tarpit is bounded in time by limit_action, and in
// number by a share of the connection table; who does not find room there is closed.

// tarpitShare is the part of the connection table that the tarpits of all reactors may take.
const tarpitShare = 4 // a quarter

// welcome tells if a client is within the limits of its service. If it is not, the session has been dealt with.
func (r *reactor) welcome(s *session) bool {
	limit := &s.service.conf.Limit
	if limit.Clients == 0 && limit.Rate == 0 {
		return true
	}
	if r.engine.visitors.enter(s.service.visitor(s.client), limit, r.now) {
		s.marks |= markCounted
		return true
	}
	s.because(reasonLimit)
	_, size := r.engine.connections.count()
	if !limit.Tarpit || r.tarpit >= size/tarpitShare/len(r.engine.reactors) {
		r.retire(s)
		return false
	}
	r.tarpit++
	s.state = stateTarpit
	r.deadlines.set(s, r.now, limit.TarpitTime)
	return false
}
