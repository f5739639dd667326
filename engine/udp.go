package engine

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// The life of a flow of datagrams: what goes on between one address and port of a client, written to one address of
// ours, and the server that was chosen for it. It is to datagrams what a session is to streams, and chosen alike.
//
//	begin ──► choose ──► seek ──► forward ──► end
//	             ▲         ▲        │  idle, all answers given, evicted, stopped
//	             │         └────────┤  the server fails: the next candidate, from it on
//	             └──────────────────┘  it is excluded, or not in the plan any more
//
// Each flow has a socket of its own, connected to its server. The alternative would be a few shared ones with a
// demultiplexer, but all that comes back on a shared socket is a server's address: two flows to the same server need
// different sockets, whatever we do, or an answer can't be told from another's. Sharing would save descriptors by the
// number of servers at best. And a connected socket takes datagrams of its server only, so that nobody else can
// answer, sends without looking for a route, and gets to know of an ICMP error, whose it is and what it was about.
// With 10,000 flows (TestTenThousandFlows -v) that is 10,000 descriptors, 0.6 KB of our memory and some 3 KB of the kernel's
// for each, and some 10 µs to begin and end one; with two servers, sharing would need 5,000 of them. What bounds
// the flows from one source address is the system's range of ephemeral ports, on Linux 28,232 of them.
//
// The socket is connected first and gets its port by that. One that is bound and then connected takes for its
// server's what anybody sends in between; where source makes us bind, what has come by then is thrown away.
type flow struct {
	key      flowKey // the client, and the address of ours that it writes to
	fd       int32   // connected to the server; -1 = there is none
	number   int32   // in the connection table
	entry    int32   // in the client table; none if it is not there
	last     int32   // id of the server that the client used last
	noted    int32   // id of the server that the client table says it is sent to
	first    int32   // index of the initial server
	tried    int32   // candidates that were asked so far
	why      reason
	bulk     bool // many datagrams come at once: the socket is set up for that
	counted  bool // towards the limits per client
	listener *datagramListener
	service  *service // of the plan under which the server was looked at last
	server   *place   // nil = it has failed
	client   netip.Addr
	port     uint16

	begun        int64     // nanoseconds of the reactor's clock
	used         int64     // when there was a datagram last, either way
	older, newer *flow     // in the order of use, among the flows of the listener
	moved        [2]uint64 // bytes, by the side they went to
	firstByte    micros    // until the first answer
	owed         int       // answers that udp_responses wants before the flow is over
	streak       int       // datagrams from the server since the client has sent one
	unanswered   int       // datagrams to the server since it has answered
	lastSize     int       // bytes of the one that was sent last
	overflows    uint32    // as in datagramListener

	proxy *flowProxy // nil = no proxy in front, and none is told of
}

// datagrams is what a reactor needs for its services of datagrams.
type datagrams struct {
	listeners []*datagramListener
	owner     []*flow           // by descriptor; nil = no flow's
	batch     *packets          // nil = there never was a service of datagrams
	filled    int               // slots of batch whose datagrams are still to be sent
	to        *flow             // that those are for, if they go to a server
	from      *datagramListener // that they leave from, if they go to clients
	asked     bool              // other reactors have been asked in this turn to make room
	spare     []*flow
	retired   []*flow // over; reused from the next turn on
	told      []byte  // the datagram that a PROXY header was put in front of last
}

// beginFlow takes a client in with its first datagram, if it may come in and there is room. Otherwise nil is returned
// and the reason. The client is the one that the key says, or whom that one speaks for.
func (r *reactor) beginFlow(l *datagramListener, key *flowKey, proxy *flowProxy) (*flow, drop) {
	v := l.service
	from := key.client()
	if proxy != nil {
		from = proxy.client
	}
	denied := !v.acl.Permit(from.Addr())
	if denied && v.abuse == nil {
		r.counters.service(v.state.id).denied++
		return nil, dropDenied
	}
	counted, ok := r.countFlow(v, from.Addr(), denied)
	if !ok {
		return nil, dropLimit
	}
	number, ok := r.takeNumber(nil)
	if !ok {
		if counted {
			r.engine.visitors.leave(v.visitor(from.Addr()))
		}
		return nil, dropFull
	}
	f := r.newFlow()
	*f = flow{key: *key, fd: -1, number: number, entry: none, last: none, noted: none, first: abuseIndex, listener: l, service: v,
		client: from.Addr(), port: from.Port(), counted: counted, begun: r.now, used: r.now, proxy: proxy}
	l.add(f)
	r.counters.service(v.state.id).accepted++
	r.counters.datagramsOf(v.state).flows.Begun++
	if !denied {
		r.chooseForFlow(f)
	}
	if why, ok := r.seekForFlow(f); !ok {
		r.giveUp(f, why)
		return nil, why
	}
	return f, 0
}

