package splice

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// steady returns one round of a flow in its steady state, for every way of moving bytes.
func steady(t testing.TB, p *Pool) map[string]func() {
	rounds := map[string]func(){}

	_, src := unixPair(t)
	writer := peerOf(t, &src)
	_, dst := unixPair(t)
	reader := peerOf(t, &dst)
	small, buf := new(Relay), make([]byte, 256<<10)
	rounds["small copy"] = func() {
		unix.Write(writer, buf[:200])
		if n, s := small.Pump(p, &src, &dst, 1<<20); n != 200 || s != NeedRead {
			t.Fatalf("got %d, %v; want 200, need read", n, s)
		}
		unix.Read(reader, buf)
	}

	fed, choked := &feeder{}, &chokedSink{}
	slow := new(Relay)
	t.Cleanup(func() { slow.Close(p) })
	rounds["remainder"] = func() {
		choked.room = 1000
		if _, s := slow.Pump(p, fed, choked, 1<<20); s != NeedWrite {
			t.Fatalf("got %v, want need write", s)
		}
		choked.room = 1 << 30
		if n, s := slow.Pump(p, fed, choked, 1); n == 0 || s != Again {
			t.Fatalf("got %d, %v; want the remainder, again", n, s)
		}
	}

	if canSplice {
		bulk := new(Relay)
		rounds["splice"] = func() {
			bulk.mode = splicing
			unix.Write(writer, buf[:100<<10])
			if n, s := bulk.Pump(p, &src, &dst, 1<<20); n != 100<<10 || s != NeedRead {
				t.Fatalf("got %d, %v; want %d, need read", n, s, 100<<10)
			}
			for got := 0; got < 100<<10; {
				n, err := unix.Read(reader, buf)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}
	}
	return rounds
}

// peerOf replaces s by one end of a new pair and returns the other, for the plain system calls of a test.
func peerOf(t testing.TB, s *Socket) int {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(fds[0], true)
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	s.FD = int32(fds[0])
	return fds[1]
}

type feeder struct{ End }

func (*feeder) Read(p []byte) (int, error) { return len(p), nil }

type chokedSink struct {
	End
	room int
}

func (c *chokedSink) Write(p []byte) (int, error) {
	n := min(c.room, len(p))
	c.room -= n
	if n < len(p) {
		return n, ErrAgain
	}
	return n, nil
}

func TestNoAllocation(t *testing.T) {
	p := newPool(t, 1)
	for name, round := range steady(t, p) {
		round()
		if got := testing.AllocsPerRun(100, round); got != 0 {
			t.Errorf("%s: %v allocations a round, want 0", name, got)
		}
	}
}

func BenchmarkSmallCopy(b *testing.B) {
	p := newPool(b, 0)
	round := steady(b, p)["small copy"]
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
}

func BenchmarkRemainder(b *testing.B) {
	p := newPool(b, 0)
	round := steady(b, p)["remainder"]
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
}

func BenchmarkBulkCopy(b *testing.B)   { benchmarkBulk(b, 0) }
func BenchmarkBulkSplice(b *testing.B) { benchmarkBulk(b, 4) }

// benchmarkBulk relays an endless stream between two TCP connections; an operation is 1 MB. The writer and the
// reader take their share of the CPU, so only the ratio of the two benchmarks says something.
func benchmarkBulk(b *testing.B, maxPipes int) {
	p := newPool(b, maxPipes)
	a, left := tcpPairWith(b, 0)
	c, right := tcpPairWith(b, 0)
	go io.CopyBuffer(struct{ io.Writer }{a}, endless{}, make([]byte, 256<<10))
	go sinkAll(c)
	var r Relay
	b.Cleanup(func() { r.Close(p) })
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	sum := 0
	for b.Loop() {
		for sum < 1<<20 {
			n, s := r.Pump(p, &left, &right, 1<<20)
			sum += n
			switch s {
			case NeedRead:
				wait(b, pollIn(left), int(patience.Milliseconds()))
			case NeedWrite:
				wait(b, []unix.PollFd{{Fd: right.FD, Events: unix.POLLOUT}}, int(patience.Milliseconds()))
			case Again:
			default:
				b.Fatal(s)
			}
		}
		sum -= 1 << 20
	}
	b.ReportMetric(float64(p.Counters().Spliced)*100/float64(p.Counters().Copied+p.Counters().Spliced), "%spliced")
}

func sinkAll(c net.Conn) {
	buf := make([]byte, 256<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
