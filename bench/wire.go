//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// wire is a connected socket as a loop over epoll uses it: reading never waits. It is a net.Conn so that a tls.Conn can
// stand on it: that takes the error of an empty socket as one that passes, and may be read again.
type wire struct{ fd int }

// notYet is the error of a socket that has nothing to read now.
type notYet struct{}

func (notYet) Error() string   { return "nothing has come yet" }
func (notYet) Timeout() bool   { return false }
func (notYet) Temporary() bool { return true }

// dialWire connects and waits until it stands. The wire still waits on reading, as a handshake wants it: see ready.
func dialWire(address string) (*wire, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if !to.Addr().Is4() {
		return nil, fmt.Errorf("%s: an IPv4 address expected", address)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	w := &wire{fd}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		w.Close()
		return nil, fmt.Errorf("no delay: %w", err)
	}
	limit := unix.NsecToTimeval(int64(replyTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		w.Close()
		return nil, fmt.Errorf("limit on waiting: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		w.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return w, nil
}

// ready makes reading a matter of now or not yet.
func (w *wire) ready() error { return unix.SetNonblock(w.fd, true) }

func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(w.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, notYet{}
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write waits while the socket is full, which small requests never make it.
func (w *wire) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := unix.Write(w.fd, p[done:])
		done += max(n, 0)
		switch {
		case err == nil && done == len(p):
			return done, nil
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}, -1)
		case err != nil && err != unix.EINTR:
			return done, err
		}
	}
}

func (w *wire) Close() error { return unix.Close(w.fd) }

// The rest of a net.Conn is of no use here.

func (w *wire) LocalAddr() net.Addr              { return nil }
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
