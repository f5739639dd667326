package engine

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of datagrams: recvmmsg(2) and sendmmsg(2), so that a call carries up to 64 of them, each of which
// may be several of one size (UDP_GRO, UDP_SEGMENT; udp(7)). They do not block, so they skip the scheduler's
// book-keeping, as those in sys_linux.go. Nothing here allocates.

// balancedDatagrams: the kernel spreads datagrams over the sockets of a port by a hash of both addresses (socket(7)).
const balancedDatagrams = true

// packets is a batch: slots to receive into, and a list of what is to be sent from them. It belongs to one reactor.
// The kernel is given pointers into it, so it must not be copied.
type packets struct {
	memory []byte // slots * slotSize bytes; what no datagram has touched costs nothing

	in      [slots]unix.Mmsghdr
	inVec   [slots]unix.Iovec
	names   [slots]unix.RawSockaddrUnix // the longest name there is
	control [slots][controlSize]byte

	n          int // datagrams to be sent
	out        [slots]unix.Mmsghdr
	outVec     [slots]unix.Iovec
	outControl [slots][controlSize]byte
	sending    [slots]datagram

	scratch flowKey
	lost    []byte // room for a datagram that the kernel gives back; nil until the first one
}

// segmentSize is the size of the size of segments in a control message.
const segmentSize = 2

// controlSize is room for the control messages of one datagram: the local address, the size of segments, the overflows.
const controlSize = 128

// flowKey is a client's name as the kernel gives it, which also says where answers go, and the address of ours that the
// client wrote to, if the listener has several. Go's maps keep keys of up to 128 bytes in place.
type flowKey struct {
	name  [unix.SizeofSockaddrUnix]byte
	size  uint16
	local [16]byte // :: = the only one
}

func newPackets() *packets {
	p := &packets{memory: make([]byte, slots*slotSize)}
	for i := range slots {
		p.inVec[i].Base = &p.memory[i*slotSize]
		p.inVec[i].SetLen(slotSize)
		p.in[i].Hdr.Iov = &p.inVec[i]
		p.in[i].Hdr.SetIovlen(1)
		p.in[i].Hdr.Control = &p.control[i][0]
		p.out[i].Hdr.Iov = &p.outVec[i]
		p.out[i].Hdr.SetIovlen(1)
	}
	return p
}

// receive takes up to n datagrams from a socket into the slots from at on, with the names of their senders if the
// socket is a listener's. It returns how many, at least one, or an error.
func (p *packets) receive(fd, at, n int, named bool) (int, error) {
	for i := at; i < at+n; i++ {
		h := &p.in[i].Hdr
		h.Name, h.Namelen = nil, 0
		if named {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&p.names[i])), unix.SizeofSockaddrUnix
		}
		h.SetControllen(controlSize)
	}
	got, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.in[at])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(got), nil
}

// receiveOne is receive for one datagram of a connected socket, at two thirds of the price. Where the socket has been
// set up for several at once, it is not good enough: it does not ask for control messages.
func (p *packets) receiveOne(fd, at int) (int, error) {
	m := &p.in[at]
	m.Hdr.Flags = 0
	m.Hdr.SetControllen(0)
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(p.inVec[at].Base)), slotSize,
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	if e != 0 {
		return 0, e
	}
	m.Len = uint32(min(n, slotSize))
	if n > slotSize { // that is how long it was
		m.Hdr.Flags = unix.MSG_TRUNC
	}
	return 1, nil
}

// datagram returns what a slot has received.
func (p *packets) datagram(slot int) datagram {
	m := &p.in[slot]
	d := datagram{data: p.memory[slot*slotSize:][:m.Len], cut: m.Hdr.Flags&unix.MSG_TRUNC != 0}
	if m.Hdr.Controllen == 0 {
		return d
	}
	for list := controls(p.control[slot][:m.Hdr.Controllen]); ; {
		level, kind, value, ok := list.next()
		switch {
		case !ok:
			return d
		case level == unix.SOL_UDP && kind == unix.UDP_GRO && len(value) >= 4:
			if n := int(binary.NativeEndian.Uint32(value)); n > 0 && n < len(d.data) {
				d.segment = n
			}
		case level == unix.SOL_SOCKET && kind == unix.SO_RXQ_OVFL && len(value) >= 4:
			d.overflows, d.overflowed = binary.NativeEndian.Uint32(value), true
		}
	}
}

