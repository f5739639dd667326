package engine

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"pen/poller"
)

// datagramListener is a reactor's own socket for the clients of a service of datagrams, and their flows.
//
// Where the kernel spreads the datagrams of a port over several sockets by a hash of both addresses, each reactor has
// one, so that a flow stays on one reactor. Elsewhere, and with a Unix socket, one reactor has the only socket: two
// that read from the same would each have its own idea of a client's server.
type datagramListener struct {
	fd             int
	service        *service // of the plan in use
	ready          bool     // datagrams may be waiting
	wildcard       bool     // answers have to be told which address to leave from
	overflows      uint32   // what the kernel said last of datagrams that found no room; it counts from 0 on
	flows          map[flowKey]*flow
	proxied        map[proxiedKey]*flow // of clients for whom a proxy speaks
	oldest, newest *flow                // by the time of the last datagram: as all wait equally long, also by the time of their end
}

// receiveQueue is what a listener's socket may hold, in bytes, as far as the system lets it: at 50,000 datagrams a second
// the usual 208 KB are full after 6 ms (a small datagram counts as 768 bytes).
const receiveQueue = 4 << 20

// adoptDatagrams takes over the services of datagrams of a new plan. Sockets that it does not have any more are closed,
// and with them their flows, which could not answer from there.
func (r *reactor) adoptDatagrams(p *plan) {
	kept := r.udp.listeners[:0]
	for _, l := range r.udp.listeners {
		if v := p.listening(r.id, l.fd); v != nil {
			l.service = v
			kept = append(kept, l)
		} else {
			r.closeListener(l)
		}
	}
	clear(r.udp.listeners[len(kept):])
	r.udp.listeners = kept
	for _, v := range p.services {
		if v.conf.UDP && v.sockets != nil && v.sockets[r.id] >= 0 && r.datagramListener(v.sockets[r.id]) == nil {
			r.openListener(&datagramListener{fd: v.sockets[r.id], service: v, wildcard: v.addr.wildcard(), flows: map[flowKey]*flow{}, proxied: map[proxiedKey]*flow{}})
		}
	}
}

// datagramListener returns the listener with a descriptor, nil if there is none.
func (r *reactor) datagramListener(fd int) *datagramListener {
	for _, l := range r.udp.listeners {
		if l.fd == fd {
			return l
		}
	}
	return nil
}

func (r *reactor) openListener(l *datagramListener) {
	if r.udp.batch == nil {
		r.udp.batch = newPackets()
	}
	r.own(l.fd, nil)
	r.udp.listeners = append(r.udp.listeners, l)
	if err := r.poller.AddListener(l.fd); err != nil {
		r.engine.report(0, "listener %s: %v", l.service.addr, err)
	}
}

func (r *reactor) closeListener(l *datagramListener) {
	for l.oldest != nil {
		r.endFlow(l.oldest, reasonClosed)
	}
	r.discard(l.fd)
}

// stopDatagrams ends all flows at once: an answer that comes later is lost, as is the next question.
func (r *reactor) stopDatagrams() {
	for _, l := range r.udp.listeners {
		for l.oldest != nil {
			r.endFlow(l.oldest, reasonExit)
		}
		r.discard(l.fd)
	}
	r.udp.listeners = nil
}

// dispatchDatagrams takes an event to its flow or listener. A flow is read at once: what it says goes into the batch
// that leaves at the end of the turn at the latest. A listener is read when that has left.
func (r *reactor) dispatchDatagrams(ev *poller.Event) {
	if ev.FD < len(r.udp.owner) && r.udp.owner[ev.FD] != nil {
		r.fromServer(r.udp.owner[ev.FD], ev.Ready&poller.Writable != 0)
	} else if l := r.datagramListener(ev.FD); l != nil {
		l.ready = true
	}
}

// ownFlow makes the reactor deliver the events of a descriptor to a flow.
func (r *reactor) ownFlow(fd int, f *flow) {
	if fd >= len(r.udp.owner) {
		r.udp.owner = slices.Grow(r.udp.owner, fd+1-len(r.udp.owner))
		r.udp.owner = r.udp.owner[:cap(r.udp.owner)]
	}
	r.udp.owner[fd] = f
}

// openDatagrams makes the sockets of a service of datagrams on an address: one for each of n reactors, or one for the
// reactor of the given number, and -1 for the others.
func openDatagrams(a *address, n, only int) (fds []int, err error) {
	if a.path != "" {
		if err := RemoveStale("unixgram", a.path); err != nil {
			return nil, fmt.Errorf("can't bind local address %s: %w", a, err)
		}
	}
	fds = slices.Repeat([]int{-1}, n)
	for i := range fds {
		if i != only && (a.path != "" || !balancedDatagrams) {
			continue
		}
		if fds[i], err = bindDatagrams(a); err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("can't bind local address %s: %w", a, err)
		}
		if a.path == "" && a.ip.Port() == 0 { // port 0: the others join the one that the system chose
			if a, err = localAddress(fds[i]); err != nil {
				closeAll(fds)
				return nil, err
			}
		}
	}
	return fds, nil
}

// bindDatagrams makes one socket for clients.
func bindDatagrams(a *address) (int, error) {
	fd, err := newSocket(a.family(), unix.SOCK_DGRAM)
	if err != nil {
		return -1, err
	}
	if err = prepareDatagrams(fd, a); err == nil {
		err = unix.Bind(fd, a.sockaddr())
	}
	if err != nil {
		closeSocket(fd)
		return -1, err
	}
	return fd, nil
}

// prepareDatagrams sets the options of a socket for clients.
func prepareDatagrams(fd int, a *address) error {
	growReceiveQueue(fd, receiveQueue)
	countOverflows(fd)
	if a.path != "" {
		return nil
	}
	acceptSegments(fd)
	if a.family() == unix.AF_INET6 {
		v6only := 1
		if a.ip.Addr().IsUnspecified() {
			v6only = 0 // [::] takes IPv4 clients too, as with streams
		}
		setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only)
	}
	if balancedDatagrams {
		if err := setOption(fd, unix.SOL_SOCKET, reusePort, 1); err != nil {
			return err
		}
	}
	if a.wildcard() {
		return askLocal(fd, a.family())
	}
	return nil
}

// wildcard tells if a socket on the address has many addresses of ours.
func (a *address) wildcard() bool { return a.path == "" && a.ip.Addr().IsUnspecified() }

// probeDatagrams finds out if a port is taken, even by a program that would share it.
func probeDatagrams(a *address) error {
	fd, err := newSocket(a.family(), unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	defer closeSocket(fd)
	return unix.Bind(fd, a.sockaddr())
}
