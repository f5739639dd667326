package engine

import (
	"net/netip"

	"pen/conf"
)

// The PROXY protocol for datagrams: each one begins with a header of version 2, from a proxy that we trust and to a server
// that wants it. Answers carry none. A proxy may speak for many clients from one port, so their flows are told apart by the
// clients that it names; their answers go to the proxy.

// flowProxy is what a flow has that a proxy in front of us speaks for, or whose server is to hear of its client.
type flowProxy struct {
	client netip.AddrPort // of the flow
	to     netip.AddrPort // whom it writes to, as far as we know
	header []byte         // in front of what the server gets; nil = it wants none
}

// proxiedKey tells flows apart whose client a proxy names.
type proxiedKey struct {
	proxy  flowKey
	client netip.AddrPort
}

// spokenFor tells if the flow's client is another than who sends us its datagrams.
func (f *flow) spokenFor() bool { return f.proxy != nil && f.proxy.client != f.key.client() }

func (f *flow) proxiedKey() proxiedKey { return proxiedKey{f.key, f.proxy.client} }

// header is what is put in front of each datagram to the server of a flow.
func (f *flow) header() []byte {
	if f.proxy == nil {
		return nil
	}
	return f.proxy.header
}

// fromProxy takes a datagram that a trusted peer has sent to the flow of the client that its header names. at is the flow.
func (r *reactor) fromProxy(l *datagramListener, key *flowKey, b []byte, at **flow) {
	p, n, err := readProxy(b)
	if err != nil || n == 0 {
		r.counters.datagramsOf(l.service.state).drop(dropHeader, 1)
		return
	}
	if p.local || !p.from.IsValid() || p.from == key.client() {
		*at = l.flows[*key]
		r.fromFlow(l, key, nil, datagram{data: b[n:]}, at)
		return
	}
	proxy := &flowProxy{client: p.from, to: p.to}
	*at = l.proxied[proxiedKey{*key, p.from}]
	r.fromFlow(l, key, proxy, datagram{data: b[n:]}, at)
}

// introduceFlow makes the header for a flow's new server, if that wants one.
func (r *reactor) introduceFlow(f *flow) {
	if f.proxy != nil {
		f.proxy.header = nil
	}
	if f.server.proxy != conf.ProxyV2 {
		return
	}
	if f.proxy == nil {
		f.proxy = &flowProxy{client: f.key.client()}
	}
	to := f.proxy.to
	if a, err := localAddress(f.listener.fd); err == nil && !to.IsValid() {
		to = a.ip
		if f.key.local != [16]byte{} {
			to = netip.AddrPortFrom(netip.AddrFrom16(f.key.local).Unmap(), to.Port())
		}
	}
	header, err := newProxyHeader(conf.ProxyV2, f.proxy.client, to, true).Format()
	if err != nil {
		panic(err) // of addresses that are valid it can always be made
	}
	f.proxy.header = header
}

// putUp adds a datagram to the batch for the flow's server. With a header in front each one goes by itself.
func (r *reactor) putUp(f *flow, d datagram) {
	u := &r.udp
	if len(f.header()) == 0 {
		u.to = f
		u.batch.put(d, nil)
		return
	}
	for chunk := range d.each {
		r.flush()
		u.told = append(append(u.told[:0], f.header()...), chunk...)
		u.to = f
		u.batch.put(datagram{data: u.told}, nil)
		r.flush()
		if f.server == nil { // it has failed, and so have all others
			return
		}
	}
}
