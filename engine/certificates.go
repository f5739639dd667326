package engine

import (
	"pen/conf"
	"pen/engine/certs"
	"pen/engine/tlsio"
)

// What a plan has for TLS. It is made by the control goroutine, which reads files for it, and kept from plan to plan as
// long as the settings are the same: the files may have changed since, which is looked after elsewhere.

// handshakeOptions are what this data plane wants of the handshakes with clients.
var handshakeOptions = certs.Options{Chosen: tlsio.Offload}

// compileTLS makes what a service needs to speak TLS to clients, nil if it does not. was is the service of the old plan,
// nil if there is none.
func compileTLS(t *conf.TLS, was *service) (*certs.Front, error) {
	if !t.On() {
		return nil, nil
	}
	var old *certs.Front
	if was != nil {
		old = was.tls
	}
	if old != nil && old.Fits(t) {
		return old, nil
	}
	return certs.NewFront(t, old, handshakeOptions)
}

// compileTLS makes what is needed to speak TLS to a server, if it wants that.
func (p *place) compileTLS(s *conf.Server, was *service) (err error) {
	if !s.TLS.On || s.Address == "" {
		return nil
	}
	var old *certs.Upstream
	if was != nil && p.index < len(was.places) {
		old = was.places[p.index].tls
	}
	if old != nil && old.Fits(s.TLS, s.Address) {
		p.tls = old
		return nil
	}
	p.tls, err = certs.NewUpstream(s.TLS, s.Address, old)
	return err
}

// Front is the TLS of a service with its clients.
type Front struct {
	*certs.Front
	Service string
}

// Fronts returns the services that speak TLS to clients, in their order.
func (e *Engine) Fronts() (list []Front) {
	for _, v := range e.plan.Load().services {
		if v.tls != nil {
			list = append(list, Front{v.tls, v.conf.Name})
		}
	}
	return list
}

// Upstreams returns the TLS with servers, with the names of their services. No two are the same.
func (e *Engine) Upstreams() map[*certs.Upstream]string {
	m := map[*certs.Upstream]string{}
	for _, v := range e.plan.Load().services {
		for i := range v.places {
			if u := v.places[i].tls; u != nil {
				m[u] = v.conf.Name
			}
		}
	}
	return m
}
