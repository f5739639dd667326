//go:build linux || solaris

package poller

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// evport is the poller of event ports, see port_create(3C), without its system calls: those are in evport_solaris.go.
// This file also builds on Linux, where its test lives.
//
// The problem: an association is one-shot. When the kernel reports a descriptor, it forgets it in both directions, also
// when only one was ready. And port_getn may return events together with ETIME or EINTR, or EINTR without having
// touched the count it was given.
//
// The rule: a direction is wanted from Add or Arm until it is reported (that of a listener always). A descriptor of
// which the kernel does not know all that is wanted is dirty: its bit is set and it stands in the list. Wait associates
// what is dirty before it asks for events; associating looks at the state of the socket, so nothing is lost between.
//
// The invariant: each wanted direction is either associated in the kernel or its descriptor is dirty.
type evport struct {
	calls portCalls
	wake  waker
	table []portFD // by descriptor
	dirty []int32  // descriptors to associate; those whose bit has gone were removed meanwhile
	buf   [batch]portEvent
}

// portCalls are the system calls.
type portCalls interface {
	associate(fd int, events int32, cookie uintptr) error
	dissociate(fd int) error
	// getn waits for at least one event, timeout < 0 for ever. The count is what port_getn left, with an error too.
	getn(events []portEvent, timeout time.Duration) (int, error)
	send() error
	close() error
}

// portEvent is port_event_t of <port.h>.
type portEvent struct {
	Events int32
	Source uint16
	_      uint16
	Object uintptr // descriptor
	Cookie uintptr // generation
}

// portFD is what we must know of a descriptor.
type portFD struct {
	generation uint32 // advanced by Remove: events of an older one are stale
	state      portState
}

// portState is the Interest that is wanted, in the two lowest bits, and:
type portState uint8

const (
	portWatched portState = 1 << (iota + 2)
	portListener
	portDirty
)

const (
	portSourceUser = 3 // PORT_SOURCE_USER of <sys/port.h>: port_send
	portSourceFD   = 4 // PORT_SOURCE_FD of <sys/port.h>
)

func (p *evport) Name() string { return "evport" }

func (p *evport) Add(fd int) error { return p.add(fd, portState(both)|portWatched) }

func (p *evport) AddListener(fd int) error {
	return p.add(fd, portState(Readable)|portWatched|portListener)
}

// add associates at once, so that the caller learns of a descriptor that the kernel refuses.
func (p *evport) add(fd int, state portState) error {
	table, err := tableFor(p.table, fd)
	if err != nil {
		return err
	}
	p.table = table
	if err := p.associate(fd, state); err != nil {
		return fmt.Errorf("port_associate: %w", err)
	}
	p.table[fd].state = state
	return nil
}

func (p *evport) associate(fd int, state portState) error {
	var events int32
	if state&portState(Readable) != 0 {
		events |= unix.POLLIN
	}
	if state&portState(Writable) != 0 {
		events |= unix.POLLOUT
	}
	return p.calls.associate(fd, events, uintptr(p.table[fd].generation))
}

func (p *evport) Arm(fd int, want Interest) error {
	if !p.watches(fd) {
		return unix.ENOENT
	}
	state := &p.table[fd].state
	if *state&portListener != 0 || want&both&^Interest(*state) == 0 {
		return nil // the kernel knows, or Wait will tell it
	}
	*state |= portState(want & both)
	p.mark(fd)
	return nil
}

// mark makes fd dirty.
func (p *evport) mark(fd int) {
	if p.table[fd].state&portDirty == 0 {
		p.table[fd].state |= portDirty
		p.dirty = append(p.dirty, int32(fd))
	}
}

// Remove dissociates; ENOENT is the usual answer for a descriptor that has been reported and not armed since.
func (p *evport) Remove(fd int) error {
	if !p.watches(fd) {
		return unix.ENOENT
	}
	p.table[fd].generation++
	p.table[fd].state = 0
	if err := p.calls.dissociate(fd); err != nil && err != unix.ENOENT {
		return fmt.Errorf("port_dissociate: %w", err)
	}
	return nil
}

func (p *evport) watches(fd int) bool {
	return fd >= 0 && fd < len(p.table) && p.table[fd].state&portWatched != 0
}

// Wait respects the count of port_getn whatever the error is, and the events before the error.
func (p *evport) Wait(events []Event, timeout time.Duration) (int, error) {
	if n := p.reassociate(events); n > 0 {
		return n, nil
	}
	p.buf[0] = portEvent{} // so that a count which port_getn did not touch shows no event of the last time
	got, err := p.calls.getn(p.buf[:min(len(events), batch)], timeout)
	n := p.translate(events, p.buf[:got])
	if err == nil || err == unix.ETIME || err == unix.EINTR || n > 0 {
		return n, nil
	}
	return 0, fmt.Errorf("port_getn: %w", err)
}

// reassociate cleans what is dirty. A descriptor that the kernel refuses (no memory, or closed without Remove) becomes
// an event in the wanted directions: the user's next system call tells the truth, and his next Arm tries again. What
// finds no room in events remains dirty.
func (p *evport) reassociate(events []Event) int {
	n, list := 0, p.dirty
	p.dirty = p.dirty[:0] // mark may append while list is read: never more than has been read
	for _, fd := range list {
		state := &p.table[fd].state
		if *state&portDirty == 0 {
			continue
		}
		*state &^= portDirty
		if n == len(events) {
			p.mark(int(fd))
		} else if err := p.associate(int(fd), *state); err != nil {
			events[n] = Event{FD: int(fd), Ready: Interest(*state) & both}
			p.reported(int(fd), both)
			n++
		}
	}
	return n
}

func (p *evport) translate(events []Event, kernel []portEvent) int {
	n := 0
	for i := range kernel {
		ev := &kernel[i]
		switch ev.Source {
		case portSourceUser:
			p.wake.heard()
		case portSourceFD:
			fd := int(ev.Object)
			if !p.watches(fd) || uint32(ev.Cookie) != p.table[fd].generation {
				continue
			}
			events[n] = Event{FD: fd, Ready: portReady(ev.Events)}
			p.reported(fd, events[n].Ready)
			n++
		}
	}
	return n
}

// reported notes that the kernel has forgotten fd, and that the user knows of ready.
func (p *evport) reported(fd int, ready Interest) {
	state := &p.table[fd].state
	if *state&portListener == 0 {
		*state &^= portState(ready)
	}
	if *state&portState(both) != 0 {
		p.mark(fd)
	}
}

func portReady(events int32) (ready Interest) {
	if events&unix.POLLIN != 0 {
		ready |= Readable
	}
	if events&unix.POLLOUT != 0 {
		ready |= Writable
	}
	if events&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
		ready = both
	}
	return ready
}

func (p *evport) Wake() error {
	if !p.wake.begin() {
		return nil
	}
	if err := p.wake.end(p.calls.send()); err != unix.EAGAIN {
		return err
	}
	return nil // the port is full of events, so that Wait returns anyway
}

func (p *evport) Close() error {
	if !p.wake.close() {
		return nil
	}
	return p.calls.close()
}
