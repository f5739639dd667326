package engine

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"pen/conf"
	"pen/poller"
	"pen/splice"
)

// The life of a session, a method a step, in this order. The whole of it is in this file, which is why it is long; what
// few sessions go through is elsewhere: greet.go (what comes before the choice), layers.go, queue.go, tarpit.go, dummy.go,
// idlers.go, upstream.go (no descriptor to be had) and linger.go.
//
//	begin ──► choose ──► seek ──► connect ──► introduce ──► established ──► relay ──► retire
//	  │         ▲         ▲ │        │            │                           │
//	  │         │         │ └────────┴────────────┘ failed: the next one      │ one side is gone
//	  ▼         │         │                                                   ▼
//	waiting ────┘      starved (no descriptor)                            lingering ──► retire
//	(greeting, peek, dummy)
//
//	state       down         up           deadline
//	waiting     open         –            handshake_timeout, then idle_timeout
//	starved     open         –            starvedRetry
//	queued      open         –            the time of queue
//	tarpit      open         –            the time of limit_action
//	connecting  open         in progress  timeout (connect)
//	relaying    open         open         idle_timeout
//	lingering   one of them is open       lingerTime
//	idling      –            open         none
type state uint8

const (
	stateFree       state = iota
	stateWaiting          // for what the client says first
	stateStarved          // for a descriptor or a port for the server's side
	stateConnecting       // to the server
	stateRelaying         // bytes both ways
	stateLingering        // one side is gone; what the other still sends is thrown away, so that it gets to read all of ours
	stateIdling           // an idle connection to a server, without a client
	stateQueued           // for a place on a server, all of which are full (queue.go)
	stateTarpit           // over a limit: kept waiting for nothing (tarpit.go)
)

var stateNames = [...]string{"free", "waiting", "starved", "connecting", "relaying", "lingering", "idling", "queued", "tarpit"}

func (s state) String() string { return stateNames[s] }

// pen is the number by which pen calls the state.
func (s state) pen() int { return [...]int{0, 1, 1, 1, 2, 4, 2, 1, 1}[s] }

// session is one client and its server. It belongs to one reactor, as everything in it does. A session without traffic
// holds nothing but itself.
type session struct {
	sock   [2]splice.Socket // FD -1 = not open
	relay  [2]splice.Relay  // by the side it leads to
	moved  [2]uint64        // bytes, likewise
	layers *layers          // nil = it only moves bytes

	state    state
	why      reason
	readable sides // latched: no system call has said EAGAIN since the event
	writable sides
	ended    sides // directions that are over: all delivered and the end passed on, or given up
	broken   sides // sides that take no more bytes; what comes for them is thrown away
	queued   bool  // in the reactor's todo
	holds    bool  // a place in the server's limit

	service  *service   // of the plan under which it began
	server   *place     // the one that was asked last; nil = none yet
	client   netip.Addr // not valid if it came through a Unix socket
	begun    int64      // time of accept, in nanoseconds of the reactor's clock
	deadline deadline

	number int32 // in the connection table; none for an idler
	entry  int32 // in the client table; none if it is not there
	last   int32 // id of the server that the client used last
	noted  int32 // id of the server that the client table has now
	first  int32 // index of the initial server
	tried  int32 // candidates that were asked so far
	spent  int32 // lingering: bytes thrown away; starved: tries

	connectTook micros // until the server's side stood
	firstByte   micros // until the first byte went to the client
	port        uint16
	waits       uint8 // times that it has joined the line
	marks       marks
}

// marks are what few sessions are.
type marks uint8

const (
	markFull    marks = 1 << iota // a server that might have served it was full
	markCounted                   // among the visitors
)

// slab is how many sessions are allocated together: 16 KB, a size that the allocator has and that wastes little.
const slab = (16<<10 - 8) / unsafe.Sizeof(session{})

// newSession returns an unused session.
func (r *reactor) newSession(v *service, number int32) *session {
	if len(r.spare) == 0 {
		more := make([]session, slab)
		for i := range more {
			r.spare = append(r.spare, &more[i])
		}
	}
	s := r.spare[len(r.spare)-1]
	r.spare = r.spare[:len(r.spare)-1]
	r.sessions++
	s.service, s.number, s.begun = v, number, r.now
	s.sock[down].FD, s.sock[up].FD = -1, -1
	s.entry, s.last, s.noted, s.first = none, none, none, none
	return s
}

