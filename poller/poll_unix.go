//go:build unix

package poller

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// poll is the poller of poll(2), which every Unix has. Each Wait hands all descriptors to the kernel, so its cost
// grows with their number.
//
// poll(2) is level-triggered, the contract is not: Wait takes back the bits of the directions that it reports, Arm sets
// them again. An entry without bits must leave the kernel's view altogether, since hang-up and error are reported
// whether asked for or not and would come again and again: its descriptor is then stored complemented, and poll(2)
// ignores negative ones.
// Invariant: an entry's Fd is negative if and only if its Events are 0.
type poll struct {
	fds   []unix.PollFd // [0] is the reading end of the pipe
	table []pollFD      // by descriptor
	next  int           // entry at which the next Wait begins to look, so that all get their turn in a small array
	pipe  wakePipe
	wake  waker
}

// pollFD tells where a descriptor stands in fds.
type pollFD struct {
	at       int32 // index in fds; 0 is none
	listener bool  // keeps its bits
}

const (
	pollReadable = unix.POLLIN | pollRDHUP
	pollWritable = unix.POLLOUT
)

func openPoll() (Poller, error) {
	pipe, err := newWakePipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	return &poll{pipe: pipe, fds: []unix.PollFd{{Fd: int32(pipe[0]), Events: unix.POLLIN}}}, nil
}

func (p *poll) Name() string { return "poll" }

func (p *poll) Add(fd int) error { return p.add(fd, pollReadable|pollWritable, false) }

func (p *poll) AddListener(fd int) error { return p.add(fd, unix.POLLIN, true) }

func (p *poll) add(fd int, events int16, listener bool) error {
	table, err := tableFor(p.table, fd)
	if err != nil {
		return err
	}
	p.table = table
	if p.table[fd].at == 0 {
		p.table[fd].at = int32(len(p.fds))
		p.fds = append(p.fds, unix.PollFd{})
	}
	p.table[fd].listener = listener
	p.fds[p.table[fd].at] = unix.PollFd{Fd: int32(fd), Events: events}
	return nil
}

func (p *poll) Arm(fd int, want Interest) error {
	if !p.has(fd) {
		return unix.ENOENT
	}
	if p.table[fd].listener || want&both == 0 {
		return nil
	}
	entry := &p.fds[p.table[fd].at]
	entry.Fd = int32(fd)
	if want&Readable != 0 {
		entry.Events |= pollReadable
	}
	if want&Writable != 0 {
		entry.Events |= pollWritable
	}
	return nil
}

// Remove fills the gap with the last entry.
func (p *poll) Remove(fd int) error {
	if !p.has(fd) {
		return unix.ENOENT
	}
	at, last := p.table[fd].at, len(p.fds)-1
	p.fds[at] = p.fds[last]
	p.table[number(p.fds[at])].at = at
	p.fds = p.fds[:last]
	p.table[fd] = pollFD{}
	return nil
}

func (p *poll) has(fd int) bool {
	return fd >= 0 && fd < len(p.table) && p.table[fd].at != 0
}

func (p *poll) Wait(events []Event, timeout time.Duration) (int, error) {
	ready, err := unix.Poll(p.fds, millis(timeout))
	switch err {
	case nil:
	case unix.EINTR, unix.EAGAIN: // EAGAIN: no memory at the moment, says poll(2) of some systems
		return 0, nil
	default:
		return 0, fmt.Errorf("poll: %w", err)
	}
	if ready > 0 && p.fds[0].Revents != 0 {
		p.pipe.drain()
		p.wake.heard()
		ready--
	}
	return p.collect(events, ready), nil
}

// collect turns the kernel's answers, whose number is ready, into events and takes back what they report.
func (p *poll) collect(events []Event, ready int) int {
	n, entries := 0, len(p.fds)-1
	for range entries {
		if n == min(ready, len(events)) {
			break
		}
		p.next = p.next%entries + 1
		entry := &p.fds[p.next]
		if entry.Revents == 0 {
			continue
		}
		fd := number(*entry)
		events[n] = Event{FD: fd, Ready: pollReady(entry.Revents), Hangup: entry.Revents&pollHangup != 0 && entry.Revents&unix.POLLERR == 0, Failed: entry.Revents&unix.POLLERR != 0}
		if !p.table[fd].listener {
			disarm(entry, events[n].Ready)
		}
		n++
	}
	return n
}

func pollReady(revents int16) (ready Interest) {
	if revents&pollReadable != 0 {
		ready |= Readable
	}
	if revents&pollWritable != 0 {
		ready |= Writable
	}
	if revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
		ready = both
	}
	return ready
}

func disarm(entry *unix.PollFd, reported Interest) {
	if reported&Readable != 0 {
		entry.Events &^= pollReadable
	}
	if reported&Writable != 0 {
		entry.Events &^= pollWritable
	}
	if entry.Events == 0 {
		entry.Fd = ^entry.Fd
	}
}

// number is the descriptor of an entry, armed or not.
func number(entry unix.PollFd) int {
	if entry.Fd < 0 {
		return int(^entry.Fd)
	}
	return int(entry.Fd)
}

func (p *poll) Wake() error {
	if !p.wake.begin() {
		return nil
	}
	return p.wake.end(p.pipe.ring())
}

func (p *poll) Close() error {
	if !p.wake.close() {
		return nil
	}
	return p.pipe.close()
}
