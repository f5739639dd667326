package engine

import (
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// The way of a datagram through a reactor. Nothing is copied: it is received into a slot of the reactor's batch and
// sent from there, towards the servers in one call for each run of datagrams of the same flow, towards the clients in
// one call for all that a turn has brought for the same listener.

const (
	readRounds = 4  // batches that are taken from one listener in a turn, so that the others get theirs
	flowBatch  = 16 // datagrams that are taken from the socket of a bulk flow at once
	bulkStreak = 8  // answers without a question in between that make a flow bulk
)

// forwardDatagrams is a reactor's turn, after all flows that had something were read.
func (r *reactor) forwardDatagrams() {
	r.flush()
	for _, l := range r.udp.listeners {
		if l.ready {
			l.ready = false // level-triggered: what is left is told again
			r.fromClients(l)
		}
	}
}

// fromClients forwards what waits in a listener's socket.
func (r *reactor) fromClients(l *datagramListener) {
	for range readRounds {
		n, err := r.udp.batch.receive(l.fd, 0, slots, true)
		if err != nil {
			return // EAGAIN, or an error that reading has cleared
		}
		for i := range n {
			r.fromClient(l, i)
		}
		r.flush()
		if n < slots {
			return
		}
	}
}

// fromClient takes one datagram, or several of one size, to its flow.
func (r *reactor) fromClient(l *datagramListener, slot int) {
	var f *flow
	defer r.containFlow(&f)
	d := r.udp.batch.datagram(slot)
	c := r.counters.datagramsOf(l.service.state)
	count(&c.fromClients, d.count(), len(d.data))
	if d.overflowed {
		c.drop(dropKernel, int(d.overflows-l.overflows))
		l.overflows = d.overflows
	}
	if d.cut {
		c.drop(dropSize, 1)
		return
	}
	key := r.udp.batch.key(slot, l.wildcard)
	if l.service.conf.Proxy.Accept && l.service.trusted.Permit(key.client().Addr()) {
		for chunk := range d.each {
			r.fromProxy(l, key, chunk, &f)
		}
		return
	}
	f = l.flows[*key]
	r.fromFlow(l, key, nil, d, &f)
}

// fromFlow takes what a client has sent to its server. at is the client's flow, which is made if it is nil; it is where a
// panic finds it.
func (r *reactor) fromFlow(l *datagramListener, key *flowKey, proxy *flowProxy, d datagram, at **flow) {
	c := r.counters.datagramsOf(l.service.state)
	if r.udp.to != *at || *at == nil {
		r.flush() // now: the flow's predecessor may have to give way to it
	}
	why, ok := drop(0), true
	if *at == nil {
		*at, why = r.beginFlow(l, key, proxy)
		ok = *at != nil
	} else if !(*at).steady(r.now) {
		r.flush() // to the server that it had
		why, ok = r.settled(*at)
	}
	if !ok {
		c.drop(why, d.count())
		return
	}
	f := *at
	r.useFlow(f)
	f.owed += d.count() * f.responses()
	r.seenDatagrams(f, d, true)
	r.putUp(f, d)
}

// steady tells if settled would find nothing to do.
func (f *flow) steady(now int64) bool {
	return f.service == f.listener.service && f.server != nil && f.server.open(now)
}

// fromServer takes what a server has sent for a client; failed tells that the socket has an error, too.
func (r *reactor) fromServer(f *flow, failed bool) {
	defer r.containFlow(&f)
	if r.udp.from != f.listener || r.udp.filled == slots {
		r.flush()
		r.udp.from = f.listener
	}
	first := r.udp.filled
	n, err := r.fill(f, first)
	r.udp.filled += n
	for slot := first; slot < first+n; slot++ {
		r.answer(f, slot)
	}
	switch {
	case f.listener == nil: // over with its last answer
	case failed || err != nil && err != unix.EAGAIN:
		r.trouble(f, err)
	case f.streak >= bulkStreak && !f.bulk:
		f.bulk = true
		acceptSegments(int(f.fd))
		countOverflows(int(f.fd))
	}
}

// fill receives into the slots from number first on: one datagram, as most answers come alone and the poller tells again
// if there is more, or many where a server sends them in rows.
func (r *reactor) fill(f *flow, first int) (int, error) {
	if f.bulk {
		return r.udp.batch.receive(int(f.fd), first, min(slots-first, flowBatch), false)
	}
	return r.udp.batch.receiveOne(int(f.fd), first)
}

// answer puts what came from a server into the batch for the clients.
func (r *reactor) answer(f *flow, slot int) {
	if f.listener == nil { // over with an answer before this one
		return
	}
	d := r.udp.batch.datagram(slot)
	c := r.counters.datagramsOf(f.service.state)
	count(&c.fromServers, d.count(), len(d.data))
	s := r.counters.server(f.server.id)
	s.received += uint64(len(d.data))
	s.receivedDatagrams += uint64(d.count())
	if d.overflowed {
		c.drop(dropKernel, int(d.overflows-f.overflows))
		f.overflows = d.overflows
	}
	if d.cut {
		c.drop(dropSize, 1)
		return
	}
	f.unanswered = 0
	f.streak++
	f.server.praise()
	r.useFlow(f)
	f.moved[down] += uint64(len(d.data))
	f.firstByte.mark(r.now - f.begun)
	r.seenDatagrams(f, d, false)
	r.udp.batch.put(d, f)
	if f.owed -= d.count(); f.responses() > 0 && f.owed <= 0 {
		r.endFlow(f, reasonAnswered)
	}
}

// trouble finds out what is the matter with the way to a server, and moves the flow if the server can't be reached.
// A datagram that the system gives back, and that must be the one we think of, goes to the next server.
func (r *reactor) trouble(f *flow, err error) {
	lost, err := r.udp.batch.errorOf(int(f.fd), err)
	if err == nil || !unreachable(err) {
		return
	}
	lone := f.unanswered == 1 && f.lastSize == len(lost)
	lost = lost[min(len(f.header()), len(lost)):]
	v := f.service
	r.serverFailed(f, err)
	if !lone {
		r.counters.datagramsOf(v.state).drop(dropUnreachable, 1)
		return
	}
	r.flush()
	if why, ok := r.settled(f); !ok {
		r.counters.datagramsOf(v.state).drop(why, 1)
		return
	}
	r.putUp(f, datagram{data: lost})
	r.flush()
}

// unreachable tells if an error of sending or receiving means that nobody gets what we send to the server.
func unreachable(err error) bool {
	switch err {
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EMSGSIZE, unix.EINTR, unix.EPERM, unix.EACCES, unix.EINVAL, unix.EIO,
		unix.EOPNOTSUPP:
		return false
	}
	return true
}

// flush sends what is in the batch, to a server or to clients.
func (r *reactor) flush() {
	u := &r.udp
	switch {
	case u.batch == nil || u.batch.pending() == 0:
	case u.to != nil:
		r.flushUp(u.to)
	case u.from != nil:
		r.flushDown(u.from)
	}
	if u.batch != nil {
		u.batch.empty()
	}
	u.to, u.from, u.filled = nil, nil, 0
}

// flushUp sends the datagrams of a run to the server of their flow. If that turns out to be dead, what is left goes to
// the next server. Each turn of the loop sends something, gives something up or uses up a candidate.
func (r *reactor) flushUp(f *flow) {
	defer r.containFlow(&f)
	u := &r.udp
	c := r.counters.datagramsOf(f.service.state)
	told := len(f.header()) > 0
	moves := len(f.service.places) + 1 // with blacklist 0 a server that failed may be asked again
	for i := 0; i < u.batch.pending(); {
		n, err := u.batch.send(int(f.fd), i)
		for ; n > 0; n-- {
			r.sentUp(f, c, u.batch.outgoing(i))
			i++
		}
		d := datagram{}
		if err != nil {
			d = u.batch.outgoing(i)
		}
		switch {
		case err == nil:
		case d.segment > 0 && refusesSegments(err):
			u.batch.split(int(f.fd), i)
			r.sentUp(f, c, d)
			i++
		case !unreachable(err):
			c.drop(dropOf(err), d.count())
			i++
		default:
			if f.unanswered > 0 && f.server.addr.path == "" {
				c.drop(dropUnreachable, 1) // an ICMP error is about a datagram that was sent before
			}
			r.serverFailed(f, err)
			why, ok := dropNoServer, false
			if moves--; moves >= 0 {
				why, ok = r.settled(f)
			}
			if ok && told != (len(f.header()) > 0) { // this server would not understand what the other was to get
				why, ok = dropUnreachable, false
			}
			if !ok {
				c.drop(why, u.batch.left(i))
				return
			}
		}
	}
}

// sentUp counts what a server was sent.
func (r *reactor) sentUp(f *flow, c *datagramCounters, d datagram) {
	count(&c.toServers, d.count(), len(d.data))
	s := r.counters.server(f.server.id)
	s.sent += uint64(len(d.data))
	s.sentDatagrams += uint64(d.count())
	f.moved[up] += uint64(len(d.data))
	f.unanswered += d.count()
	f.streak = 0
	f.lastSize = len(d.data)
}

// flushDown sends the answers of the batch from the socket of their listener.
func (r *reactor) flushDown(l *datagramListener) {
	u := &r.udp
	c := r.counters.datagramsOf(l.service.state)
	for i := 0; i < u.batch.pending(); {
		n, err := u.batch.send(l.fd, i)
		for ; n > 0; n-- {
			r.sentDown(c, i)
			i++
		}
		if err == nil {
			continue
		}
		if d := u.batch.outgoing(i); d.segment > 0 && refusesSegments(err) {
			u.batch.split(l.fd, i)
			r.sentDown(c, i)
		} else {
			c.drop(dropOf(err), d.count())
		}
		i++
	}
}

func (r *reactor) sentDown(c *datagramCounters, i int) {
	d := r.udp.batch.outgoing(i)
	count(&c.toClients, d.count(), len(d.data))
}

// dropOf is the reason that an error of sending is.
func dropOf(err error) drop {
	switch err {
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
		return dropQueue
	case unix.EMSGSIZE:
		return dropSize
	}
	return dropRefused
}

// containFlow turns a panic into the end of the flow that was being worked on.
func (r *reactor) containFlow(f **flow) {
	v := recover()
	if v == nil {
		return
	}
	r.counters.panics++
	r.engine.report(0, "ending a flow after a defect: %v\n%s", v, debug.Stack())
	r.udp.batch.empty()
	r.udp.to, r.udp.from, r.udp.filled = nil, nil, 0
	if *f != nil && (*f).listener != nil {
		r.endFlow(*f, reasonDefect)
	}
}

// seenDatagrams logs and dumps what was received, datagram by datagram.
func (r *reactor) seenDatagrams(f *flow, d datagram, fromClient bool) {
	log := fromClient && f.service.conf.Log != ""
	if !log && !r.debugging(dumpLevel) {
		return
	}
	for chunk := range d.each {
		if log {
			r.logRequest(f.service, f.client, f.server, chunk)
		}
		r.dump(chunk)
	}
}
