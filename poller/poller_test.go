//go:build unix

package poller

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This suite holds for every poller of the system on which it runs.

// patience bounds what ought to happen at once.
const patience = 10 * time.Second

// each runs a test for every poller.
func each(t *testing.T, test func(t *testing.T, p Poller)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) { test(t, open(t, name)) })
	}
}

func open(t testing.TB, name string) Poller {
	t.Helper()
	p, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// exactHangup tells whether the poller sets Event.Hangup.
func exactHangup(p Poller) bool {
	return p.Name() == "epoll" || p.Name() == "kqueue" || p.Name() == "poll" && pollHangup != 0
}

// pairs are the kinds of stream on which everything has to work.
var pairs = []struct {
	name string
	make func(t testing.TB) (ours, peer int)
}{
	{"unix", unixPair},
	{"tcp", tcpPair},
}

// eachPair runs a test for every poller and kind of stream; ours has been added.
func eachPair(t *testing.T, test func(t *testing.T, p Poller, ours, peer int)) {
	each(t, func(t *testing.T, p Poller) {
		for _, kind := range pairs {
			t.Run(kind.name, func(t *testing.T) {
				ours, peer := kind.make(t)
				add(t, p, ours)
				t.Cleanup(func() { _ = p.Remove(ours) }) // not all are still there
				test(t, p, ours, peer)
			})
		}
	})
}

func add(t testing.TB, p Poller, fd int) {
	t.Helper()
	if err := p.Add(fd); err != nil {
		t.Fatalf("Add: %v", err)
	}
}

func arm(t testing.TB, p Poller, fd int, want Interest) {
	t.Helper()
	if err := p.Arm(fd, want); err != nil {
		t.Fatalf("Arm: %v", err)
	}
}

// await waits until all directions in want of fd have been reported. It returns an Event with all that came for fd.
func await(t testing.TB, p Poller, fd int, want Interest) Event {
	t.Helper()
	var events [batch]Event
	seen := Event{FD: fd}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, ev := range wait(t, p, events[:], time.Until(end)) {
			if ev.FD == fd {
				seen.Ready |= ev.Ready
				seen.Hangup = seen.Hangup || ev.Hangup
			}
		}
		if seen.Ready&want == want {
			return seen
		}
	}
	t.Fatalf("fd %d: got %v, want %v", fd, seen.Ready, want)
	return seen
}

// wait calls Wait and checks what every Wait promises.
func wait(t testing.TB, p Poller, events []Event, timeout time.Duration) []Event {
	t.Helper()
	n, err := p.Wait(events, timeout)
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	for i, ev := range events[:n] {
		if ev.Ready == 0 {
			t.Fatalf("fd %d: an event without direction", ev.FD)
		}
		if slices.ContainsFunc(events[:i], func(other Event) bool { return other.FD == ev.FD }) {
			t.Fatalf("fd %d: two events in one Wait: %v", ev.FD, events[:n])
		}
	}
	return events[:n]
}

// settle takes all events that are there: what comes later is new.
func settle(t testing.TB, p Poller) {
	t.Helper()
	var events [batch]Event
	for len(wait(t, p, events[:], 0)) > 0 {
	}
}

// mustNotReport looks for events of fd, of which there must be none.
func mustNotReport(t *testing.T, p Poller, fd int) {
	t.Helper()
	var events [batch]Event
	for range 3 {
		for _, ev := range wait(t, p, events[:], 0) {
			if ev.FD == fd {
				t.Fatalf("fd %d: got %v, want no event", fd, ev)
			}
		}
	}
}

func TestInterestString(t *testing.T) {
	for in, want := range map[Interest]string{0: "none", Readable: "readable", Writable: "writable", both: "readable|writable"} {
		if got := in.String(); got != want {
			t.Errorf("Interest(%d): got %q, want %q", in, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"best", "", Names()[0]},
		{"native", native, native},
		{"poll", "poll", "poll"},
		{"select means poll", "select", "poll"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := open(t, tc.in).Name(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, in := range []string{"epol", "EPOLL", "epoll", "kqueue", "evport"} {
		if slices.Contains(Names(), in) {
			continue
		}
		p, err := Open(in)
		if err == nil || p != nil {
			t.Errorf("Open(%q): got %v, %v, want an error", in, p, err)
			continue
		}
		for _, want := range append(Names(), in, runtime.GOOS) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Open(%q): got %q, want %q in it", in, err, want)
			}
		}
	}
}

func TestMillis(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   time.Duration
		want int
	}{
		{"for ever", -1, -1},
		{"least", -1 << 63, -1},
		{"look", 0, 0},
		{"rounds up", 1, 1},
		{"exact", time.Millisecond, 1},
		{"one more", time.Millisecond + 1, 2},
		{"longest", 1<<63 - 1, 24 * 60 * 60 * 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := millis(tc.in); got != tc.want {
				t.Errorf("millis(%d): got %d, want %d", tc.in, got, tc.want)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		for _, fd := range []int{-1, 1 << 40} {
			if err := p.Add(fd); err == nil {
				t.Errorf("Add(%d): got no error", fd)
			}
			if err := p.AddListener(fd); err == nil {
				t.Errorf("AddListener(%d): got no error", fd)
			}
		}
	})
}

func TestAddReportsWhatIsReady(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		for _, kind := range pairs {
			t.Run(kind.name, func(t *testing.T) {
				ours, peer := kind.make(t)
				send(t, peer, "x")
				awaitReadable(t, ours)
				add(t, p, ours)
				await(t, p, ours, both)
			})
		}
	})
}

