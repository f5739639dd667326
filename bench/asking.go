//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests over TLS, and requests at a fixed rate, are carried by a loop over epoll.
//
// At a fixed rate the requests have their times whatever becomes of the replies: request k is due at k / rate after the
// start, on connection k mod their number. If the reply before it is not there by then it waits, and goes out as soon as
// it can, but its latency counts from when it was due. So a proxy that stands still for a while pays for all requests
// of that while, not just for one on each connection ("coordinated omission").

// asking is the loop. It belongs to one goroutine.
type asking struct {
	load     *load
	epoll    int
	lines    []*line
	request  []byte
	room     []byte
	interval time.Duration // between requests; 0 = a request follows its reply
	begin    time.Time
	due      int64 // number of the first request that is not due yet
}

// line is one connection of it.
type line struct {
	fd    int
	conn  io.ReadWriter // the wire, or TLS over it
	start time.Time     // from when the reply that is awaited counts
	left  int           // bytes of it; 0 = none is awaited
	next  time.Time     // when the next request is due, at a fixed rate
	owed  int           // requests that are due and have not been sent
}

// asks opens the connections and keeps them busy to the end of the process.
func (l *load) asks() error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	a := &asking{load: l, epoll: epoll, request: []byte(requestText), room: make([]byte, bulkReply)}
	if l.Rate > 0 {
		a.interval = time.Duration(float64(time.Second) / l.Rate)
		// The system may be late by this much when it wakes us; usually 50 µs.
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("timer slack: %w", err)
		}
	}
	for range l.Conns {
		if err := a.open(); err != nil {
			return err
		}
	}
	go func() { l.failed(a.run()) }()
	return nil
}

// open adds a connection.
func (a *asking) open() error {
	w, err := dialWire(a.load.Address)
	if err != nil {
		return err
	}
	t := &line{fd: w.fd, conn: w}
	if a.load.Key != noKey {
		if t.conn, err = shakeHands(w, a.load.Key, nil); err != nil {
			return err
		}
	}
	if err := w.ready(); err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(a.lines))}
	if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, w.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	a.lines = append(a.lines, t)
	return nil
}

// run serves the connections until the first error.
func (a *asking) run() error {
	a.begin = time.Now()
	for i, t := range a.lines {
		t.next = a.begin.Add(time.Duration(i) * a.interval)
		if a.interval > 0 {
			continue
		}
		if err := a.ask(t, a.begin); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, len(a.lines))
	for {
		wait, err := a.askDue()
		if err != nil {
			return err
		}
		n, err := epollWait(a.epoll, events, wait)
		if err != nil {
			return err
		}
		for _, event := range events[:n] {
			if err := a.hear(a.lines[event.Fd]); err != nil {
				return err
			}
		}
	}
}

// askDue sends what is due and returns the time until the next request is; below 0 if replies alone make requests.
func (a *asking) askDue() (time.Duration, error) {
	if a.interval == 0 {
		return -1, nil
	}
	for {
		wait := time.Until(a.begin.Add(time.Duration(a.due) * a.interval))
		if wait > 0 {
			return wait, nil
		}
		t := a.lines[a.due%int64(len(a.lines))]
		a.due++
		if t.owed++; t.left > 0 {
			continue
		}
		if err := a.askOwed(t); err != nil {
			return 0, err
		}
	}
}

// askOwed sends the oldest request that is due on a connection, if one is.
func (a *asking) askOwed(t *line) error {
	if t.owed == 0 {
		return nil
	}
	start := t.next
	t.owed--
	t.next = t.next.Add(time.Duration(len(a.lines)) * a.interval)
	return a.ask(t, start)
}

func (a *asking) ask(t *line, start time.Time) error {
	t.start, t.left = start, a.load.Origin.Size
	_, err := t.conn.Write(a.request)
	return err
}

// hear takes what has come, and asks again when the reply is complete.
func (a *asking) hear(t *line) error {
	for {
		n, err := t.conn.Read(a.room)
		switch {
		case errors.Is(err, notYet{}):
			return nil
		case err == io.EOF && t.left > 0:
			return errEarlyEnd
		case err != nil:
			return err
		}
		if t.left -= n; t.left < 0 {
			return errTooMuch
		}
		if t.left > 0 {
			continue
		}
		now := a.load.replied(t.start)
		if a.interval > 0 {
			return a.askOwed(t)
		}
		return a.ask(t, now)
	}
}

// epollWait waits to the nanosecond, without end if the time is below 0. Being interrupted is no event.
func epollWait(epoll int, events []unix.EpollEvent, wait time.Duration) (int, error) {
	var limit *unix.Timespec
	if wait >= 0 {
		t := unix.NsecToTimespec(int64(wait))
		limit = &t
	}
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(limit)), 0, 0)
	if e == unix.EINTR {
		return 0, nil
	}
	if e != 0 {
		return 0, fmt.Errorf("epoll: %w", e)
	}
	return int(n), nil
}