// key returns the key of the flow that a slot's datagram belongs to. It is good until the next call.
func (p *packets) key(slot int, wildcard bool) *flowKey {
	k, h := &p.scratch, &p.in[slot].Hdr
	*k = flowKey{size: uint16(h.Namelen)}
	copy(k.name[:h.Namelen], (*[unix.SizeofSockaddrUnix]byte)(unsafe.Pointer(&p.names[slot]))[:])
	if wildcard {
		k.local = localIn(p.control[slot][:h.Controllen])
	}
	return k
}

// localIn returns the address of ours that a datagram was sent to and is to be answered from, as its control messages
// tell it, or the zero value. In place of an address that is not ours alone, a broadcast or multicast one, IPv4 names one
// that is, and IPv6 leaves the choice to the system.
func localIn(list controls) (local [16]byte) {
	for {
		level, kind, value, ok := list.next()
		switch {
		case !ok:
			return local
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(value) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(value[4:8])).As16() // ipi_spec_dst
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(value) >= unix.SizeofInet6Pktinfo:
			if a := netip.AddrFrom16([16]byte(value[:16])); !a.IsMulticast() {
				return a.As16()
			}
		}
	}
}

// client returns the address of a client, not valid if it came through a Unix socket.
func (k *flowKey) client() netip.AddrPort { return decodeName(k.name[:]) }

// decodeName returns the address in a name that the kernel gave.
func decodeName(b []byte) netip.AddrPort {
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case unix.AF_INET6:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if zone := binary.NativeEndian.Uint32(b[24:]); zone != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:]))
	}
	return netip.AddrPort{}
}

// put adds a datagram, which stays in its slot, to what is to be sent: to a flow's client, or if to is nil to whom the
// socket is connected to.
func (p *packets) put(d datagram, to *flow) {
	i := p.n
	p.n++
	p.sending[i] = d
	p.outVec[i] = unix.Iovec{}
	if len(d.data) > 0 {
		p.outVec[i].Base = &d.data[0]
		p.outVec[i].SetLen(len(d.data))
	}
	h := &p.out[i].Hdr
	h.Name, h.Namelen = nil, 0
	control := p.outControl[i][:0]
	if to != nil {
		h.Name, h.Namelen = &to.key.name[0], uint32(to.key.size)
		control = appendLocal(control, &to.key)
	}
	if d.segment > 0 {
		var size [segmentSize]byte
		binary.NativeEndian.PutUint16(size[:], uint16(d.segment))
		control = appendControl(control, unix.SOL_UDP, unix.UDP_SEGMENT, size[:])
	}
	h.Control = nil
	if len(control) > 0 {
		h.Control = &control[0]
	}
	h.SetControllen(len(control))
}

// appendLocal appends the control message that names the address to send from.
func appendLocal(b []byte, k *flowKey) []byte {
	if k.local == [16]byte{} {
		return b
	}
	if binary.NativeEndian.Uint16(k.name[:]) == unix.AF_INET {
		var info [unix.SizeofInet4Pktinfo]byte
		copy(info[4:], k.local[12:]) // ipi_spec_dst
		return appendControl(b, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
	}
	var info [unix.SizeofInet6Pktinfo]byte
	copy(info[:], k.local[:])
	return appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
}

// send sends what was put from number i on and returns how many the system has taken, at least one, or an error.
func (p *packets) send(fd, i int) (int, error) {
	if h := &p.out[i].Hdr; i+1 == p.n && h.Name == nil && h.Control == nil {
		_, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(p.outVec[i].Base)), uintptr(p.outVec[i].Len),
			unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		if e != 0 {
			return 0, e
		}
		return 1, nil
	}
	n, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.out[i])), uintptr(p.n-i), unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// split sends the datagrams of number i, which are of one size, one by one.
