//go:build linux || solaris

package poller

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakePort plays the kernel: it keeps associations, one-shot, and answers getn from a script.
type fakePort struct {
	kernel  map[int]association
	log     []int // descriptors associated since the log was cleared
	refuse  error // answer of associate
	answers []answer
	sends   int
	sendErr error
	waited  []time.Duration
}

type association struct {
	events int32
	cookie uintptr
}

// answer is one return of port_getn.
type answer struct {
	events    []portEvent
	err       error
	untouched bool // leave the count at 1, as libc does when the call fails altogether
}

func (f *fakePort) associate(fd int, events int32, cookie uintptr) error {
	f.log = append(f.log, fd)
	if f.refuse != nil {
		return f.refuse
	}
	f.kernel[fd] = association{events, cookie}
	return nil
}

func (f *fakePort) dissociate(fd int) error {
	if _, ok := f.kernel[fd]; !ok {
		return unix.ENOENT
	}
	delete(f.kernel, fd)
	return nil
}

func (f *fakePort) getn(events []portEvent, timeout time.Duration) (int, error) {
	f.waited = append(f.waited, timeout)
	if len(f.answers) == 0 {
		return 0, unix.ETIME
	}
	a := f.answers[0]
	f.answers = f.answers[1:]
	n := copy(events, a.events)
	for _, ev := range a.events[:n] {
		delete(f.kernel, int(ev.Object))
	}
	if a.untouched {
		return 1, a.err
	}
	return n, a.err
}

func (f *fakePort) send() error { f.sends++; return f.sendErr }

func (f *fakePort) close() error { return nil }

// ready is an event of the kernel for the association that it holds.
func (f *fakePort) ready(fd int, events int32) portEvent {
	return portEvent{Source: portSourceFD, Object: uintptr(fd), Events: events, Cookie: f.kernel[fd].cookie}
}

func newFake() (*evport, *fakePort) {
	f := &fakePort{kernel: map[int]association{}}
	return &evport{calls: f}, f
}

// holds checks which directions the kernel watches.
func (f *fakePort) holds(t *testing.T, fd int, want int32) {
	t.Helper()
	if got := f.kernel[fd].events; got != want {
		t.Errorf("fd %d: the kernel watches %#x, want %#x", fd, got, want)
	}
}

const pollBoth = unix.POLLIN | unix.POLLOUT

// One descriptor is added, reported, and armed: what does the user hear, what is associated by the next Wait?
func TestEvportReassociates(t *testing.T) {
	for _, tc := range []struct {
		name     string
		listener bool
		reported int32
		arm      Interest
		event    Interest
		want     int32
	}{
		{"writable, not armed: readable is still wanted", false, unix.POLLOUT, 0, Writable, unix.POLLIN},
		{"readable, not armed: writable is still wanted", false, unix.POLLIN, 0, Readable, unix.POLLOUT},
		{"readable, armed again", false, unix.POLLIN, Readable, Readable, pollBoth},
		{"writable, armed the other, which is wanted anyway", false, unix.POLLOUT, Readable, Writable, unix.POLLIN},
		{"both, not armed", false, pollBoth, 0, both, 0},
		{"both, armed one", false, pollBoth, Readable, both, unix.POLLIN},
		{"both, armed both", false, pollBoth, both, both, pollBoth},
		{"hang-up is both", false, unix.POLLHUP, 0, both, 0},
		{"error is both", false, unix.POLLERR | unix.POLLIN, Writable, both, unix.POLLOUT},
		{"closed without Remove is both", false, unix.POLLNVAL, 0, both, 0},
		{"a listener stays", true, unix.POLLIN, 0, Readable, unix.POLLIN},
		{"Arm leaves a listener alone", true, unix.POLLIN, both, Readable, unix.POLLIN},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const fd = 7
			p, f := newFake()
			if tc.listener {
				addListener(t, p, fd)
				f.holds(t, fd, unix.POLLIN)
			} else {
				add(t, p, fd)
				f.holds(t, fd, pollBoth)
			}
			f.answers = []answer{{events: []portEvent{f.ready(fd, tc.reported)}}}
			var events [batch]Event
			if got, want := wait(t, p, events[:], -1), []Event{{FD: fd, Ready: tc.event}}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			f.holds(t, fd, 0)
			arm(t, p, fd, tc.arm)
			wait(t, p, events[:], -1)
			f.holds(t, fd, tc.want)
			if len(p.dirty) != 0 {
				t.Errorf("after Wait: got dirty %v, want none", p.dirty)
			}
		})
	}
}