// countFlow counts a flow towards the limits per client, if there are any for it. ok tells if it is within them.
func (r *reactor) countFlow(v *service, client netip.Addr, denied bool) (counted, ok bool) {
	limit := &v.conf.Limit
	if denied || limit.Clients == 0 && limit.Rate == 0 {
		return false, true
	}
	ok = r.engine.visitors.enter(v.visitor(client), limit, r.now)
	return ok, ok
}

// newFlow returns an unused flow, with nothing in it that means anything.
func (r *reactor) newFlow() *flow {
	spare := &r.udp.spare
	if len(*spare) == 0 {
		return new(flow)
	}
	f := (*spare)[len(*spare)-1]
	*spare = (*spare)[:len(*spare)-1]
	return f
}

// chooseForFlow looks the client up and finds out which server to try first.
func (r *reactor) chooseForFlow(f *flow) {
	v := f.service
	f.entry, f.last = r.engine.clients.visit(f.clientKey(), r.now, v.conf.Timeout.Tracking, func(last int32) int32 {
		r.initial(f, last)
		if f.first >= 0 {
			f.noted = v.places[f.first].serverID()
		}
		return f.noted
	})
}

// initial finds the server to try first. The one that the client used last is not it if it is drained.
func (r *reactor) initial(f *flow, last int32) {
	v := f.service
	if i := v.indexOf(last); i >= 0 && v.places[i].bars(false) {
		last = none
	}
	f.first, f.tried = int32(v.first(f.client, f.port, last, r.now)), 0
}

func (f *flow) clientKey() clientKey { return clientKey{f.service.choice.id, f.client} }

// seekForFlow connects to the first candidate that can be had. If it returns false there is none, for the reason given.
func (r *reactor) seekForFlow(f *flow) (drop, bool) {
	v := f.service
	for p := v.candidate(int(f.first), int(f.tried)); p != nil; p = v.candidate(int(f.first), int(f.tried)) {
		f.tried++
		if !r.admitsFlow(f, p) {
			continue
		}
		fd, err := r.openFlow(v, p, f.client)
		if err == nil {
			r.attachFlow(f, p, fd)
			return 0, true
		}
		p.release()
		if exhausted(err) {
			return dropFull, false
		}
		r.failed(v, p, err)
	}
	return dropNoServer, false
}

// admitsFlow takes one connection out of a place's limit, if the place may serve this client.
func (r *reactor) admitsFlow(f *flow, p *place) bool {
	if !p.open(r.now) || !p.acl.Permit(f.client) {
		return false
	}
	if !p.reserve(p.limit(p.id == f.last)) {
		r.counters.server(p.id).full++
		return false
	}
	return true
}

// openFlow makes a socket that is connected to a server.
func (r *reactor) openFlow(v *service, p *place, client netip.Addr) (int, error) {
	fd, err := newSocket(p.addr.family(), unix.SOCK_DGRAM)
	if err != nil {
		return -1, err
	}
	bound := p.addr.path == "" && (v.source != nil || v.conf.TCP.Transparent)
	if bound {
		err = r.bindUp(fd, v, p, client)
	}
	if err == nil {
		err = connect(fd, p.addr)
	}
	if err == nil && p.addr.path != "" {
		err = bindAnywhere(fd) // or the server has nobody to answer to
	}
	if err == nil {
		reportErrors(fd, p.addr.family())
		err = r.poller.AddListener(fd) // level-triggered, and silent about room to write: there always is
	}
	if err != nil {
		closeSocket(fd)
		return -1, err
	}
	if bound {
		r.udp.batch.discard(fd)
	}
	return fd, nil
}

// attachFlow gives a flow its server.
func (r *reactor) attachFlow(f *flow, p *place, fd int) {
	r.own(fd, nil)
	r.ownFlow(fd, f)
	f.fd, f.server, f.bulk, f.unanswered = int32(fd), p, false, 0
	r.introduceFlow(f)
	p.active.Add(1)
	r.counters.server(p.id).connects++
	id := p.id
	if p.index < 0 {
		id = none // who is sent to a server without a number counts as new
	}
	if f.last = id; f.entry != none && id != f.noted {
		r.engine.clients.assign(f.entry, f.clientKey(), id)
		f.noted = id
	}
}

