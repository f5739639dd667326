package engine

import (
	"net/netip"
	"slices"
	"time"

	"pen/conf"
)

// The part of conf.Runtime that the data plane answers. What belongs to a reactor is asked from it by Post.

// patience is how long a query waits for a reactor. One that does not answer in that time is in trouble itself.
const patience = time.Second

// ask has each reactor compute something and returns the answers of those that give one in time. When pen ends, those
// whose loop is over are not asked.
func ask[T any](e *Engine, f func(*reactor) T) []T {
	answers := make(chan T, len(e.reactors)) // with room for all, so that a late one waits for nobody
	asked := 0
	for _, r := range e.reactors {
		if !r.ended.Load() {
			asked++
			r.Post(func() { answers <- f(r) })
		}
	}
	timeout := time.After(patience)
	var got []T
	for range asked {
		select {
		case a := <-answers:
			got = append(got, a)
		case <-timeout:
			e.report(0, "%d of %d reactors did not answer within %v", asked-len(got), asked, patience)
			return got
		}
	}
	return got
}

// Servers returns the state of each place in a service's table.
func (e *Engine) Servers(service string) []conf.ServerStatus {
	v := e.service(service)
	if v == nil {
		return nil
	}
	now := e.clock()
	list := make([]conf.ServerStatus, len(v.places))
	for i := range v.places {
		list[i] = v.places[i].status(now)
	}
	for _, sums := range ask(e, func(r *reactor) []serverCounters { return r.counters.copy(v) }) {
		for i, c := range sums {
			list[i].Sent += c.sent
			list[i].Received += c.received
			list[i].SentDatagrams += c.sentDatagrams
			list[i].ReceivedDatagrams += c.receivedDatagrams
		}
	}
	return list
}

func (p *place) status(now int64) conf.ServerStatus {
	if p.server == nil {
		return conf.ServerStatus{}
	}
	s := conf.ServerStatus{
		Address:     p.addr.host,
		Port:        int(p.addr.ip.Port()),
		Connections: int(p.active.Load()),
		Failed:      p.server.failed.Load(),
		Blacklisted: p.blacklisted(now),
		Health:      Health(p.health.Load()).String(),
		Share:       int(p.portion(now) * 100 / wholePortion),
	}
	if p.addr.path != "" {
		s.Port = 1
	}
	return s
}

// copy returns the counters of a service's servers in the order of their places.
func (c *counters) copy(v *service) []serverCounters {
	list := make([]serverCounters, len(v.places))
	for i := range v.places {
		if p := &v.places[i]; p.server != nil {
			list[i] = *c.server(p.id)
		}
	}
	return list
}

// Clients returns the clients of a service that have connected within a time, in the order of the table. Bytes include
// those of connections that are still open.
func (e *Engine) Clients(service string, within time.Duration) []conf.ClientStatus {
	v := e.service(service)
	if v == nil {
		return nil
	}
	now := e.clock()
	found, places := e.clients.recent(v.choices(), now-int64(within))
	live := ask(e, func(r *reactor) map[int32][2]uint64 {
		m := map[int32][2]uint64{}
		r.each(func(s *session) {
			if s.entry != none && s.service.state == v.state {
				n := m[s.entry]
				m[s.entry] = [2]uint64{n[down] + s.moved[down], n[up] + s.moved[up]}
			}
		})
		r.eachFlow(func(f *flow) {
			if f.entry != none && f.service.state == v.state {
				n := m[f.entry]
				m[f.entry] = [2]uint64{n[down] + f.moved[down], n[up] + f.moved[up]}
			}
		})
		return m
	})
	list := make([]conf.ClientStatus, len(found))
	for i, c := range found {
		list[i] = conf.ClientStatus{
			Index: int(places[i]), Address: clientName(c.key.addr), Age: time.Duration(now - c.seen), Server: v.indexOf(c.server),
			Connects: c.connects, Sent: c.sent, Received: c.received,
		}
		for _, m := range live {
			list[i].Sent += m[places[i]][down]
			list[i].Received += m[places[i]][up]
		}
	}
	return list
}

// clientName is how a client is shown; the peers of a Unix socket have no address.
func clientName(a netip.Addr) string {
	if !a.IsValid() {
		return "unix"
	}
	return a.String()
}

// Connections returns the open connections of a service by number.
func (e *Engine) Connections(service string) []conf.ConnectionStatus {
	v := e.service(service)
	if v == nil {
		return nil
	}
	list := slices.Concat(ask(e, func(r *reactor) (found []conf.ConnectionStatus) {
		r.each(func(s *session) {
			if s.number != none && s.service.state == v.state {
				found = append(found, s.status())
			}
		})
		r.eachFlow(func(f *flow) {
			if f.service.state == v.state {
				found = append(found, f.status())
			}
		})
		return found
	})...)
	slices.SortFunc(list, func(a, b conf.ConnectionStatus) int { return a.Number - b.Number })
	return list
}

