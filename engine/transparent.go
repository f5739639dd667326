package engine

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Connections to servers from the client's address, by the command transparent: the server sees the client, and its answers
// must be routed back through this machine. It takes a privilege (on Linux CAP_NET_ADMIN). Without it, and where client and
// server have addresses of different families, connections come from an address of ours, as in pen.

// bindUp binds the socket of a server's side to the address that it is to leave from, if that is not the system's choice.
func (r *reactor) bindUp(fd int, v *service, p *place, client netip.Addr) error {
	if v.conf.TCP.Transparent && client.IsValid() {
		from := newAddress(netip.AddrPortFrom(client.Unmap(), 0))
		if from.family() == p.addr.family() {
			err := bindForeign(fd, from)
			if err == nil {
				return nil
			}
			if !r.opaque { // once is enough: it will not go away by itself
				r.opaque = true
				r.engine.report(0, "transparent: can't connect to servers from the addresses of clients: %v", err)
			}
		}
	}
	if v.source == nil {
		return nil
	}
	return bindTo(fd, v.source)
}

// bindForeign is bindTo for an address that need not be one of ours.
func bindForeign(fd int, from *address) error {
	if err := allowForeign(fd, from.family()); err != nil {
		return err
	}
	return bindTo(fd, from)
}

// bindTo has a socket leave from an address.
func bindTo(fd int, from *address) error {
	if err := bindLate(fd); err != nil {
		return err
	}
	return unix.Bind(fd, from.sockaddr())
}