func TestAddReportsWhatComes(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		ev := await(t, p, ours, Writable)
		if ev.Hangup {
			t.Errorf("got %+v, want no hang-up", ev)
		}
		// No Arm: Add was the first, and Writable has been reported only.
		send(t, peer, "x")
		if ev = await(t, p, ours, Readable); ev.Hangup {
			t.Errorf("got %+v, want no hang-up", ev)
		}
	})
}

func TestReadableAfterArm(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		for range 3 {
			drain(t, ours)
			arm(t, p, ours, Readable)
			send(t, peer, "x")
			await(t, p, ours, Readable)
		}
	})
}

func TestNothingLostBetweenEAGAINAndArm(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		for range 3 {
			drain(t, ours)
			send(t, peer, "x")
			awaitReadable(t, ours)
			arm(t, p, ours, Readable)
			await(t, p, ours, Readable)
		}
	})
}

func TestShortReadThenArm(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		var b [64]byte
		for range 3 {
			send(t, peer, "xyz")
			await(t, p, ours, Readable)
			if n, err := unix.Read(ours, b[:]); n != 3 || err != nil {
				t.Fatalf("read: got %d, %v, want 3", n, err)
			}
			arm(t, p, ours, Readable) // no read that says EAGAIN
		}
	})
}

func TestWritableAfterArm(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		for range 3 {
			await(t, p, ours, Writable)
			n := fill(t, ours)
			arm(t, p, ours, Writable)
			drainAll(t, peer, n)
		}
		await(t, p, ours, Writable)
	})
}

// Arm of one direction does not forget the other, which was armed before and has not been reported.
func TestArmKeepsTheOtherDirection(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		n := fill(t, ours)
		arm(t, p, ours, Writable)
		drain(t, ours)
		arm(t, p, ours, Readable)
		send(t, peer, "x")
		await(t, p, ours, Readable)
		drain(t, ours)
		arm(t, p, ours, Readable)
		drainAll(t, peer, n)
		await(t, p, ours, Writable)
		send(t, peer, "x")
		await(t, p, ours, Readable)
	})
}

func TestHalfClose(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		drain(t, ours)
		arm(t, p, ours, Readable)
		send(t, peer, "bye")
		shutdownWrite(t, peer)
		awaitHangup(t, p, ours)
		var b [64]byte
		if n, err := unix.Read(ours, b[:]); n != 3 || err != nil {
			t.Fatalf("read: got %d, %v, want 3", n, err)
		}
		if n, err := unix.Read(ours, b[:]); n != 0 || err != nil {
			t.Fatalf("read: got %d, %v, want the end of the stream", n, err)
		}
		// The other direction lives.
		n := fill(t, ours)
		arm(t, p, ours, Writable)
		drainAll(t, peer, n)
		await(t, p, ours, Writable)
	})
}

func TestPeerCloses(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		drain(t, ours)
		arm(t, p, ours, both)
		closeFD(t, peer)
		awaitHangup(t, p, ours)
		// Told once: a hang-up that came again and again would keep the reactor busy for nothing.
		var events [batch]Event
		for range 3 {
			wait(t, p, events[:], 0)
		}
		mustNotReport(t, p, ours)
	})
}

// awaitHangup waits for the end of the peer's stream as far as the poller can tell it; the data before it may come in
// an event of its own.
func awaitHangup(t *testing.T, p Poller, fd int) {
	t.Helper()
	for {
		if ev := await(t, p, fd, Readable); ev.Hangup || !exactHangup(p) {
			return
		}
		arm(t, p, fd, Readable)
	}
}