func (s *session) status() conf.ConnectionStatus {
	c := conf.ConnectionStatus{
		Number: int(s.number), State: s.state.pen(),
		DownFD: int(s.sock[down].FD), UpFD: int(s.sock[up].FD),
		PendingDown: s.flow(down).Held(), PendingUp: s.flow(up).Held(),
		Client: clientName(s.client), ClientIndex: int(s.entry), Server: none,
	}
	if s.holds {
		c.Server = s.server.index
	}
	return c
}

// status of a flow: its client's side is the listener, which it shares with the others.
func (f *flow) status() conf.ConnectionStatus {
	c := conf.ConnectionStatus{
		Number: int(f.number), State: stateRelaying.pen(), DownFD: f.listener.fd, UpFD: int(f.fd),
		Client: clientName(f.client), ClientIndex: int(f.entry), Server: none,
	}
	if f.server != nil {
		c.Server = f.server.index
	}
	return c
}

// findFlow returns the flow of a connection number, nil if it is not this reactor's.
func (r *reactor) findFlow(n int) (found *flow) {
	r.eachFlow(func(f *flow) {
		if int(f.number) == n {
			found = f
		}
	})
	return found
}

// find returns the session of a connection number, nil if it is not this reactor's.
func (r *reactor) find(n int) (found *session) {
	r.each(func(s *session) {
		if int(s.number) == n {
			found = s
		}
	})
	return found
}

// Connection returns the state of connection n, false if there is none of that number.
func (e *Engine) Connection(n int) (conf.ConnectionStatus, bool) {
	for _, c := range ask(e, func(r *reactor) *conf.ConnectionStatus {
		if s := r.find(n); s != nil {
			c := s.status()
			return &c
		}
		if f := r.findFlow(n); f != nil {
			c := f.status()
			return &c
		}
		return nil
	}) {
		if c != nil {
			return *c, true
		}
	}
	return conf.ConnectionStatus{}, false
}

// ConnectionsMax returns the size of the connection table.
func (e *Engine) ConnectionsMax() int {
	_, max := e.connections.count()
	return max
}

// Owner returns the number of the connection that a descriptor belongs to, -1 if it belongs to none.
func (e *Engine) Owner(fd int) int {
	return slices.Max(append(ask(e, func(r *reactor) int {
		if fd >= 0 && fd < len(r.owner) && r.owner[fd] != nil {
			return int(r.owner[fd].number)
		}
		if fd >= 0 && fd < len(r.udp.owner) && r.udp.owner[fd] != nil {
			return int(r.udp.owner[fd].number)
		}
		return none
	}), none))
}

// Idlers returns how many idle connections to the servers of a service are open.
func (e *Engine) Idlers(service string) (n int) {
	v := e.service(service)
	if v == nil {
		return 0
	}
	for _, m := range ask(e, func(r *reactor) (n int) {
		r.each(func(s *session) {
			if s.state == stateIdling && s.service.state == v.state {
				n++
			}
		})
		return n
	}) {
		n += m
	}
	return n
}

// Blacklist excludes a server for d; 0 lifts an exclusion. Nothing happens if there is no such server.
func (e *Engine) Blacklist(service string, server int, d time.Duration) {
	v := e.service(service)
	if v != nil && server >= 0 && server < len(v.places) && v.places[server].server != nil {
		v.places[server].blacklist(e.clock(), d)
		v.state.line.offer(v.places[server].server)
	}
}

// CloseConnection closes connection n at once; nothing happens if there is none of that number.
func (e *Engine) CloseConnection(n int) {
	ask(e, func(r *reactor) bool {
		s := r.find(n)
		if s != nil && s.number != none {
			s.because(reasonClosed)
			r.retire(s)
		}
		if f := r.findFlow(n); f != nil {
			r.endFlow(f, reasonClosed)
		}
		return s != nil
	})
}

// Listening returns the address that a service listens on, with the port that the system chose for port 0; "" if none.
func (e *Engine) Listening(service string) string {
	v := e.service(service)
	if v == nil || v.sockets == nil {
		return ""
	}
	if v.addr.path == "" {
		if a, err := localAddress(slices.Max(v.sockets)); err == nil { // any that there is
			return a.String()
		}
	}
	return v.addr.String()
}

// LastServer returns the index that round robin handed out last: "current" of the status page.
func (e *Engine) LastServer(service string) int {
	v := e.service(service)
	if v == nil {
		return 0
	}
	return int(v.choice.turn.Load())
}
