//go:build netbsd || openbsd

package poller

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// bell wakes a kqueue by a pipe: OpenBSD has no EVFILT_USER, NetBSD has it since 10 only.
type bell struct{ pipe wakePipe }

func (b *bell) open(kq int) error {
	pipe, err := newWakePipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	b.pipe = pipe
	var changes [1]unix.Kevent_t
	unix.SetKevent(&changes[0], pipe[0], unix.EVFILT_READ, unix.EV_ADD)
	if err := change(kq, changes[:]); err != nil {
		pipe.close()
		return err
	}
	return nil
}

func (b *bell) ring(int) error { return b.pipe.ring() }

func (b *bell) heard(ev *unix.Kevent_t) bool {
	if int(ev.Ident) != b.pipe[0] {
		return false
	}
	b.pipe.drain()
	return true
}

func (b *bell) close() error { return b.pipe.close() }