// leaveFlow closes the server's side and gives its place back.
func (r *reactor) leaveFlow(f *flow) {
	if f.server == nil {
		return
	}
	r.udp.owner[f.fd] = nil
	r.discard(int(f.fd))
	f.server.active.Add(-1)
	f.server.release()
	f.fd, f.server = -1, nil
}

// giveUp ends a flow that has no server. Where descriptors or ports have run out, another one makes room for the next.
func (r *reactor) giveUp(f *flow, why drop) {
	r.endFlow(f, reasonNoServer)
	if why == dropFull {
		r.evict(1)
	}
}

// settled sees to it that a flow has a server which may still have it. A flow whose server has failed goes to the next
// candidate; one whose server was excluded or taken out is chosen for anew. If it returns false there is no server, for the
// reason given, and the flow has ended.
func (r *reactor) settled(f *flow) (drop, bool) {
	v := f.listener.service
	if f.service != v && !r.replan(f, v) {
		r.endFlow(f, reasonDenied)
		return dropDenied, false
	}
	if f.server != nil {
		if f.server.open(r.now) {
			return 0, true
		}
		r.leaveFlow(f)
		r.rechoose(f)
	}
	why, ok := r.seekForFlow(f)
	if !ok {
		r.giveUp(f, why)
		return why, false
	}
	r.counters.datagramsOf(v.state).flows.Moved++
	return 0, true
}

// replan looks at a flow under a new plan. If its server is not the right one any more, the flow leaves it. It returns
// false if the client may not come in at all.
func (r *reactor) replan(f *flow, v *service) bool {
	denied := !v.acl.Permit(f.client)
	if denied && v.abuse == nil {
		return false
	}
	f.service = v
	if f.server != nil && denied == (f.server.index == abuseIndex) {
		if p := v.placeOf(f.server); p != nil {
			f.server = p
			r.introduceFlow(f)
			return true
		}
	}
	r.leaveFlow(f)
	if denied {
		f.first, f.tried = abuseIndex, 0
		return true
	}
	r.rechoose(f)
	return true
}

// rechoose finds out which server to try first for a flow that has none any more.
func (r *reactor) rechoose(f *flow) {
	if f.entry == none {
		r.chooseForFlow(f)
		return
	}
	r.initial(f, f.last)
}

// placeOf returns the place in this plan of a server that had one in another, nil if there is none.
func (v *service) placeOf(old *place) *place {
	for _, p := range [...]*place{v.emergency, v.abuse} {
		if p != nil && p.server == old.server {
			return p
		}
	}
	if i := v.indexOf(old.id); i >= 0 {
		return &v.places[i]
	}
	return nil
}

// useFlow notes that there was a datagram.
func (r *reactor) useFlow(f *flow) {
	f.used = r.now
	f.listener.refresh(f)
}

// serverFailed leaves a flow's server, which can't be reached, and keeps others away from it for a while.
func (r *reactor) serverFailed(f *flow, err error) {
	p := f.server
	r.leaveFlow(f)
	r.failed(f.service, p, err)
	if p.index >= 0 {
		f.first, f.tried = int32(p.index), 1 // pen's order: the next one after it
	} else if p.index == emergencyIndex {
		r.rechoose(f)
	}
}

// endFlow ends a flow from any state. Its descriptor is closed at the end of the turn.
func (r *reactor) endFlow(f *flow, why reason) {
	f.why = why
	c := r.counters.service(f.service.state.id)
	c.ended[why]++
	c.length.Observe(r.now - f.begun)
	if f.service.conf.AccessLog.To != "" {
		r.logFlow(f)
	}
	r.leaveFlow(f)
	f.listener.remove(f)
	if f.entry != none {
		r.engine.clients.leave(f.entry, f.clientKey(), f.moved[down], f.moved[up])
	}
	if f.counted {
		r.engine.visitors.leave(f.service.visitor(f.client))
	}
	r.handed = append(r.handed, f.number)
	f.listener = nil
	r.udp.retired = append(r.udp.retired, f)
}

// responses tells how many answers each datagram of the client gets, 0 for any number.
func (f *flow) responses() int { return f.service.conf.Flow.Responses }
