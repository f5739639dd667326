package engine

import "time"

// The flows of a reactor. Together with the connections they are no more than conn_max; when there are so many, a flow
// gives way to whoever is new, client of streams or of datagrams: the one that was silent longest.

// add enters a flow.
func (l *datagramListener) add(f *flow) {
	if f.spokenFor() {
		l.proxied[f.proxiedKey()] = f
	} else {
		l.flows[f.key] = f
	}
	l.link(f)
}

// remove takes a flow out.
func (l *datagramListener) remove(f *flow) {
	if f.spokenFor() {
		delete(l.proxied, f.proxiedKey())
	} else {
		delete(l.flows, f.key)
	}
	l.unlink(f)
}

// refresh makes a flow the one that was used last.
func (l *datagramListener) refresh(f *flow) {
	if l.newest != f {
		l.unlink(f)
		l.link(f)
	}
}

func (l *datagramListener) link(f *flow) {
	f.older, f.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = f
	} else {
		l.oldest = f
	}
	l.newest = f
}

func (l *datagramListener) unlink(f *flow) {
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		l.newest = f.older
	}
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		l.oldest = f.newer
	}
}

// oldestFlow returns the flow of the reactor that was silent longest, nil if it has none.
func (r *reactor) oldestFlow() (oldest *flow) {
	for _, l := range r.udp.listeners {
		if f := l.oldest; f != nil && (oldest == nil || f.used < oldest.used) {
			oldest = f
		}
	}
	return oldest
}

// flowCount returns how many flows the reactor has.
func (r *reactor) flowCount() (n int) {
	for _, l := range r.udp.listeners {
		n += len(l.flows) + len(l.proxied)
	}
	return n
}

// evict ends up to n flows, those that were silent longest, and returns how many.
func (r *reactor) evict(n int) int {
	for i := range n {
		f := r.oldestFlow()
		if f == nil {
			return i
		}
		r.counters.datagramsOf(f.service.state).flows.Evicted++
		r.endFlow(f, reasonEvicted)
	}
	return n
}

// takeNumber takes a number for a connection or a flow out of the connection table. If that is full, the reactor's
// oldest flow gives way. If it has none, the others are asked to end one, and waiting, unless it is nil, is told when
// there is a number.
func (r *reactor) takeNumber(waiting *reactor) (int32, bool) {
	if n, ok := r.engine.connections.take(nil); ok {
		return n, true
	}
	if n := r.flowCount(); n == 0 || n < r.flowShare() {
		r.askForRoom()
	}
	if r.evict(1) == 0 {
		return r.engine.connections.take(waiting)
	}
	last := len(r.handed) - 1 // what the flow has just given back
	n := r.handed[last]
	r.handed = r.handed[:last]
	return n, true
}

// flowShare is how many flows a reactor may have without being asked to give some up.
func (r *reactor) flowShare() int {
	_, most := r.engine.connections.count()
	return most / len(r.engine.reactors)
}

// askForRoom has the other reactors end a flow each, if they have more than their share or this one has none.
// It does so once in a turn.
func (r *reactor) askForRoom() {
	if r.udp.asked {
		return
	}
	r.udp.asked = true
	needy := r.flowCount() == 0
	for _, other := range r.engine.reactors {
		if other != r {
			other.Post(func() {
				if needy || other.flowCount() > other.flowShare() {
					other.evict(1)
				}
			})
		}
	}
}

// expireFlows ends the flows that were silent for udp_timeout.
func (r *reactor) expireFlows() {
	for _, l := range r.udp.listeners {
		wait := l.wait()
		for wait > 0 && l.oldest != nil && l.oldest.used+wait <= r.now {
			r.endFlow(l.oldest, reasonIdle)
		}
	}
}

// flowsDue is the time at which the next flow ends by its silence; 0 = none does.
func (r *reactor) flowsDue() (at int64) {
	for _, l := range r.udp.listeners {
		if wait := l.wait(); wait > 0 && l.oldest != nil && (at == 0 || l.oldest.used+wait < at) {
			at = l.oldest.used + wait
		}
	}
	return at
}

// wait is how long a flow may be silent; 0 = for ever.
func (l *datagramListener) wait() int64 { return int64(l.service.conf.Flow.Timeout / time.Nanosecond) }

// eachFlow calls f for every flow, in no order.
func (r *reactor) eachFlow(f func(*flow)) {
	for _, l := range r.udp.listeners {
		for x := l.oldest; x != nil; x = x.newer {
			f(x)
		}
	}
}

// recycleFlows makes what ended in this turn available again, when nothing that is to be sent can mean it any more.
func (r *reactor) recycleFlows() {
	for i, f := range r.udp.retired {
		r.udp.spare = append(r.udp.spare, f)
		r.udp.retired[i] = nil
	}
	r.udp.retired = r.udp.retired[:0]
	r.udp.asked = false
}
