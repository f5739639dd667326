//go:build !linux

package engine

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// The system calls of datagrams by way of x/sys/unix, one datagram a call. What is lost against sys_udp_linux.go: the
// batches, an allocation for each datagram (its sender's address), the error queue with the datagrams that did not arrive, the
// count of full receive queues, and answers from Unix servers, which have no abstract names to send to.

// packets is a batch of which each slot is received and sent by a call of its own. It belongs to one reactor.
type packets struct {
	memory  []byte
	in      [slots]received
	n       int
	sending [slots]datagram
	to      [slots]*flow
	scratch flowKey
}

type received struct {
	size    int
	cut     bool
	from    unix.Sockaddr
	control [controlSize]byte
	told    int // bytes of control
}

const controlSize = 128

// flowKey is a client's address, and the address of ours that it wrote to, if the listener has several.
type flowKey struct {
	ip    netip.AddrPort
	path  string
	local [16]byte // :: = the only one
}

func newPackets() *packets { return &packets{memory: make([]byte, slots*slotSize)} }

// receive takes up to n datagrams from a socket into the slots from at on. It returns how many, at least one, or an error.
func (p *packets) receive(fd, at, n int, named bool) (int, error) {
	for i := range n {
		m := &p.in[at+i]
		size, told, flags, from, err := unix.Recvmsg(fd, p.slot(at+i), m.control[:], 0)
		if err != nil && i > 0 {
			return i, nil
		}
		if err != nil {
			return 0, err
		}
		*m = received{size: size, cut: flags&unix.MSG_TRUNC != 0, control: m.control, told: told}
		if named {
			m.from = from
		}
	}
	return n, nil
}

// receiveOne is receive for one datagram of a connected socket.
func (p *packets) receiveOne(fd, at int) (int, error) { return p.receive(fd, at, 1, false) }

func (p *packets) slot(i int) []byte { return p.memory[i*slotSize:][:slotSize] }

// datagram returns what a slot has received.
func (p *packets) datagram(slot int) datagram {
	return datagram{data: p.slot(slot)[:p.in[slot].size], cut: p.in[slot].cut}
}

// key returns the key of the flow that a slot's datagram belongs to. It is good until the next call.
func (p *packets) key(slot int, wildcard bool) *flowKey {
	m, k := &p.in[slot], &p.scratch
	*k = flowKey{}
	switch from := m.from.(type) {
	case *unix.SockaddrInet4:
		k.ip = netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(from.Addr)
		if from.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(from.ZoneId), 10))
		}
		k.ip = netip.AddrPortFrom(ip, uint16(from.Port))
	case *unix.SockaddrUnix:
		k.path = from.Name
	}
	if wildcard {
		k.local = localIn(m.control[:m.told])
	}
	return k
}

// localIn returns the address of ours that a datagram was sent to, as its control messages tell it, or the zero value.
func localIn(list controls) (local [16]byte) {
	for {
		level, kind, value, ok := list.next()
		switch {
		case !ok:
			return local
		case level == unix.IPPROTO_IP && kind == localMessage && len(value) >= localOffset+4:
			return netip.AddrFrom4([4]byte(value[localOffset:])).As16()
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(value) >= unix.SizeofInet6Pktinfo:
			if a := netip.AddrFrom16([16]byte(value[:16])); !a.IsMulticast() {
				return a.As16()
			}
		}
	}
}

// client returns the address of a client, not valid if it came through a Unix socket.
func (k *flowKey) client() netip.AddrPort { return k.ip }

// sockaddr is where answers go.
func (k *flowKey) sockaddr() unix.Sockaddr {
	if !k.ip.IsValid() {
		return &unix.SockaddrUnix{Name: k.path}
	}
	return newAddress(k.ip).sockaddr()
}

// put adds a datagram, which stays in its slot, to what is to be sent: to a flow's client, or if to is nil to whom the
// socket is connected to.
func (p *packets) put(d datagram, to *flow) {
	p.sending[p.n], p.to[p.n] = d, to
	p.n++
}

// send sends number i. It returns 1, or an error.
func (p *packets) send(fd, i int) (int, error) {
	var control []byte
	var to unix.Sockaddr
	if f := p.to[i]; f != nil {
		control, to = appendLocal(nil, &f.key), f.key.sockaddr()
	}
	if err := unix.Sendmsg(fd, p.sending[i].data, control, to, 0); err != nil {
		return 0, err
	}
	return 1, nil
}

// appendLocal appends the control message that names the address to send from.
func appendLocal(b []byte, k *flowKey) []byte {
	switch {
	case k.local == [16]byte{}:
		return b
	case k.ip.Addr().Is4():
		var info [sourceSize]byte
		copy(info[sourceOffset:], k.local[12:])
		return appendControl(b, unix.IPPROTO_IP, sourceMessage, info[:])
	}
	var info [unix.SizeofInet6Pktinfo]byte
	copy(info[:], k.local[:])
	return appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
}

// split is not needed: there are no segments.
func (p *packets) split(int, int) {}

func refusesSegments(error) bool { return false }

// errorOf returns the error of a connected socket: that of a call, or what is pending.
func (p *packets) errorOf(fd int, err error) ([]byte, error) {
	if err == nil || err == unix.EAGAIN {
		if e, bad := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); bad == nil && e != 0 {
			err = unix.Errno(e)
		}
	}
	return nil, err
}

// discard throws away what a socket has received.
func (p *packets) discard(fd int) {
	for err := error(nil); err == nil; {
		_, err = p.receive(fd, 0, 1, false)
	}
}

// bindAnywhere: a Unix socket has no name here but a file's, so its server can't answer.
func bindAnywhere(int) error { return nil }

// reportErrors: a connected socket is told of closed ports only.
func reportErrors(int, int) {}

// askLocal has the system tell of each datagram which address of ours it was sent to.
func askLocal(fd, family int) error {
	if family == unix.AF_INET {
		return setOption(fd, unix.IPPROTO_IP, localOption, 1)
	}
	return setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// acceptSegments: the systems here deliver each datagram by itself.
func acceptSegments(int) {}

// countOverflows: the systems here do not tell.
func countOverflows(int) {}

// growReceiveQueue asks for a receive queue of n bytes, or for half of it as often as the system finds it too long.
func growReceiveQueue(fd, n int) {
	for ; n > 0 && setOption(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, n) != nil; n /= 2 {
	}
}
