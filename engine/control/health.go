package control

import (
	"fmt"
	"net/netip"
	"time"

	"pen/conf"
	"pen/engine"
)

// probe has the servers probed as the settings say. They have been published.
func (c *Control) probe() {
	var list []subject
	for _, v := range c.settings.Services {
		source, _ := netip.ParseAddr(v.TCP.Source) // invalid if there is none
		for _, t := range c.engine.Targets(v.Name) {
			p := v.Probe(t.Index)
			agent := v.Health.Agent
			if v.Servers[t.Index].Probe.Kind == conf.NoProbe || t.Network == "unix" {
				agent = 0
			}
			if p.Kind == "" && agent == 0 {
				continue
			}
			if p.Kind == "" { // the agent is asked as often as a probe would be
				usual := conf.NewProbe("")
				p.Interval, p.Timeout = usual.Interval, usual.Timeout
			}
			list = append(list, subject{Target: t, service: v.Name, datagram: v.UDP, source: source, probe: p, agent: agent})
		}
	}
	c.prober.want(list)
}

// found takes over what probes have found out.
func (c *Control) found(changes []change) {
	byService := map[string]map[int32]engine.Standing{}
	for _, ch := range changes {
		m := byService[ch.service]
		if m == nil {
			m = map[int32]engine.Standing{}
			byService[ch.service] = m
		}
		m[ch.ID] = ch.to
		c.reasons[ch.ID] = ch.why
		if ch.why == "" {
			delete(c.reasons, ch.ID)
		}
	}
	for service, standings := range byService {
		c.engine.SetStandings(service, standings)
	}
	for _, ch := range changes {
		c.announceChange(ch)
	}
}

// announceChange makes an event of a change, and logs it.
func (c *Control) announceChange(ch change) {
	if ch.from.Health != ch.to.Health && ch.to.Health > engine.Probing {
		c.event(ch.subject, ch.from.Health.String(), ch.to.Health.String(), ch.why)
	}
	if was, is := agentState(ch.from), agentState(ch.to); was != is && ch.to.Health != engine.Unprobed {
		c.event(ch.subject, was, is, "its agent says so")
	}
}

// agentState is what the agent of a server wants, as it is shown.
func agentState(s engine.Standing) string {
	switch {
	case s.Drain:
		return "agent drain"
	case s.Share != 100:
		return fmt.Sprintf("agent %d%%", s.Share)
	}
	return "agent ready"
}

// event keeps and logs a change of the state of a server. That all servers work when pen starts is no news.
func (c *Control) event(t *subject, from, to, why string) {
	c.events.add(Event{Time: time.Now(), Service: t.service, Server: t.Index, Address: t.Address, From: from, To: to, Reason: why})
	say := c.Log.Info
	switch {
	case to == "down":
		say = c.Log.Warn
	case from == "probing":
		say = c.Log.Debug
	}
	args := []any{"server", t.Index, "addr", t.Address, "service", t.service}
	if why != "" {
		args = append(args, "why", why)
	}
	say("server is "+to, args...)
}

// switched makes events of what the operator has switched, from the settings was to the present ones.
func (c *Control) switched(was *conf.Settings) {
	for _, v := range c.settings.Services {
		old := was.Service(v.Name)
		if old == nil || old == v {
			continue
		}
		for _, t := range c.engine.Targets(v.Name) {
			i := t.Index
			if i >= len(old.Servers) || old.Servers[i].Address != v.Servers[i].Address || old.Servers[i].Admin == v.Servers[i].Admin {
				continue
			}
			c.event(&subject{Target: t, service: v.Name}, old.Servers[i].Admin.String(), v.Servers[i].Admin.String(), "by command")
		}
	}
}

// Servers returns the state of the servers of a service, with the reasons why some are down.
func (r runtime) Servers(service string) []conf.ServerStatus {
	list := r.Engine.Servers(service)
	for _, t := range r.Engine.Targets(service) {
		if t.Index < len(list) {
			list[t.Index].Reason = r.control.reasons[t.ID]
		}
	}
	return list
}