func TestReset(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		ours, peer := tcpPair(t)
		add(t, p, ours)
		settle(t, p)
		drain(t, ours)
		fill(t, ours)
		arm(t, p, ours, both)
		if err := unix.SetsockoptLinger(peer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			t.Fatal(err)
		}
		closeFD(t, peer)
		await(t, p, ours, both)
		var b [64]byte
		if n, err := unix.Read(ours, b[:]); err != unix.ECONNRESET {
			t.Errorf("read: got %d, %v, want %v", n, err, unix.ECONNRESET)
		}
	})
}

func TestConnectRefused(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		l, addr := listenTCP(t)
		closeFD(t, l)
		fd := tcpSocket(t)
		switch err := unix.Connect(fd, addr); err {
		case unix.EINPROGRESS:
		case unix.ECONNREFUSED:
			t.Skip("this system refuses at once")
		default:
			t.Fatalf("connect: %v", err)
		}
		add(t, p, fd)
		await(t, p, fd, both)
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || unix.Errno(got) != unix.ECONNREFUSED {
			t.Errorf("SO_ERROR: got %v, %v, want %v", unix.Errno(got), err, unix.ECONNREFUSED)
		}
	})
}

// More descriptors are ready than the array holds, some of them all the time: each gets its turn.
func TestManyDescriptors(t *testing.T) {
	const many, room, rounds = 100, 7, 3
	each(t, func(t *testing.T, p Poller) {
		ours, peers := make([]int, many), make([]int, many)
		for i := range many {
			ours[i], peers[i] = unixPair(t)
			add(t, p, ours[i])
		}
		settle(t, p)
		events := make([]Event, room)
		for range rounds {
			for i := range many {
				drain(t, ours[i])
				arm(t, p, ours[i], Readable)
				send(t, peers[i], "x")
			}
			waiting := map[int]bool{}
			for _, fd := range ours {
				waiting[fd] = true
			}
			for end := time.Now().Add(patience); len(waiting) > 0; {
				if time.Now().After(end) {
					t.Fatalf("%d of %d descriptors were never reported", len(waiting), many)
				}
				for _, ev := range wait(t, p, events, time.Until(end)) {
					if ev.Ready&Readable != 0 {
						delete(waiting, ev.FD)
					}
					arm(t, p, ev.FD, both) // without EAGAIN: it is reported again or not, and keeps the array full
				}
			}
		}
	})
}

// After a wake, too, Wait sleeps for its time.
func TestTimeout(t *testing.T) {
	const timeout = 15 * time.Millisecond
	each(t, func(t *testing.T, p Poller) {
		var events [batch]Event
		wake(t, p)
		wait(t, p, events[:], -1)
		// A signal may end a Wait early, but not every one.
		for range 200 {
			start := time.Now()
			if got := wait(t, p, events[:], timeout); len(got) != 0 {
				t.Fatalf("got %v, want no event", got)
			}
			if time.Since(start) >= timeout {
				return
			}
		}
		t.Errorf("no Wait lasted %v", timeout)
	})
}

func TestRemoved(t *testing.T) {
	eachPair(t, func(t *testing.T, p Poller, ours, peer int) {
		settle(t, p)
		drain(t, ours)
		arm(t, p, ours, both)
		send(t, peer, "x")
		awaitReadable(t, ours)
		if err := p.Remove(ours); err != nil {
			t.Fatalf("Remove: %v", err)
		}
		mustNotReport(t, p, ours)
		send(t, peer, "y")
		mustNotReport(t, p, ours)
		add(t, p, ours) // the same open descriptor once more
		await(t, p, ours, both)
	})
}

// A copy of the descriptor, as a child between fork and exec has it, keeps the old socket alive behind the number that
// a new connection gets: its events must not be taken for events of the new one.
func TestRemovedButCopied(t *testing.T) {
	for _, name := range Names() {
		if name == "kqueue" {
			continue // knows descriptors, not sockets: closing is enough
		}
		t.Run(name, func(t *testing.T) {
			p := open(t, name)
			old, oldPeer := rawPair(t)
			add(t, p, old)
			settle(t, p)
			copied, err := unix.Dup(old)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(copied)
			if err := p.Remove(old); err != nil {
				t.Fatalf("Remove: %v", err)
			}
			ours, peer := unixPair(t)
			if err := unix.Dup2(ours, old); err != nil { // closes old, and gives its number to the new connection
				t.Fatal(err)
			}
			defer unix.Close(old)
			add(t, p, old)
			settle(t, p)
			closeFD(t, oldPeer)
			mustNotReport(t, p, old)
			drain(t, old)
			arm(t, p, old, Readable)
			send(t, peer, "x")
			if ev := await(t, p, old, Readable); ev.Hangup {
				t.Errorf("got %+v, want no hang-up: that was the old socket", ev)
			}
		})
	}
}
