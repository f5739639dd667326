//go:build !linux

package engine

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// The system calls of a connection by way of x/sys/unix: what is lost against sys_linux.go is a few percent of time and
// an allocation for each accept and connect.

type rawAddress struct{}

func (a *address) encode() rawAddress { return rawAddress{} }

type peer struct{}

func accept(fd int, _ *peer) (int, netip.AddrPort, error) {
	n, sa, err := unix.Accept(fd)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	unix.CloseOnExec(n)
	if err := unix.SetNonblock(n, true); err != nil {
		unix.Close(n)
		return -1, netip.AddrPort{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return n, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return n, netip.AddrPortFrom(ip, uint16(sa.Port)), nil
	}
	return n, netip.AddrPort{}, nil
}

// newSocket makes a socket of a kind: SOCK_STREAM or SOCK_DGRAM.
func newSocket(family, kind int) (int, error) {
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func connect(fd int, a *address) error { return unix.Connect(fd, a.sockaddr()) }

// connectHalf does nothing: peers hear of each connection.
func connectHalf(int) {}

// disconnect can't be had everywhere.
func disconnect(int) error { return unix.EOPNOTSUPP }

func setOption(fd, level, option, value int) error {
	return unix.SetsockoptInt(fd, level, option, value)
}

func shutdownWrite(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }

func closeSocket(fd int) { unix.Close(fd) }

const noDelayInherited = false

// bindLate: a source address has one port for each connection here.
func bindLate(int) error { return nil }
