package poller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const native = "epoll"

// epoll is the poller of Linux, see epoll(7).
//
// A connection is registered once, for both directions, edge-triggered: the kernel tells every change, the user latches
// it, so Arm has nothing to do. Remove of a connection does nothing in the kernel either, because closing the descriptor
// does it: a connection costs one call of epoll_ctl in its life. But closing removes a registration only with the last
// copy of the descriptor, and a child between fork and exec holds copies; until then the kernel goes on reporting the
// old socket under a number that may belong to a new one. Therefore each registration carries a generation that Remove
// advances, and Wait drops what bears an old one.
//
// A listener is level-triggered and shared without EPOLLEXCLUSIVE. With it, edge- or level-triggered, the kernel tells a
// connection to one of the waiting pollers only; if that one takes some of the pending connections and then Removes the
// listener (descriptors used up, limit reached), the rest waits although others sleep that could take them, until the
// next connection happens to arrive. TestListenerLeftToTheOther fails with it. Without it all that sleep are woken,
// which costs little where it happens: TCP listeners are balanced by SO_REUSEPORT, so only unix sockets are shared.
type epoll struct {
	fd    int
	event int // eventfd of Wake
	wake  waker
	table []epollFD // by descriptor; 4 bytes each, as there is one for every idle connection
	buf   [batch]unix.EpollEvent
}

// epollFD is what we must know of a descriptor: its generation, and in the lowest bit whether it is a listener.
type epollFD uint32

const (
	epollListener   epollFD = 1
	epollGeneration epollFD = 2 // to be added
)

const (
	connectionEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	listenerEvents   = unix.EPOLLIN
)

func openNative() (Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &epoll{fd: fd, event: event}
	// Edge-triggered: every write is told, so the eventfd is never read.
	if err := p.register(event, unix.EPOLLIN|unix.EPOLLET, 0); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *epoll) Name() string { return native }

func (p *epoll) Add(fd int) error { return p.add(fd, connectionEvents, 0) }

func (p *epoll) AddListener(fd int) error { return p.add(fd, listenerEvents, epollListener) }

func (p *epoll) add(fd int, events uint32, kind epollFD) error {
	table, err := tableFor(p.table, fd)
	if err != nil {
		return err
	}
	p.table = table
	p.table[fd] = p.table[fd]&^epollListener | kind
	return p.register(fd, events, p.table[fd])
}

// register tells the kernel. EEXIST is a descriptor that was removed and not closed: changing its registration looks at
// the state of the socket anew, just as adding does.
func (p *epoll) register(fd int, events uint32, mark epollFD) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(mark)}
	err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev)
	if err == unix.EEXIST {
		err = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &ev)
	}
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Arm has nothing to do: the next change of the socket is an event.
func (p *epoll) Arm(int, Interest) error { return nil }

func (p *epoll) Remove(fd int) error {
	if fd < 0 || fd >= len(p.table) {
		return unix.ENOENT
	}
	was := p.table[fd]
	p.table[fd] = was&^epollListener + epollGeneration
	if was&epollListener == 0 {
		return nil
	}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Wait looks first by a raw system call, which is cheaper by the notice to the scheduler and enough for a busy reactor.
// Only a call that may block goes through the scheduler: a raw one would stop the garbage collector.
func (p *epoll) Wait(events []Event, timeout time.Duration) (int, error) {
	room := uintptr(min(len(events), batch))
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.buf)), room, 0, 0, 0)
	if errno == 0 && n == 0 && timeout != 0 {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.buf)), room, uintptr(millis(timeout)), 0, 0)
	}
	switch errno {
	case 0:
		return p.translate(events, p.buf[:n]), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("epoll_pwait: %w", errno)
}

func (p *epoll) translate(events []Event, kernel []unix.EpollEvent) int {
	n := 0
	for i := range kernel {
		ev := &kernel[i]
		fd := int(ev.Fd)
		if fd == p.event {
			p.wake.heard()
			continue
		}
		if epollFD(ev.Pad) != p.table[fd] {
			continue
		}
		events[n] = Event{FD: fd, Ready: epollReady(ev.Events), Hangup: epollHangup(ev.Events), Failed: ev.Events&unix.EPOLLERR != 0}
		n++
	}
	return n
}

// epollHangup tells if the stream has an end. After a reset it has none.
func epollHangup(events uint32) bool {
	return events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 && events&unix.EPOLLERR == 0
}

func epollReady(events uint32) (ready Interest) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		ready |= Readable
	}
	if events&unix.EPOLLOUT != 0 {
		ready |= Writable
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		ready = both
	}
	return ready
}

// wakeCount is what an eventfd wants to be written. It counts to 2^64-2, so that even unread it is never full.
var wakeCount = binary.NativeEndian.AppendUint64(nil, 1)

func (p *epoll) Wake() error {
	if !p.wake.begin() {
		return nil
	}
	_, err := unix.Write(p.event, wakeCount)
	return p.wake.end(err)
}

func (p *epoll) Close() error {
	if !p.wake.close() {
		return nil
	}
	return errors.Join(unix.Close(p.event), unix.Close(p.fd))
}
