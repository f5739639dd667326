package engine

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// The server's side of a session: its socket, and what happens when there is none to be had.

const starvedRetry = 20 * time.Millisecond // until a session that found no descriptor or port looks again

// openUp makes a socket and begins to connect it.
func (r *reactor) openUp(v *service, p *place, client netip.Addr) (int, error) {
	fd, err := newSocket(p.addr.family(), unix.SOCK_STREAM)
	if err != nil {
		return -1, err
	}
	if p.addr.path == "" {
		err = r.prepareUp(fd, v, p, client)
	}
	if err == nil {
		err = connect(fd, p.addr)
	}
	if err == nil || err == unix.EINPROGRESS {
		return fd, nil
	}
	closeSocket(fd) // the poller has not seen it, so no event of this batch can mean it
	return -1, err
}

func (r *reactor) prepareUp(fd int, v *service, p *place, client netip.Addr) error {
	err := setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && v.conf.TCP.KeepAlive {
		err = setOption(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	if err == nil {
		err = r.bindUp(fd, v, p, client)
	}
	return err
}

// starve has a session wait for a descriptor or a port. Meanwhile the reactor accepts nobody.
func (r *reactor) starve(s *session) {
	if s.state != stateStarved {
		s.state, s.spent = stateStarved, 0
		r.starving++
		r.pause(pauseStarved)
	}
	r.deadlines.set(s, r.now, starvedRetry)
}

// fed notes that a session does not starve any more.
func (r *reactor) fed() {
	if r.starving--; r.starving == 0 {
		r.resume(pauseStarved)
	}
}

// hungry tries again to get a descriptor, for as long as a connect may take.
func (r *reactor) hungry(s *session) {
	if s.spent++; time.Duration(s.spent)*starvedRetry > s.service.conf.Timeout.Connect {
		s.because(reasonNoServer)
		r.engine.report(1, "closing a client: no descriptor for its server")
		r.retire(s)
		return
	}
	r.seek(s)
}

// connecting counts the connects under way and keeps them below pending_max.
func (r *reactor) connecting(n int) {
	r.pending += n
	switch {
	case n > 0 && r.pending >= r.pendingMax():
		r.pause(pausePending)
	case n < 0 && r.pending < r.pendingMax():
		r.resume(pausePending)
	}
}

// pendingMax is this reactor's share of pending_max.
func (r *reactor) pendingMax() int {
	return max(1, r.plan.settings.Limits.Pending/len(r.engine.reactors))
}
