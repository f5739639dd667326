package engine

import (
	"slices"
	"sync"
	"time"

	"pen/conf"
)

// Snapshot is what the data plane has done since its start and what it is doing, at one time. It belongs to whoever
// asked for it.
type Snapshot struct {
	Services       []ServiceSnapshot // of the plan in use, in its order
	Reactors       []ReactorSnapshot // by number
	Connections    int               // open, over all services
	ConnectionsMax int
	Clients        int // in the client table, over all services
	ClientsMax     int
	Evicted        uint64 // clients that were forgotten to make room for others
	EventsDropped  uint64 // messages for the log that found no room
}

// ServiceSnapshot is one service.
type ServiceSnapshot struct {
	Name            string
	Listen          string // address; "" = it does not listen
	Accepted        uint64
	Denied          uint64            // by an access list
	Unserved        uint64            // no server could be had
	Failovers       uint64            // clients that were served by another server than the first choice
	Ended           map[string]uint64 // connections by why they ended; every reason is there
	Connect         Histogram         // from accept until the server's side stood
	FirstByte       Histogram         // from accept until the first byte went to the client
	Length          Histogram         // of connections that have ended
	RequestsDropped uint64            // lines of the request log that were lost
	AccessDropped   uint64            // records of the access log that were lost
	Queued          int               // clients that wait for a place on a server
	Datagrams       bool              // it is a service of datagrams
	Flows           conf.DatagramStatus
	Shaken          Histogram        // from accept until TLS was agreed on
	TLS             *Handshakes      // with clients; nil = it speaks no TLS
	Servers         []ServerSnapshot // by number, then the emergency and the abuse server
}

// ServerSnapshot is one server.
type ServerSnapshot struct {
	Index       int    // in the table; -1 the emergency server, -2 the abuse server
	Address     string // with the port, or the path
	Active      int    // established connections
	Blacklisted bool
	Available   bool // a client may be sent there that was not there before
	Health      Health
	Drained     bool // its agent wants no new clients
	Admin       conf.Admin
	Portion     float64 // of its weight that it gets now, by its agent and slow_start: 0 to 1
	Max         int     // soft limit of connections; 0 = none
	Weight      int
	Connects    uint64
	Connecting  time.Duration // all connects together
	Failed      [failures]uint64
	Full        uint64 // clients that were not sent there because of its limit
	Sent        uint64 // bytes
	Received    uint64
	TLS         *Handshakes // nil = no TLS is spoken to it
}

// ReactorSnapshot is one reactor.
type ReactorSnapshot struct {
	Answers    bool // else the counters are those of its last answer
	Sessions   int
	Connecting int  // connects under way
	Paused     bool // accepts nobody for the time being
	Panics     uint64
	Turns      Histogram
}

// copies are the last copies of the counters that the reactors have given. A reactor that does not answer in time is
// shown as it was: counters never go back.
type copies struct {
	mu    sync.Mutex // one snapshot at a time
	given []reactorCopy
}

type reactorCopy struct {
	ReactorSnapshot
	id        int
	services  []serviceCounters  // by serviceState.id
	servers   []serverCounters   // by server.id
	datagrams []datagramCounters // by serviceState.id
}

// Snapshot asks each reactor once for a copy of its counters, and adds them up.
func (e *Engine) Snapshot() *Snapshot {
	k := &e.copies
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.given == nil {
		k.given = make([]reactorCopy, len(e.reactors))
	}
	for i := range k.given {
		k.given[i].Answers = false
	}
	for _, c := range ask(e, (*reactor).copy) {
		k.given[c.id] = c
	}
	s := &Snapshot{EventsDropped: e.dropped.Load()}
	s.Connections, s.ConnectionsMax = e.connections.count()
	s.Clients, s.ClientsMax, s.Evicted = e.clients.count()
	for _, c := range k.given {
		s.Reactors = append(s.Reactors, c.ReactorSnapshot)
	}
	now := e.clock()
	for _, v := range e.plan.Load().services {
		s.Services = append(s.Services, k.service(v, now))
	}
	return s
}

// copy returns what the reactor has counted.
func (r *reactor) copy() reactorCopy {
	c := reactorCopy{id: r.id, ReactorSnapshot: ReactorSnapshot{
		Answers: true, Sessions: r.sessions, Connecting: r.pending, Paused: r.paused != 0,
		Panics: r.counters.panics, Turns: r.counters.turns,
	}}
	c.services, c.servers, c.datagrams = values(r.counters.services), values(r.counters.servers), values(r.counters.datagrams)
	return c
}

// values returns copies of what a table points to.
func values[T any](table []*T) []T {
	list := make([]T, len(table))
	for i, v := range table {
		list[i] = *v
	}
	return list
}

// service adds up what the reactors have counted for a service.
func (k *copies) service(v *service, now int64) ServiceSnapshot {
	s := ServiceSnapshot{
		Name: v.conf.Name, Ended: make(map[string]uint64, len(reasonNames)),
		RequestsDropped: v.state.logs.Requests.Dropped(), AccessDropped: v.state.logs.Access.Dropped(),
		Queued: int(v.state.line.waiting.Load()), Datagrams: v.conf.UDP, Flows: noDatagrams(),
	}
	if v.addr != nil {
		s.Listen = v.addr.String()
	}
	if v.tls != nil {
		s.TLS = &Handshakes{}
	}
	s.add(&serviceCounters{}) // so that every reason is there
	for i := range k.given {
		if int(v.state.id) < len(k.given[i].services) {
			s.add(&k.given[i].services[v.state.id])
		}
		if int(v.state.id) < len(k.given[i].datagrams) {
			k.given[i].datagrams[v.state.id].addTo(&s.Flows)
		}
	}
	for i := range v.places {
		s.addServer(k, &v.places[i], now)
	}
	s.addServer(k, v.emergency, now)
	s.addServer(k, v.abuse, now)
	return s
}

