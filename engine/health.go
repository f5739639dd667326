package engine

import (
	"pen/conf"
	"pen/engine/certs"
)

// What the control plane finds out about servers reaches the data plane here: it becomes two words of the server that
// the reactors look at when they choose.

// Health is what probes say of a server.
type Health uint8

// The states of a server. Unprobed and Probing ones are used like Up ones: nothing is known against them.
const (
	Unprobed Health = iota
	Probing         // there is no result yet
	Up
	Down
)

var healthNames = [...]string{"", "probing", "up", "down"}

// String returns the word for it; "" if the server is not probed.
func (h Health) String() string { return healthNames[h] }

// Standing is all that is known of a server.
type Standing struct {
	Health Health
	Drain  bool // its agent wants no new clients
	Share  int  // percent of its weight that its agent wants to get: 1 to 100
}

// Target is a server that may be probed.
type Target struct {
	ID      int32  // of the server, never that of another one
	Index   int    // in the table of the service
	Network string // tcp or unix
	Address string // host:port or path

	// What the server expects of whoever connects to its port.
	Header []byte          // the PROXY header of one that has no client, in front of a stream or of each datagram; nil = none
	TLS    *certs.Upstream // nil = it does not speak TLS
}

// Targets returns the servers of a service that can be contacted.
func (e *Engine) Targets(service string) []Target {
	v := e.service(service)
	if v == nil {
		return nil
	}
	var list []Target
	for i := range v.places {
		p := &v.places[i]
		if !p.usable() {
			continue
		}
		t := Target{ID: p.id, Index: i, Network: "tcp", Address: p.addr.text, Header: localHeader(p.proxy), TLS: p.tls}
		if p.addr.path != "" {
			t.Network, t.Address = "unix", p.addr.path
		}
		list = append(list, t)
	}
	return list
}

// SetStandings takes over what has become known of servers of a service, by Target.ID. A server that the service does
// not have any more may come back, and then is what it was said to be last.
func (e *Engine) SetStandings(service string, standings map[int32]Standing) {
	now := e.clock()
	for id, s := range standings {
		e.registry.byID[id].stand(s, now)
	}
	v := e.service(service)
	if v == nil {
		return
	}
	v.settle()
	for id, s := range standings {
		if s.Health == Down && v.conf.Health.CloseDown && v.indexOf(id) != none {
			e.closeSessions(id)
		}
	}
}

// stand takes a standing over. A server that comes back is trusted: failures of before are forgotten.
func (v *server) stand(s Standing, now int64) {
	was := Health(v.health.Swap(uint32(s.Health)))
	if was == Down && s.Health != Down {
		v.since.Store(max(now, 1))
		v.blacklist(now, 0)
	}
	if was != s.Health {
		v.troubles.Store(0)
	}
	v.drained.Store(s.Drain)
	v.share.Store(int32(s.Share))
}

// settle brings up to date what depends on the standing of all servers together: who is barred, the table of maglev,
// and who may be served of those that wait in line. It is the control goroutine's.
func (v *service) settle() {
	open := v.conf.Health.FailOpen && v.allDown()
	for i := range v.places {
		p := &v.places[i]
		if p.server == nil {
			continue
		}
		b := barNobody
		switch {
		case Health(p.health.Load()) == Down && !open:
			b = barAll
		case p.drained.Load() && !open:
			b = barNew
		}
		p.barred.Store(uint32(b))
	}
	if v.conf.Balance.Maglev {
		v.rebuild()
		for _, t := range v.routes {
			t.service.rebuild()
		}
	}
	v.state.line.offerAll(v)
}

// allDown tells if there is no server that the operator wants to be used and that probes do not find down.
func (v *service) allDown() bool {
	for i := range v.places {
		if p := &v.places[i]; p.usable() && p.admin == conf.Ready && Health(p.health.Load()) != Down {
			return false
		}
	}
	return true
}

// closeSessions ends the sessions with a server. Those that are not connected yet try another one.
func (e *Engine) closeSessions(id int32) {
	for _, r := range e.reactors {
		r.Post(func() {
			r.each(func(s *session) {
				if s.holds && s.server.id == id && s.state != stateConnecting {
					s.because(reasonDown)
					r.retire(s)
				}
			})
		})
	}
}

// Queued returns how many clients of a service wait for a place.
func (e *Engine) Queued(service string) int {
	v := e.service(service)
	if v == nil {
		return 0
	}
	return int(v.state.line.waiting.Load())
}