// begin takes an accepted client in.
func (r *reactor) begin(v *service, number int32, fd int, from netip.AddrPort) {
	s := r.newSession(v, number)
	defer r.contain(s)
	s.client, s.port = from.Addr(), from.Port()
	s.state = stateWaiting
	r.counters.service(v.state.id).accepted++
	r.attach(s, down, fd)
	if !noDelayInherited && from.IsValid() {
		setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	switch {
	case s.state == stateFree: // the poller did not take it
	case v.greets():
		s.layered()
		r.deadlines.set(s, r.now, v.conf.Timeout.Handshake)
		r.greet(s)
	case r.admit(s) == passed:
		r.receive(s)
	}
}

// attach makes fd a side of the session.
func (r *reactor) attach(s *session, x side, fd int) {
	s.sock[x] = splice.Socket{FD: int32(fd)}
	r.own(fd, s)
	if err := r.poller.Add(fd); err != nil {
		r.engine.report(0, "connection %d: %v", s.number, err)
		r.retire(s)
	}
}

// choose looks the client up and finds out which server to try first.
func (r *reactor) choose(s *session) {
	v := s.service
	s.entry, s.last = r.engine.clients.visit(s.key(), r.now, v.conf.Timeout.Tracking, func(last int32) int32 {
		s.first = int32(v.first(s.client, s.port, last, r.now))
		if s.first >= 0 {
			s.noted = v.places[s.first].serverID()
		}
		return s.noted
	})
	r.seek(s)
}

func (s *session) key() clientKey { return clientKey{s.service.choice.id, s.client} }

// seek goes through the candidates until a connect is under way or none is left. What the client has sent stays
// unread meanwhile, so each candidate gets all of it.
func (r *reactor) seek(s *session) {
	for p := s.service.candidate(int(s.first), int(s.tried)); p != nil; p = s.service.candidate(int(s.first), int(s.tried)) {
		if p.index == emergencyIndex && r.enqueue(s) {
			return
		}
		if r.connect(s, p) {
			p.line.offer(p.server) // with it there may be more
			return
		}
		s.tried++
	}
	if r.enqueue(s) {
		return
	}
	r.counters.service(s.service.state.id).unserved++
	s.because(reasonNoServer)
	if r.debugging(1) {
		r.engine.report(1, "no server for client %s", clientName(s.client))
	}
	r.retire(s)
}

// connect begins to connect to a candidate. false means that the next one is to be asked.
func (r *reactor) connect(s *session, p *place) bool { return r.admits(s, p) && r.engage(s, p) }

// engage begins to connect to a place that has been taken out of its limit.
func (r *reactor) engage(s *session, p *place) bool {
	fd, err := r.openUp(s.service, p, s.client)
	switch {
	case err == nil:
	case exhausted(err) && s.number != none:
		p.release()
		r.starve(s)
		return true
	default:
		p.release()
		r.failed(s.service, p, err)
		return false
	}
	if s.state == stateStarved {
		r.fed()
	}
	s.server, s.holds, s.state = p, true, stateConnecting
	r.connecting(+1)
	r.deadlines.set(s, r.now, s.service.conf.Timeout.Connect)
	r.remember(s)
	r.attach(s, up, fd)
	return true
}

// admits takes one connection out of a place's limit, if the place may serve this client. An emergency or abuse server
// is tried even if it failed a moment ago: there is nobody else.
func (r *reactor) admits(s *session, p *place) bool {
	if !p.usable() || p.index >= 0 && (p.blacklisted(r.now) || p.bars(s.service.returning(s.last, p.id))) || !p.acl.Permit(s.client) {
		return false
	}
	if !p.reserve(p.limit(p.id == s.last)) {
		r.counters.server(p.id).full++
		s.marks |= markFull
		return false
	}
	return true
}

// remember notes that the client is being sent to another server than the one that was chosen first. Who is sent to a
// server without a number counts as new.
func (r *reactor) remember(s *session) {
	id := s.server.id
	if s.server.index < 0 {
		id = none
	}
	if s.entry != none && id != s.noted {
		r.engine.clients.assign(s.entry, s.key(), id)
		s.noted = id
	}
}

// failed notes that a server can't be connected to, and leaves it out for a while.
func (r *reactor) failed(v *service, p *place, err error) {
	r.counters.server(p.id).failed[failureOf(err)]++
	p.blacklist(r.now, v.conf.Timeout.Blacklist)
	r.blame(v, p, "connect: "+err.Error())
	if r.debugging(1) {
		r.engine.report(1, "can't connect to server %s: %v", p.addr, err)
	}
}

// take is what an event does to a session, by state. Without an event the session goes on where its budget ran out.
func (r *reactor) take(s *session, ev *poller.Event) {
	x := down
	if ev != nil {
		if int(s.sock[up].FD) == ev.FD {
			x = up
		}
		s.latch(x, ev)
	}
	switch s.state {
	case stateWaiting:
		if s.beingGreeted() {
			r.greet(s)
		} else {
			r.firstBytes(s)
		}
	case stateConnecting:
		switch {
		case x == down:
		case s.tls(up) != nil:
			r.encryptUp(s)
		default:
			r.connected(s)
		}
	case stateRelaying:
		r.pump(s)
	case stateLingering:
		r.linger(s)
	case stateQueued, stateTarpit:
		r.abandoned(s)
	case stateIdling:
		r.idlerEnds(s)
	}
}

func (s *session) latch(x side, ev *poller.Event) {
	if ev.Ready&poller.Readable != 0 {
		s.readable.add(x)
	}
	if ev.Ready&poller.Writable != 0 {
		s.writable.add(x)
	}
	s.sock[x].Hangup = ev.Hangup
	s.sock[x].Failed = s.sock[x].Failed || ev.Failed
}

// firstBytes goes on with a client that was waited for.
func (r *reactor) firstBytes(s *session) {
	switch {
	case !s.readable.has(down):
	case s.service.conf.Dummy:
		r.serveDummy(s)
	case r.saysSomething(s):
		r.deadlines.lift(s)
		r.choose(s)
	}
}

// connected learns how a connect ended. A socket without a hang-up has connected; otherwise SO_ERROR says.
func (r *reactor) connected(s *session) {
	if !s.writable.has(up) {
		return
	}
	if s.readable.has(up) {
		if e, err := unix.GetsockoptInt(int(s.sock[up].FD), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || e != 0 {
			r.connectFailed(s, unix.Errno(e))
			return
		}
	}
	r.introduce(s)
}

// connectFailed gives a server up and asks the next candidate.
func (r *reactor) connectFailed(s *session, err error) {
	p := s.server
	r.failed(s.service, p, err) // first: who waits for its place must not get this server
	r.leaveServer(s)
	if s.number == none {
		r.retire(s)
		return
	}
	s.tried++
	r.seek(s)
}

// leaveServer closes the server's side and gives its place back.
func (r *reactor) leaveServer(s *session) {
	switch s.state {
	case stateConnecting:
		r.connecting(-1)
		r.deadlines.lift(s)
	default:
		s.server.active.Add(-1)
	}
	s.server.release()
	s.holds = false
	r.close(s, up)
}

// close closes one side of the session at the end of the turn.
func (r *reactor) close(s *session, x side) {
	r.strip(s, x)
	if fd := s.sock[x].FD; fd >= 0 {
		r.discard(int(fd))
		s.sock[x].FD = -1
		s.readable.remove(x)
		s.writable.remove(x)
	}
}

// established begins to relay.
func (r *reactor) established(s *session) {
	r.connecting(-1)
	c := r.counters.server(s.server.id)
	c.connects++
	c.connecting += uint64(s.deadline.waited(r.now))
	r.deadlines.lift(s)
	r.renew(s) // there may be a new plan since accept
	s.server.active.Add(1)
	s.connectTook.mark(r.now - s.begun)
	if s.number == none {
		s.state = stateIdling
		return
	}
	v := r.counters.service(s.service.state.id)
	v.connect.Observe(r.now - s.begun)
	if s.tried > 0 {
		v.failovers++
	}
	if s.service.http != nil {
		r.beginHTTP(s)
	}
	s.state = stateRelaying
	r.touch(s)
	r.pump(s)
}

// renew has a session go by the plan in use, so that a change of settings reaches those who are connected already. What is
// on its way to a server goes on by the plan under which that was chosen, and comes here when it has arrived.
func (r *reactor) renew(s *session) {
	v := r.plan.renewed(s.service)
	if v == nil || v == s.service {
		return
	}
	s.service = v
	if s.server != nil && s.server.index >= 0 {
		if i := v.indexOf(s.server.id); i >= 0 {
			s.server = &v.places[i]
		}
	}
	if s.state == stateRelaying && !s.headIsDue() || s.state == stateWaiting && !s.beingGreeted() {
		r.deadlines.lift(s)
		r.touch(s)
	}
}

// touch puts the end by idle_timeout off.
func (r *reactor) touch(s *session) {
	if d := s.service.conf.Timeout.Idle; d > 0 && !s.headIsDue() {
		r.deadlines.set(s, r.now, d)
	}
}

// pump moves what can be moved, both ways.
func (r *reactor) pump(s *session) {
	before := s.moved
	for to := down; to <= up && s.state == stateRelaying; to++ {
		r.pumpTo(s, to)
	}
	if s.layers != nil {
		r.flushEnds(s)
	}
	if s.moved != before && s.state == stateRelaying {
		r.touch(s)
	}
	if h := s.exchange(); h != nil && s.state == stateRelaying {
		r.attend(s, h)
	}
}

// pumpTo moves bytes in one direction, if there may be some and room for them.
func (r *reactor) pumpTo(s *session, to side) {
	from := to.other()
	flow := s.flow(to)
	if s.ended.has(to) || !s.readable.has(from) && flow.Held() == 0 || !s.writable.has(to) && !s.broken.has(to) {
		return
	}
	n, status := flow.Pump(r.pool, r.source(s, from), s.end(to), turnBudget)
	if n > 0 && !s.broken.has(to) {
		r.moved(s, to, n)
	}
	switch status {
	case splice.Again:
		r.postpone(s)
	case splice.NeedRead:
		s.readable.remove(from)
		r.arm(s, from, poller.Readable)
	case splice.NeedWrite:
		s.writable.remove(to)
		r.arm(s, to, poller.Writable)
	case splice.EOF:
		if h := s.exchange(); h != nil && h.over && to == down {
			r.farewell(s)
			return
		}
		r.early(s, from)
		s.because(either(from, reasonClient, reasonServer))
		r.endOfStream(s, to)
	case splice.SourceFailed:
		r.explain(s, from)
		r.early(s, from)
		s.because(either(from, reasonClientReset, reasonServerReset))
		r.lose(s, from)
	case splice.SinkFailed:
		s.because(either(to, reasonClientReset, reasonServerReset))
		r.sinkFailed(s, to)
	}
}

// arm asks to hear of a side once more. Where that fails the session would wait for ever, so it ends.
func (r *reactor) arm(s *session, x side, want poller.Interest) {
	if err := r.poller.Arm(int(s.sock[x].FD), want); err != nil {
		r.engine.report(0, "connection %d: %v", s.number, err)
		r.retire(s)
	}
}

// moved counts bytes that were written to a side.
func (r *reactor) moved(s *session, to side, n int) {
	s.moved[to] += uint64(n)
	c := r.counters.server(s.server.id)
	if to == up {
		c.sent += uint64(n)
		return
	}
	c.received += uint64(n)
	if s.firstByte == 0 {
		s.server.praise()
		s.firstByte.mark(r.now - s.begun)
		r.counters.service(s.service.state.id).firstByte.Observe(r.now - s.begun)
	}
}

// endOfStream passes the end of a stream on, after the last of its bytes: as a half-close, unless tcp_fastclose, or the
// side it came from takes nothing any more.
func (r *reactor) endOfStream(s *session, to side) {
	from := to.other()
	s.ended.add(to)
	switch {
	case s.ended == bothSides:
		r.endBoth(s, to)
	case s.broken.has(to):
	case s.broken.has(from) || s.fastClose(from):
		r.lose(s, from)
	default:
		r.endWriting(s, to)
	}
}

// fastClose tells if the end of a side's stream closes both sides.
func (s *session) fastClose(x side) bool {
	want := conf.FastCloseDown
	if x == up {
		want = conf.FastCloseUp
	}
	return s.service.conf.TCP.FastClose&want != 0
}

// timedOut ends the wait of a session, whatever it was for.
func (r *reactor) timedOut(s *session) {
	defer r.contain(s)
	switch s.state {
	case stateConnecting:
		r.connectFailed(s, unix.ETIMEDOUT)
	case stateStarved:
		r.hungry(s)
	case stateQueued:
		r.unserved(s)
	case stateWaiting:
		if s.beingGreeted() {
			s.because(reasonSlow)
		}
		r.idled(s)
	case stateRelaying:
		if s.headIsDue() {
			r.tooSlow(s)
			return
		}
		r.idled(s)
	default:
		r.idled(s)
	}
}

// idled ends a session on which nothing happens.
func (r *reactor) idled(s *session) {
	s.because(reasonIdle)
	s.goodbye(down)
	s.goodbye(up)
	r.retire(s)
}

// retire ends a session from any state. Its descriptors are closed at the end of the turn.
func (r *reactor) retire(s *session) {
	r.deadlines.lift(s)
	r.closeFlows(s)
	switch {
	case s.state == stateStarved:
		r.fed()
	case s.state == stateQueued:
		r.leaveLine(s)
	case s.state == stateTarpit:
		r.tarpit--
	case s.holds:
		r.leaveServer(s)
	}
	r.close(s, down)
	r.endHTTP(s)
	if s.marks&markCounted != 0 {
		r.engine.visitors.leave(s.service.visitor(s.client))
	}
	if s.entry != none {
		r.engine.clients.leave(s.entry, s.key(), s.moved[down], s.moved[up])
	}
	if s.number != none {
		r.handed = append(r.handed, s.number)
		c := r.counters.service(s.service.state.id)
		c.ended[s.why]++
		c.length.Observe(r.now - s.begun)
		if s.service.conf.AccessLog.To != "" {
			r.logAccess(s)
		}
	} else {
		r.idlerGone()
	}
	s.state = stateFree
	r.sessions--
	r.retired = append(r.retired, s)
}
