package control

import (
	"time"

	"pen/engine"
)

// health is what the results of probes make of a server:
//
//	probing ──first result──► up ──fall bad ones in a row──► down
//	                          ▲                               │
//	                          └────rise good ones in a row────┘
type health struct {
	state  engine.Health
	streak int // results in a row that speak against the state
}

// take takes a result in and tells if the state has changed.
func (h *health) take(good bool, rise, fall int) bool {
	needed := rise
	switch {
	case h.state == engine.Probing:
		needed = 1
	case good == (h.state == engine.Up):
		h.streak = 0
		return false
	case h.state == engine.Up:
		needed = fall
	}
	if h.streak++; h.streak < needed {
		return false
	}
	h.streak = 0
	h.state = engine.Down
	if good {
		h.state = engine.Up
	}
	return true
}

// ProbeReport is what is known from probing one server.
type ProbeReport struct {
	Service string
	Server  int           // its number
	Address string        // host:port or path
	Kind    string        // of the probe; "" = there is only the agent
	Health  engine.Health // agents included
	Reason  string        // why it is down; "" = it is not
	Good    uint64        // probes that the server answered as it should
	Bad     uint64        // the others
	Took    time.Duration // time of the last probe
	At      time.Time     // of its end; zero = there was none
}

// Probes returns a report about each server that is probed, in no order. It may be called from any goroutine.
func (c *Control) Probes() []ProbeReport {
	p := c.prober
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]ProbeReport, 0, len(p.reports))
	for _, r := range p.reports {
		list = append(list, *r)
	}
	return list
}

// report returns the report about a server, to be written while p.mu is held.
func (p *prober) report(s *probed) *ProbeReport {
	r := p.reports[s.ID]
	if r == nil {
		r = &ProbeReport{}
		p.reports[s.ID] = r
	}
	r.Service, r.Server, r.Address, r.Kind = s.service, s.Index, s.Address, s.probe.Kind
	return r
}

// count notes a result.
func (p *prober) count(s *probed, found result) {
	if s.probe.Kind == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.report(s)
	r.Took, r.At = found.took, time.Now()
	if found.err == nil {
		r.Good++
	} else {
		r.Bad++
	}
}

// note notes what was told to the control goroutine.
func (p *prober) note(s *probed, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.report(s)
	r.Health, r.Reason = s.told.Health, why
}