func TestEvportArm(t *testing.T) {
	const fd = 3
	p, f := newFake()
	add(t, p, fd)
	f.log = nil
	var events [batch]Event
	arm(t, p, fd, both) // nothing reported: the kernel knows
	wait(t, p, events[:], 0)
	if len(f.log) != 0 {
		t.Errorf("Arm of what is armed: got associations %v, want none", f.log)
	}
	f.answers = []answer{{events: []portEvent{f.ready(fd, pollBoth)}}}
	wait(t, p, events[:], 0)
	arm(t, p, fd, Readable)
	arm(t, p, fd, Writable)
	arm(t, p, fd, Readable)
	wait(t, p, events[:], 0)
	if !slices.Equal(f.log, []int{fd}) {
		t.Errorf("three calls of Arm: got associations %v, want one", f.log)
	}
	f.holds(t, fd, pollBoth)
	if err := p.Arm(fd+1, Readable); err != unix.ENOENT {
		t.Errorf("Arm of a stranger: got %v, want %v", err, unix.ENOENT)
	}
}

// What port_getn returns, and what Wait makes of it. Descriptors 5 and 6 are added before.
func TestEvportWaitCounts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(f *fakePort) answer
		want   []Event
		err    error
	}{
		{"events", func(f *fakePort) answer {
			return answer{events: []portEvent{f.ready(5, unix.POLLIN), f.ready(6, unix.POLLOUT)}}
		}, []Event{{FD: 5, Ready: Readable}, {FD: 6, Ready: Writable}}, nil},
		{"time is over", func(*fakePort) answer { return answer{err: unix.ETIME} }, nil, nil},
		{"time is over, with events", func(f *fakePort) answer {
			return answer{events: []portEvent{f.ready(5, unix.POLLIN)}, err: unix.ETIME}
		}, []Event{{FD: 5, Ready: Readable}}, nil},
		{"a signal", func(*fakePort) answer { return answer{err: unix.EINTR} }, nil, nil},
		{"a signal, with events", func(f *fakePort) answer {
			return answer{events: []portEvent{f.ready(5, unix.POLLIN), f.ready(6, unix.POLLIN)}, err: unix.EINTR}
		}, []Event{{FD: 5, Ready: Readable}, {FD: 6, Ready: Readable}}, nil},
		{"a signal, count untouched", func(*fakePort) answer { return answer{err: unix.EINTR, untouched: true} }, nil, nil},
		{"a wake", func(*fakePort) answer { return answer{events: []portEvent{{Source: portSourceUser}}} }, nil, nil},
		{"a wake among events", func(f *fakePort) answer {
			return answer{events: []portEvent{f.ready(5, unix.POLLIN), {Source: portSourceUser}, f.ready(6, unix.POLLIN)}}
		}, []Event{{FD: 5, Ready: Readable}, {FD: 6, Ready: Readable}}, nil},
		{"an unknown descriptor", func(f *fakePort) answer {
			return answer{events: []portEvent{{Source: portSourceFD, Object: 1 << 20, Events: unix.POLLIN}}}
		}, nil, nil},
		{"another error", func(*fakePort) answer { return answer{err: unix.EBADF} }, nil, unix.EBADF},
		{"another error, count untouched", func(*fakePort) answer { return answer{err: unix.EBADF, untouched: true} }, nil, unix.EBADF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, f := newFake()
			add(t, p, 5)
			add(t, p, 6)
			p.buf[0] = f.ready(5, unix.POLLOUT) // left over from an earlier call
			f.answers = []answer{tc.answer(f)}
			var events [batch]Event
			n, err := p.Wait(events[:], -1)
			if !slices.Equal(events[:n], tc.want) || !errors.Is(err, tc.err) {
				t.Errorf("got %v, %v, want %v, %v", events[:n], err, tc.want, tc.err)
			}
			// Nothing wanted is forgotten: all comes back with the next Wait.
			for _, ev := range tc.want {
				arm(t, p, ev.FD, both)
			}
			wait(t, p, events[:], 0)
			f.holds(t, 5, pollBoth)
			f.holds(t, 6, pollBoth)
		})
	}
}