func (p *packets) split(fd, i int) {
	h := p.out[i].Hdr
	h.SetControllen(int(h.Controllen) - unix.CmsgSpace(segmentSize)) // it is the last message
	for chunk := range p.sending[i].each {
		vec := unix.Iovec{Base: &chunk[0]}
		vec.SetLen(len(chunk))
		h.Iov = &vec
		syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	}
}

// refusesSegments tells if an error of sending may mean that the way can't take several datagrams at once.
func refusesSegments(err error) bool {
	return err == unix.EINVAL || err == unix.EIO || err == unix.EMSGSIZE || err == unix.EOPNOTSUPP
}

// errorOf finds out what is the matter with a connected socket, beside the error that a call has returned, nil for none.
// It returns the error that says most, and the datagram that it is about if the system gives that back; good until the
// next call.
func (p *packets) errorOf(fd int, err error) (lost []byte, worst error) {
	if p.lost == nil {
		p.lost = make([]byte, slotSize)
	}
	var control [controlSize + unix.SizeofSockaddrInet6]byte
	for range slots {
		vec := unix.Iovec{Base: &p.lost[0]}
		vec.SetLen(len(p.lost))
		h := unix.Msghdr{Iov: &vec, Control: &control[0]}
		h.SetIovlen(1)
		h.SetControllen(len(control))
		n, _, e := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if e != 0 {
			break
		}
		if e := extendedError(control[:h.Controllen]); e != 0 && unreachable(e) {
			return p.lost[:n], e
		}
	}
	if err == nil || err == unix.EAGAIN {
		if e, bad := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); bad == nil && e != 0 {
			err = unix.Errno(e)
		}
	}
	return nil, err
}

// extendedError returns the error in the control messages of an error queue, 0 if there is none (ip(7), IP_RECVERR).
func extendedError(b []byte) unix.Errno {
	for list := controls(b); ; {
		level, kind, value, ok := list.next()
		if !ok {
			return 0
		}
		if (level == unix.IPPROTO_IP && kind == unix.IP_RECVERR || level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVERR) && len(value) >= 16 {
			return unix.Errno(binary.NativeEndian.Uint32(value))
		}
	}
}

// discard throws away what a socket has received.
func (p *packets) discard(fd int) {
	for n, err := slots, error(nil); n == slots && err == nil; {
		n, err = p.receive(fd, 0, slots, false)
	}
}

// bindAnywhere gives a Unix socket an abstract name, so that it can be answered (unix(7), autobind).
func bindAnywhere(fd int) error {
	family := uint16(unix.AF_UNIX)
	if _, _, e := syscall.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&family)), 2); e != 0 {
		return e
	}
	return nil
}

// reportErrors has all ICMP errors told to a connected socket, not just that of a closed port, and with each the
// datagram that it is about.
func reportErrors(fd, family int) {
	switch family {
	case unix.AF_INET:
		setOption(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	case unix.AF_INET6:
		setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
}

// askLocal has the kernel tell of each datagram which address of ours it was sent to. On a socket of both families it
// tells the IPv4 ones in IPv6 form.
func askLocal(fd, family int) error {
	if family == unix.AF_INET {
		return setOption(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// acceptSegments has the kernel deliver datagrams of one size and sender together, where it knows how (5.0 and later).
// They are sent on together, too: of 1,200 bytes and 40 at once, that took 0.8 s of CPU per GB instead of 2.6 s. Of what
// comes one by one it is no burden.
func acceptSegments(fd int) { setOption(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) }

// countOverflows has the kernel tell how many datagrams found the receive queue full.
func countOverflows(fd int) { setOption(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) }

// growReceiveQueue asks for a receive queue of n bytes: beyond the system's limit with CAP_NET_ADMIN, else up to it.
func growReceiveQueue(fd, n int) {
	if setOption(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n) != nil {
		setOption(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, n)
	}
}
