package engine

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of a connection. They can't block, so they skip the scheduler's book-keeping (RawSyscall): it
// costs 6 % of a small request (PERFORMANCE, item 5). EINTR does not occur: the sockets are non-blocking.

// rawAddress is an address as the kernel takes it.
type rawAddress struct {
	bytes [unix.SizeofSockaddrUnix]byte
	size  uint32
}

func (a *address) encode() (raw rawAddress) {
	b := raw.bytes[:]
	binary.NativeEndian.PutUint16(b, uint16(a.family()))
	switch a.family() {
	case unix.AF_UNIX:
		raw.size = uint32(2 + copy(b[2:], a.path) + 1)
	case unix.AF_INET:
		binary.BigEndian.PutUint16(b[2:], a.ip.Port())
		ip := a.ip.Addr().As4()
		copy(b[4:], ip[:])
		raw.size = unix.SizeofSockaddrInet4
	default:
		binary.BigEndian.PutUint16(b[2:], a.ip.Port())
		ip := a.ip.Addr().As16()
		copy(b[8:], ip[:])
		binary.NativeEndian.PutUint32(b[24:], zoneID(a.ip.Addr().Zone()))
		raw.size = unix.SizeofSockaddrInet6
	}
	return raw
}

// peer holds the address of an accepted client until it is decoded; one for each reactor.
type peer struct {
	bytes [unix.SizeofSockaddrAny]byte
	size  uint32
}

func (p *peer) decode() netip.AddrPort { return decodeName(p.bytes[:]) }

// accept takes one client from a listener's queue. Its address is not valid if it came through a Unix socket.
func accept(fd int, p *peer) (int, netip.AddrPort, error) {
	p.size = uint32(len(p.bytes))
	n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&p.bytes)),
		uintptr(unsafe.Pointer(&p.size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	return int(n), p.decode(), nil
}

// newSocket makes a socket of a kind: SOCK_STREAM or SOCK_DGRAM.
func newSocket(family, kind int) (int, error) {
	n, _, e := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(kind)|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

func connect(fd int, a *address) error {
	_, _, e := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a.raw.bytes)), uintptr(a.raw.size))
	if e != 0 {
		return e
	}
	return nil
}

func setOption(fd, level, option, value int) error {
	v := int32(value)
	_, _, e := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&v)), 4, 0)
	if e != 0 {
		return e
	}
	return nil
}

func shutdownWrite(fd int) {
	syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

func closeSocket(fd int) {
	syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// connectHalf has the system wait, for 40 ms and more, before it confirms a connection that the peer's system has taken: it means to
// send the first bytes along (tcp(7), TCP_QUICKACK). A connection that is reset before never gets to the peer's program.
// Where that can't be had a socket connects as others do.
func connectHalf(fd int) { setOption(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0) }

// disconnect resets a connection and makes the socket as good as new (connect(2), AF_UNSPEC), for less than a new one costs.
func disconnect(fd int) error {
	var nobody [unix.SizeofSockaddrInet4]byte // of family AF_UNSPEC
	_, _, e := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nobody)), uintptr(len(nobody)))
	if e != 0 {
		return e
	}
	return nil
}

// noDelayInherited: a socket takes TCP_NODELAY over from the listener that it was accepted on.
const noDelayInherited = true

// bindLate lets many connections from one source address share its ports, as connect then knows both ends (ip(7)).
func bindLate(fd int) error {
	return setOption(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}
