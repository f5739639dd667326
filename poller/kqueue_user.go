//go:build darwin || dragonfly || freebsd

package poller

import "golang.org/x/sys/unix"

// bell wakes a kqueue by an event of its own, EVFILT_USER; Ident 0 is no descriptor there. With EV_CLEAR fetching the
// event consumes it.
type bell struct{}

func (bell) open(kq int) error {
	return change(kq, []unix.Kevent_t{{Filter: unix.EVFILT_USER, Flags: unix.EV_ADD | unix.EV_CLEAR}})
}

func (bell) ring(kq int) error {
	return change(kq, []unix.Kevent_t{{Filter: unix.EVFILT_USER, Fflags: unix.NOTE_TRIGGER}})
}

func (bell) heard(ev *unix.Kevent_t) bool { return ev.Filter == unix.EVFILT_USER }

func (bell) close() error { return nil }
