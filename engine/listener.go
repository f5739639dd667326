package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// listener is a reactor's own listening socket of a service.
type listener struct {
	fd      int
	service *service // of the plan in use
	ready   bool     // clients may be waiting
}

// pause is the set of reasons why a reactor does not accept. Its listeners are then out of the poller: clients wait
// in the kernel's queue and cost nothing.
type pause uint8

const (
	pauseFull    pause = 1 << iota // the connection table has no number left
	pausePending                   // as many connects under way as pending_max allows
	pauseRest                      // no descriptors or memory; for restTime or until something is closed
	pauseStarved                   // sessions here wait for a descriptor for their server's side
)

func (r *reactor) pause(why pause) {
	if r.paused == 0 {
		for _, l := range r.listeners {
			r.poller.Remove(l.fd)
			l.ready = false
		}
	}
	r.paused |= why
	if why == pauseRest {
		r.rest = r.now + int64(restTime)
	}
}

// resume takes a reason away. When it was the last one, the poller tells again of clients that wait.
func (r *reactor) resume(why pause) {
	if r.paused == 0 || r.paused&^why != 0 {
		r.paused &^= why
		return
	}
	r.paused = 0
	for _, l := range r.listeners {
		r.watch(l)
	}
}

// thereIsRoom has reactors go on that found the connection table full.
func thereIsRoom(waiting []*reactor) {
	for _, r := range waiting {
		r.Post(func() { r.resume(pauseFull) })
	}
}

func (r *reactor) watch(l *listener) {
	if err := r.poller.AddListener(l.fd); err != nil {
		r.engine.report(0, "listener %s: %v", l.service.addr, err)
	}
}

// acceptable tells if a client may be waiting that can be taken.
func (r *reactor) acceptable() bool {
	return r.paused == 0 && slices.ContainsFunc(r.listeners, func(l *listener) bool { return l.ready })
}

// accept takes clients from all listeners that have some, up to multi_accept from each, so that a flood of new
// clients does not hold up the others.
func (r *reactor) accept() {
	for _, l := range r.listeners {
		for n := 0; l.ready && r.paused == 0 && n < r.plan.settings.Limits.MultiAccept; n++ {
			r.acceptOne(l)
		}
	}
}

// acceptOne takes one client, or finds out why there is none.
func (r *reactor) acceptOne(l *listener) {
	number, ok := r.takeNumber(r)
	if !ok {
		r.pause(pauseFull)
		return
	}
	fd, from, err := accept(l.fd, &r.peer)
	if err == nil {
		r.begin(l.service, number, fd, from)
		return
	}
	thereIsRoom(r.engine.connections.cancel(number))
	switch {
	case err == unix.EAGAIN:
		l.ready = false
	case exhausted(err):
		r.pause(pauseRest)
		r.engine.report(1, "accept: %v; clients wait", err)
	} // else the client has gone already (ECONNABORTED, EPROTO, a network error of its own): the next one
}

// exhausted tells if an error means that the system has run out of something, which says nothing about the peer.
func exhausted(err error) bool {
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL, unix.EAGAIN:
		return true
	}
	return false
}

// adopt takes a new plan over: listeners that it does not have any more are emptied and closed, new ones are opened,
// and sessions go on by its settings.
func (r *reactor) adopt(p *plan) {
	if p == r.plan {
		return
	}
	r.plan = p
	kept := r.listeners[:0]
	for _, l := range r.listeners {
		if v := p.listening(r.id, l.fd); v != nil {
			l.service = v
			kept = append(kept, l)
		} else {
			r.abandon(l)
		}
	}
	r.listeners = kept
	r.adoptDatagrams(p)
	for _, v := range p.services {
		if !v.conf.UDP && v.sockets != nil && !slices.ContainsFunc(r.listeners, func(l *listener) bool { return l.fd == v.sockets[r.id] }) {
			r.open(&listener{fd: v.sockets[r.id], service: v})
		}
	}
	r.each(func(s *session) {
		if s.state != stateConnecting && s.state != stateStarved {
			r.renew(s)
		}
	})
	if r.pending < r.pendingMax() {
		r.resume(pausePending)
	}
	r.keepIdlers()
}

// open begins to accept from a listener.
func (r *reactor) open(l *listener) {
	r.listeners = append(r.listeners, l)
	r.own(l.fd, nil)
	if r.paused == 0 {
		r.watch(l)
	}
}

// abandon serves the clients that wait in the queue of a listener, then closes it.
func (r *reactor) abandon(l *listener) {
	for l.ready = true; l.ready && r.paused == 0; {
		r.acceptOne(l)
	}
	r.poller.Remove(l.fd)
	r.closing = append(r.closing, l.fd)
}

// openListener makes one listening socket for each of n reactors. They own the descriptors.
func openListener(a *address, n, backlog int) (fds []int, err error) {
	if a.path != "" {
		if err := RemoveStale("unix", a.path); err != nil {
			return nil, fmt.Errorf("can't bind local address %s: %w", a, err)
		}
	}
	defer func() {
		if err != nil {
			closeAll(fds)
			fds = nil
		}
	}()
	for len(fds) < n {
		fd := -1
		if len(fds) > 0 && (a.path != "" || !balancedPorts) {
			fd, err = unix.Dup(fds[0])
			if err == nil {
				unix.CloseOnExec(fd)
			}
		} else {
			fd, err = listen(a, backlog)
		}
		if err != nil {
			return fds, fmt.Errorf("can't bind local address %s: %w", a, err)
		}
		fds = append(fds, fd)
		if a.path == "" && a.ip.Port() == 0 { // port 0: the others join the one that the system chose
			if a, err = localAddress(fd); err != nil {
				return fds, err
			}
		}
	}
	return fds, nil
}

// listen makes one listening socket.
func listen(a *address, backlog int) (int, error) {
	fd, err := newSocket(a.family(), unix.SOCK_STREAM)
	if err != nil {
		return -1, err
	}
	if err = prepare(fd, a); err == nil {
		err = unix.Bind(fd, a.sockaddr())
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepare sets the options of a listening socket, of which accepted ones take TCP_NODELAY over where noDelayInherited.
func prepare(fd int, a *address) error {
	if a.path != "" {
		return nil
	}
	if a.family() == unix.AF_INET6 {
		// [::] takes IPv4 clients too, as in pen; OpenBSD has no such sockets and refuses.
		v6only := 0
		if !a.ip.Addr().IsUnspecified() {
			v6only = 1
		}
		setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only)
	}
	if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if balancedPorts {
		if err := setOption(fd, unix.SOL_SOCKET, reusePort, 1); err != nil {
			return err
		}
	}
	return setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// probePort finds out if a port is taken, even by a program that would share it: binding without the option to share
// fails when somebody listens.
func probePort(a *address) error {
	fd, err := newSocket(a.family(), unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer closeSocket(fd)
	if err := setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, a.sockaddr())
}

func localAddress(fd int) (*address, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return newAddress(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))), nil
	case *unix.SockaddrInet6:
		return newAddress(netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))), nil
	case *unix.SockaddrUnix:
		return newPath(sa.Name)
	}
	return nil, fmt.Errorf("socket %d has no address that pen can listen on", fd)
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			closeSocket(fd)
		}
	}
}
