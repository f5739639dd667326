//go:build unix

package poller

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Sockets for the suite: non-blocking, closed at the end of the test unless it did so itself with closeFD.

// opened are the descriptors that cleanup still has to close. Tests do not run in parallel.
var opened = map[int]bool{}

func own(t testing.TB, fd int) int {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	opened[fd] = true
	t.Cleanup(func() {
		if opened[fd] {
			delete(opened, fd)
			_ = unix.Close(fd)
		}
	})
	return fd
}

func closeFD(t testing.TB, fd int) {
	t.Helper()
	delete(opened, fd)
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
}

func unixPair(t testing.TB) (ours, peer int) {
	t.Helper()
	ours, peer = rawPair(t)
	return own(t, ours), peer
}

// rawPair leaves closing ours to the caller.
func rawPair(t testing.TB) (ours, peer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	return fds[0], own(t, fds[1])
}

func tcpSocket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, fd)
}

func listenTCP(t testing.TB) (fd int, addr unix.Sockaddr) {
	t.Helper()
	fd = tcpSocket(t)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	return listening(t, fd)
}

func listenUnix(t testing.TB) (fd int, addr unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	own(t, fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "s")}); err != nil {
		t.Fatal(err)
	}
	return listening(t, fd)
}

func listening(t testing.TB, fd int) (int, unix.Sockaddr) {
	t.Helper()
	if err := unix.Listen(fd, 128); err != nil {
		t.Fatal(err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, addr
}

// connect makes a connection that waits to be accepted.
func connect(t testing.TB, addr unix.Sockaddr) int {
	t.Helper()
	family := unix.AF_INET
	if _, ok := addr.(*unix.SockaddrUnix); ok {
		family = unix.AF_UNIX
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, addr); err != nil {
		t.Fatal(err)
	}
	return own(t, fd)
}

func accept(t testing.TB, l int) int {
	t.Helper()
	fd, _, err := unix.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, fd)
}

func tcpPair(t testing.TB) (ours, peer int) {
	t.Helper()
	l, addr := listenTCP(t)
	peer = connect(t, addr)
	awaitReadable(t, l)
	ours = accept(t, l)
	closeFD(t, l)
	return ours, peer
}

// awaitReadable waits with poll(2), outside of the poller that is tested.
func awaitReadable(t testing.TB, fd int) {
	t.Helper()
	for range 1000 {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
		if n == 1 {
			return
		}
		if err != unix.EINTR {
			t.Fatalf("fd %d: not readable: %v", fd, err)
		}
	}
	t.Fatalf("fd %d: not readable for signals", fd)
}

func send(t testing.TB, fd int, s string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(s)); n != len(s) || err != nil {
		t.Fatalf("write: got %d, %v, want %d", n, err, len(s))
	}
}

func shutdownWrite(t testing.TB, fd int) {
	t.Helper()
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
}

// drain reads until EAGAIN and returns the number of bytes.
func drain(t testing.TB, fd int) (sum int) {
	t.Helper()
	b := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EAGAIN:
			return sum
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			t.Fatalf("read: got %d, %v, want EAGAIN in the end", n, err)
		}
		sum += n
	}
}

// fill writes until EAGAIN and returns the number of bytes.
func fill(t testing.TB, fd int) (sum int) {
	t.Helper()
	b := make([]byte, 64<<10)
	for {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EAGAIN:
			return sum
		case err == unix.EINTR:
			continue
		case err != nil:
			t.Fatalf("write: %v", err)
		}
		sum += n
	}
}

// drainAll reads n bytes, which are on their way.
func drainAll(t testing.TB, fd, n int) {
	t.Helper()
	for n > 0 {
		awaitReadable(t, fd)
		n -= drain(t, fd)
	}
}