func TestEvportRemove(t *testing.T) {
	const fd = 9
	var events [batch]Event
	p, f := newFake()
	add(t, p, fd)
	stale := f.ready(fd, unix.POLLIN)
	remove(t, p, fd)
	f.holds(t, fd, 0)
	f.answers = []answer{{events: []portEvent{stale}}}
	if got := wait(t, p, events[:], 0); len(got) != 0 {
		t.Errorf("after Remove: got %v, want no event", got)
	}
	add(t, p, fd)
	f.answers = []answer{{events: []portEvent{stale}}}
	if got := wait(t, p, events[:], 0); len(got) != 0 {
		t.Errorf("an event of the last owner of the number: got %v, want no event", got)
	}
	// Dirty when removed: must not be associated again.
	f.answers = []answer{{events: []portEvent{f.ready(fd, unix.POLLOUT)}}}
	wait(t, p, events[:], 0)
	remove(t, p, fd)
	f.log = nil
	wait(t, p, events[:], 0)
	if len(f.log) != 0 {
		t.Errorf("after Remove: got associations %v, want none", f.log)
	}
	if err := p.Remove(fd); err != unix.ENOENT {
		t.Errorf("Remove twice: got %v, want %v", err, unix.ENOENT)
	}
}

// The number is removed while dirty and given to a new connection, which becomes dirty in the same turn: it stands in
// the list twice and is associated once.
func TestEvportDirtyTwice(t *testing.T) {
	const fd = 9
	var events [batch]Event
	p, f := newFake()
	for range 2 {
		add(t, p, fd)
		p.reported(fd, both)
		arm(t, p, fd, Readable)
		if len(p.dirty) == 1 {
			remove(t, p, fd)
		}
	}
	f.log = nil
	wait(t, p, events[:], 0)
	if !slices.Equal(f.log, []int{fd}) {
		t.Errorf("got associations %v, want one", f.log)
	}
	f.holds(t, fd, unix.POLLIN)
}

// The kernel refuses to associate: the user hears of it as of any error, also when more descriptors are refused than
// the array holds, and Arm tries again.
func TestEvportRefused(t *testing.T) {
	const many, room = 5, 2
	p, f := newFake()
	f.refuse = unix.ENOMEM
	if err := p.Add(1); !errors.Is(err, unix.ENOMEM) || p.watches(1) {
		t.Errorf("Add: got %v, watched %t, want %v, not watched", err, p.watches(1), unix.ENOMEM)
	}
	f.refuse = nil
	for fd := range many {
		if fd == 0 {
			addListener(t, p, fd)
		} else {
			add(t, p, fd)
		}
		p.reported(fd, Readable)
	}
	f.refuse = unix.ENOMEM
	var events [room]Event
	heard := map[int]bool{}
	for range many {
		for _, ev := range wait(t, p, events[:], -1) {
			heard[ev.FD] = true
			arm(t, p, ev.FD, both)
		}
	}
	if len(heard) != many || len(f.waited) != 0 {
		t.Errorf("got %d descriptors and %d waits, want %d and none", len(heard), len(f.waited), many)
	}
	f.refuse = nil
	wait(t, p, events[:], -1)
	f.holds(t, 0, unix.POLLIN)
	for fd := 1; fd < many; fd++ {
		f.holds(t, fd, pollBoth)
	}
}

func TestEvportWake(t *testing.T) {
	p, f := newFake()
	for range 5 {
		wake(t, p)
	}
	if f.sends != 1 {
		t.Errorf("5 wakes: got %d sends, want 1", f.sends)
	}
	f.answers = []answer{{events: []portEvent{{Source: portSourceUser}}}}
	var events [batch]Event
	wait(t, p, events[:], -1)
	f.sendErr = unix.EAGAIN // the port is full: Wait returns anyway, and the next Wake must try again
	wake(t, p)
	wake(t, p)
	if f.sends != 3 {
		t.Errorf("after a full port: got %d sends, want 3", f.sends)
	}
	f.sendErr = unix.EBADF
	if err := p.Wake(); err != unix.EBADF {
		t.Errorf("got %v, want %v", err, unix.EBADF)
	}
}