func (s *ServiceSnapshot) add(c *serviceCounters) {
	s.Accepted += c.accepted
	s.Denied += c.denied
	s.Unserved += c.unserved
	s.Failovers += c.failovers
	for why, n := range c.ended {
		s.Ended[reasonNames[why]] += n
	}
	s.Connect.Add(&c.connect)
	s.FirstByte.Add(&c.firstByte)
	s.Length.Add(&c.length)
	s.Shaken.Add(&c.shaken)
	if s.TLS != nil {
		s.TLS.add(&c.tls)
	}
}

// addServer adds a place, unless it is unused.
func (s *ServiceSnapshot) addServer(k *copies, p *place, now int64) {
	if p == nil || p.server == nil {
		return
	}
	v := ServerSnapshot{
		Index: p.index, Address: p.addr.String(), Active: int(p.active.Load()), Blacklisted: p.blacklisted(now),
		Available: p.eligible(now), Health: Health(p.health.Load()), Drained: p.drained.Load(), Admin: p.admin,
		Portion: float64(p.portion(now)) / wholePortion, Max: p.max, Weight: p.weight,
	}
	if p.tls != nil {
		v.TLS = &Handshakes{}
	}
	for i := range k.given {
		if int(p.id) < len(k.given[i].servers) {
			v.add(&k.given[i].servers[p.id])
		}
	}
	s.Servers = append(s.Servers, v)
}

func (s *ServerSnapshot) add(c *serverCounters) {
	s.Connects += c.connects
	s.Connecting += time.Duration(c.connecting)
	s.Full += c.full
	s.Sent += c.sent
	s.Received += c.received
	if s.TLS != nil {
		s.TLS.add(&c.tls)
	}
	for i, n := range c.failed {
		s.Failed[i] += n
	}
}

// Merge adds what another place of the same address has done. What it is like, but for blacklisting, is kept.
func (s *ServerSnapshot) Merge(other *ServerSnapshot) {
	s.Active += other.Active
	s.Blacklisted = s.Blacklisted || other.Blacklisted
	s.Available = s.Available && other.Available
	s.Max += other.Max
	s.Connects += other.Connects
	s.Connecting += other.Connecting
	s.Full += other.Full
	s.Sent += other.Sent
	s.Received += other.Received
	if s.TLS == nil {
		s.TLS = other.TLS
	} else if other.TLS != nil {
		s.TLS.add(other.TLS)
	}
	for i, n := range other.Failed {
		s.Failed[i] += n
	}
}

// Answering reports whether all reactors answer in time.
func (e *Engine) Answering() bool {
	return len(ask(e, func(*reactor) struct{} { return struct{}{} })) == len(e.reactors)
}

// Client is a client of the client table, as it is shown to people.
type Client struct {
	Service  string
	Address  string
	Age      time.Duration // since its last connection
	Server   string        // the one that it used last; "" = none
	Connects uint64
	Sent     uint64 // bytes to the client, of connections that have ended
	Received uint64
}

// Connection is an open connection, as it is shown to people.
type Connection struct {
	Number   int
	Service  string
	Client   string
	Server   string // "" = none yet
	State    string
	Age      time.Duration
	Sent     uint64 // bytes to the client
	Received uint64
}

// LatestClients returns the clients that connected last, at most n, the latest first.
func (e *Engine) LatestClients(n int) []Client {
	p, now := e.plan.Load(), e.clock()
	names, servers := map[int32]string{}, map[int32]string{}
	for _, v := range p.services {
		names[v.state.id] = v.conf.Name
		for i := range v.places {
			if l := &v.places[i]; l.server != nil {
				servers[l.id] = l.addr.String()
			}
		}
	}
	var list []Client
	for _, c := range e.clients.latest(n) {
		list = append(list, Client{
			Service: names[c.key.service], Address: clientName(c.key.addr), Age: time.Duration(now - c.seen),
			Server: servers[c.server], Connects: c.connects, Sent: c.sent, Received: c.received,
		})
	}
	return list
}

// SomeConnections returns open connections, at most n of each reactor, by number.
func (e *Engine) SomeConnections(n int) []Connection {
	list := slices.Concat(ask(e, func(r *reactor) []Connection { return r.some(n) })...)
	slices.SortFunc(list, func(a, b Connection) int { return a.Number - b.Number })
	return list
}

// some returns up to n connections.
func (r *reactor) some(n int) (list []Connection) {
	r.each(func(s *session) {
		if s.number == none || len(list) == n {
			return
		}
		c := Connection{
			Number: int(s.number), Service: s.service.conf.Name, Client: clientName(s.client), State: s.state.String(),
			Age: time.Duration(r.now - s.begun), Sent: s.moved[down], Received: s.moved[up],
		}
		if s.server != nil {
			c.Server = s.server.addr.String()
		}
		list = append(list, c)
	})
	return list
}
