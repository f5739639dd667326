//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const native = "kqueue"

// kqueue is the poller of the BSDs and macOS, see kqueue(2).
//
// A connection has two filters, EVFILT_READ and EVFILT_WRITE, both with EV_CLEAR: the kernel tells every change, the user
// latches it, so Arm has nothing to do. A listener has EVFILT_READ without EV_CLEAR and is told while connections are
// pending. The two filters of one descriptor may come in the same batch; place finds the Event of the first, so that
// the second is merged into it.
// Invariant: outside of translate all of place is 0.
type kqueue struct {
	fd    int
	bell  bell
	wake  waker
	place []uint16 // by descriptor: its Event in the current batch + 1; 0 is none
	buf   [batch]unix.Kevent_t
}

func openNative() (Poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, fmt.Errorf("kqueue: %w", err)
	}
	unix.CloseOnExec(fd)
	p := &kqueue{fd: fd}
	if err := p.bell.open(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

func (p *kqueue) Name() string { return native }

// Add adds both filters in one call, which stops at the first that fails; Remove takes back what it did before that.
func (p *kqueue) Add(fd int) error {
	place, err := tableFor(p.place, fd)
	if err != nil {
		return err
	}
	p.place = place
	var changes [2]unix.Kevent_t
	unix.SetKevent(&changes[0], fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR)
	unix.SetKevent(&changes[1], fd, unix.EVFILT_WRITE, unix.EV_ADD|unix.EV_CLEAR)
	if err := change(p.fd, changes[:]); err != nil {
		_ = p.Remove(fd) // the first error is the one to tell
		return err
	}
	return nil
}

func (p *kqueue) AddListener(fd int) error {
	place, err := tableFor(p.place, fd)
	if err != nil {
		return err
	}
	p.place = place
	var changes [1]unix.Kevent_t
	unix.SetKevent(&changes[0], fd, unix.EVFILT_READ, unix.EV_ADD)
	return change(p.fd, changes[:])
}

// Arm has nothing to do: the next change of the socket is an event.
func (p *kqueue) Arm(int, Interest) error { return nil }

// Remove deletes both filters in one call. A listener has but the first, hence ENOENT is no error.
func (p *kqueue) Remove(fd int) error {
	var changes [2]unix.Kevent_t
	unix.SetKevent(&changes[0], fd, unix.EVFILT_READ, unix.EV_DELETE)
	unix.SetKevent(&changes[1], fd, unix.EVFILT_WRITE, unix.EV_DELETE)
	if err := change(p.fd, changes[:]); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// change applies changes without fetching events. kevent(2) may be interrupted only after it has applied them.
func change(kq int, changes []unix.Kevent_t) error {
	_, err := unix.Kevent(kq, changes, nil, nil)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("kevent: %w", err)
	}
	return nil
}

func (p *kqueue) Wait(events []Event, timeout time.Duration) (int, error) {
	var limit *unix.Timespec
	if timeout >= 0 {
		ts := unix.NsecToTimespec(int64(min(timeout, maxWait)))
		limit = &ts
	}
	n, err := unix.Kevent(p.fd, nil, p.buf[:min(len(events), batch)], limit)
	switch err {
	case nil:
		return p.translate(events, p.buf[:n]), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("kevent: %w", err)
}

func (p *kqueue) translate(events []Event, kernel []unix.Kevent_t) int {
	n := 0
	for i := range kernel {
		ev := &kernel[i]
		if p.bell.heard(ev) {
			p.wake.heard()
			continue
		}
		fd := int(ev.Ident)
		if p.place[fd] == 0 {
			events[n] = Event{FD: fd}
			n++
			p.place[fd] = uint16(n)
		}
		event := &events[p.place[fd]-1]
		event.Ready |= kqueueReady(ev)
		event.Failed = event.Failed || ev.Flags&unix.EV_EOF != 0 && ev.Fflags != 0
		event.Hangup = event.Hangup || int(ev.Filter) == unix.EVFILT_READ && ev.Flags&unix.EV_EOF != 0 && ev.Fflags == 0 // fflags: the error of a reset
	}
	for i := range events[:n] {
		p.place[events[i].FD] = 0
	}
	return n
}

// kqueueReady reports both directions at the end of either: some systems tell a complete hang-up on one filter only.
func kqueueReady(ev *unix.Kevent_t) Interest {
	switch {
	case ev.Flags&(unix.EV_EOF|unix.EV_ERROR) != 0:
		return both
	case int(ev.Filter) == unix.EVFILT_WRITE:
		return Writable
	}
	return Readable
}

func (p *kqueue) Wake() error {
	if !p.wake.begin() {
		return nil
	}
	return p.wake.end(p.bell.ring(p.fd))
}

func (p *kqueue) Close() error {
	if !p.wake.close() {
		return nil
	}
	return errors.Join(p.bell.close(), unix.Close(p.fd))
}
