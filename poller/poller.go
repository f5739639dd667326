// Package poller tells one goroutine which of its descriptors have become ready.
//
// It is the system's own mechanism and nothing more: epoll, kqueue, event ports or poll(2) behind one contract, which
// stands below and is checked for each of them by the one suite in poller_test.go. It reads nothing, writes nothing,
// keeps no time, calls nobody back and starts no goroutine. A Poller and all its state belong to the goroutine that
// calls Wait; Wake is the only method for others. There are no locks.
//
// # Latched readiness
//
// The user keeps the readiness of each descriptor, as Go's runtime poller does: a direction counts as ready from its
// event on, until a system call says otherwise. Saying otherwise is EAGAIN, or a read that returned less than it was
// offered. The user then calls Arm to hear of that direction once more; before that he need not be told again. An implementation must define:
//
//	Add(fd)
//	    Begin to watch a connected or connecting socket, in both directions: Add is also the first Arm. What is
//	    ready already is reported by the next Wait. Call connect(2) first: some systems report an unconnected
//	    socket as hung up. The descriptor is non-blocking and stays the caller's. An error means not watched.
//
//	AddListener(fd)
//	    Begin to watch a listening socket, or a bound or connected one of datagrams, of which the same holds with a
//	    datagram in the place of a connection; an error of it is told as Readable|Writable. A listener is not latched: every Wait reports it as Readable while a
//	    connection is pending, Arm has nothing to do. Several pollers may watch the same listening socket, by the
//	    same descriptor or by copies of it; each that waits while a connection is pending is told, so accept(2)
//	    may say EAGAIN. A user who can take no more calls Remove, and AddListener when he can again; the others
//	    are told of what he left.
//
//	Arm(fd, want)
//	    Report the directions in want once more. No event is lost between the EAGAIN and Arm: what became ready
//	    meanwhile is reported by the next Wait. A direction that was armed before and has not been reported stays
//	    armed. Without an EAGAIN before it, Arm may report at once what is still ready, or never: epoll and kqueue
//	    tell changes. fd must be watched.
//
//	Remove(fd)
//	    Forget fd: no later Wait reports it, and a new descriptor of the same number does not inherit its events.
//	    To be called before the descriptor is closed. A connection is meant to be closed soon after: until then
//	    it may end a Wait early. Events that an earlier Wait has already returned are the caller's to ignore.
//
//	Wait(events, timeout)
//	    Fill events with what is ready and return their number, at most len(events), which must not be 0; the
//	    rest is kept for the next Wait. timeout < 0 waits for ever, 0 only looks, any other duration is rounded
//	    up to what the system can count. At most one Event per fd and Wait. 0 events and no error mean that the
//	    time is over, that Wake was called, that a signal came (EINTR is not an error) or nothing at all: ask the
//	    clock, not Wait. With an error there are no events, and the poller is of no more use.
//
//	Wake()
//	    Make the Wait that runs, or else the next one, return. From any goroutine, at any time, even after Close.
//	    Many calls cost one write: until Wait has noticed the first, the others do nothing. What the caller did
//	    before Wake is seen by the goroutine that returns from Wait. A wake is not an Event.
//
//	Close()
//	    Give the kernel's part back. The watched descriptors stay open. After it, only Wake may be called.
//
// # What an event is worth
//
// An event is a hint, and the next system call tells the truth: errors and complete hang-ups arrive as
// Readable|Writable without further detail, an event may be repeated or tell of a direction that was not armed, and
// EAGAIN after an event is legal. What may never happen is an armed direction that is ready and not reported.
//
// Event.Hangup alone is exact, but never promised: event ports, and poll(2) where it has no POLLRDHUP, leave it false, and a reset is no
// hang-up. With it,
// the end of a stream needs no second read: when it is set and a read made after the event returns less than it was
// offered, the stream has ended. (TCP urgent data cuts a read short, too: who must be sure reads until 0.)
//
// Event.Failed tells the opposite: the connection has broken. What has come before can still be read, then comes the
// error, and no other event will tell of that. So a read that returns less than it was offered does not mean that there
// is nothing more. It is promised where a direction that is ready is told of only once: epoll and kqueue.
//
// Add, AddListener, Arm, Remove and Wait allocate nothing, apart from tables that grow with the highest descriptor seen.
package poller

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Interest is a set of directions.
type Interest uint8

// The two directions.
const (
	Readable Interest = 1 << iota
	Writable
)

const both = Readable | Writable

// String names the directions, for messages.
func (i Interest) String() string {
	return [...]string{"none", "readable", "writable", "readable|writable"}[i&both]
}

// Event tells that a descriptor has become ready.
type Event struct {
	FD     int
	Ready  Interest // hang-up and error arrive as Readable|Writable: the next system call tells the truth
	Failed bool     // there is an error to be read behind the bytes that have come
	Hangup bool     // the peer had ended its sending side when this event was made: a short read after it is the end of the stream
}

// Poller is the contract of all implementations; the package comment explains each method.
type Poller interface {
	Name() string
	Add(fd int) error
	AddListener(fd int) error
	Arm(fd int, want Interest) error
	Remove(fd int) error
	Wait(events []Event, timeout time.Duration) (int, error)
	Wake() error
	Close() error
}

// Open makes the poller of that name: one of Names, "select", which is an old word for "poll", or "", which is the
// best that the system has. The error of an unknown name, or of one that belongs to another system, lists what there is.
func Open(name string) (Poller, error) {
	switch name {
	case "", native:
		return openNative()
	case "poll", "select":
		return openPoll()
	}
	return nil, fmt.Errorf("poller %q: not available on %s, expected %s or select", name, runtime.GOOS, strings.Join(Names(), ", "))
}

// Names lists the pollers of this system, the best first.
func Names() []string {
	return []string{native, "poll"}
}

// batch is the largest number of events that one Wait asks the kernel for; beyond some dozens the size made no
// measurable difference.
const batch = 256

// maxWait bounds a single system call: some systems refuse long waits with EINVAL. Wait may always return early.
const maxWait = 24 * time.Hour

// millis converts a timeout for the calls that count in milliseconds: rounded up, so that waiting never ends before the
// time and becomes a busy loop; -1 is for ever.
func millis(timeout time.Duration) int {
	if timeout < 0 {
		return -1
	}
	return int((min(timeout, maxWait) + time.Millisecond - 1) / time.Millisecond)
}

// tableFor returns the table, indexed by descriptor, long enough to hold fd. It grows to the descriptor limit at once:
// memory that is not touched costs nothing, and copies of a rising table would be garbage. Beyond presized it doubles.
func tableFor[T any](table []T, fd int) ([]T, error) {
	if fd < 0 || fd > math.MaxInt32-1 {
		return table, fmt.Errorf("descriptor %d out of range", fd)
	}
	if fd < len(table) {
		return table, nil
	}
	table = slices.Grow(table, max(fd+1, presized())-len(table))
	return table[:cap(table)], nil
}

// presized is the number of descriptors that a table is made for.
func presized() int {
	const most = 1 << 20 // where the limit is meant to be none
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), most))
}
