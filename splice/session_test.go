package splice

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit of everything that waits in these tests; none comes near it unless something is stuck.
const patience = 30 * time.Second

var past = time.Unix(1, 0) // as a deadline: stop waiting now

// setUp makes one connection: the outer end, for the test's peers, and the inner end, for the flow.
type setUp struct {
	name string
	make func(t testing.TB) (outer net.Conn, inner Socket)
}

var setUps = []setUp{{"unix", unixPair}, {"tcp", tcpPair}}

func unixPair(t testing.TB) (net.Conn, Socket) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "outer")
	outer, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	return own(t, outer, fds[1])
}

// tcpPair has segments as on an Ethernet: with those of the loopback (64 KB) a narrow window waits for timers.
func tcpPair(t testing.TB) (net.Conn, Socket) { return tcpPairWith(t, 1448) }

// tcpPairWith makes a connection over the loopback; segment is in bytes, 0 for the system's choice.
func tcpPairWith(t testing.TB, segment int) (net.Conn, Socket) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if segment == 0 {
			return nil
		}
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1448) })
	}}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	outer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	raw.Control(func(n uintptr) { fd, err = unix.Dup(int(n)) })
	if err != nil {
		t.Fatal(err)
	}
	return own(t, outer, fd)
}

func own(t testing.TB, outer net.Conn, fd int) (net.Conn, Socket) {
	outer.SetDeadline(time.Now().Add(patience))
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outer.Close(); unix.Close(fd) })
	return outer, Socket{FD: int32(fd)}
}

// narrow gives both ends of a connection small buffers.
func narrow(t testing.TB, outer net.Conn, inner Socket) {
	t.Helper()
	sized := outer.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	err := errors.Join(
		sized.SetReadBuffer(8<<10),
		sized.SetWriteBuffer(8<<10),
		unix.SetsockoptInt(int(inner.FD), unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<10),
		unix.SetsockoptInt(int(inner.FD), unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func pollIn(s Socket) []unix.PollFd {
	return []unix.PollFd{{Fd: s.FD, Events: unix.POLLIN}}
}

// direction is one flow of a session under test.
type direction struct {
	Relay
	src, dst *Socket
	sum      int
	status   Status
	shake    *rand.Rand // set: change the mode at random before each Pump
}

func (d *direction) over() bool { return d.status >= EOF }

// relay does the work of a reactor for one session: pump, wait, pass the ends of the streams on. It returns when all
// directions are over.
func relay(t testing.TB, p *Pool, dirs ...*direction) {
	t.Helper()
	for {
		fds := make([]unix.PollFd, 0, 4)
		timeout := int(patience / time.Millisecond)
		for _, d := range dirs {
			if d.over() {
				continue
			}
			d.pump(t, p)
			switch d.status {
			case Again:
				timeout = 0
			case NeedRead:
				fds = append(fds, unix.PollFd{Fd: d.src.FD, Events: unix.POLLIN | pollHangup})
			case NeedWrite:
				fds = append(fds, unix.PollFd{Fd: d.dst.FD, Events: unix.POLLOUT})
			case EOF:
				unix.Shutdown(int(d.dst.FD), unix.SHUT_WR)
			}
		}
		if len(fds) == 0 && timeout > 0 {
			return
		}
		wait(t, fds, timeout)
		for _, fd := range fds {
			for _, d := range dirs {
				if d.src.FD == fd.Fd && fd.Revents&pollHangup != 0 && fd.Revents&unix.POLLERR == 0 {
					d.src.Hangup = true
				}
			}
		}
	}
}

func (d *direction) pump(t testing.TB, p *Pool) {
	t.Helper()
	if d.shake != nil {
		d.mode = []mode{copying, warm, splicing}[d.shake.IntN(3)]
		if !canSplice {
			d.mode = copying
		}
	}
	var n int
	n, d.status = d.Pump(p, d.src, d.dst, 256<<10)
	d.sum += n
	if d.status == NeedRead && (d.Held() != 0 || d.buf != nil) {
		t.Fatalf("idle with %d bytes held, buffer %p", d.Held(), d.buf)
	}
}

func wait(t testing.TB, fds []unix.PollFd, timeout int) {
	t.Helper()
	for {
		n, err := unix.Poll(fds, timeout)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 && timeout > 0 {
			t.Fatalf("poll: %d ready, %v", n, err)
		}
		return
	}
}
