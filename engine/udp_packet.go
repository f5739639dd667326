package engine

// slots is how many datagrams are received or sent in one call at most: more makes no measurable difference.
const slots = 64

// slotSize is the room for one datagram, or for several of one size that the kernel delivers together. UDP has 65,507
// bytes at most, and 65,527 on IPv6.
const slotSize = 1 << 16

// datagram is what one slot of a batch holds. The bytes are good until the slot is received into again.
type datagram struct {
	data       []byte
	segment    int    // bytes of each datagram, the last one may be shorter; 0 = it is only one
	overflows  uint32 // datagrams that the socket has had no room for since it was made, modulo 2^32
	overflowed bool   // the kernel has told overflows
	cut        bool   // the slot was too small
}

// count is the number of datagrams.
func (d datagram) count() int {
	if d.segment == 0 {
		return 1
	}
	return (len(d.data) + d.segment - 1) / d.segment
}

// each yields the datagrams one by one.
func (d datagram) each(yield func([]byte) bool) {
	if d.segment == 0 {
		yield(d.data)
		return
	}
	for rest := d.data; len(rest) > 0; {
		n := min(d.segment, len(rest))
		if !yield(rest[:n]) {
			return
		}
		rest = rest[n:]
	}
}

// pending is how many were put into the batch.
func (p *packets) pending() int { return p.n }

// outgoing returns what was put as number i.
func (p *packets) outgoing(i int) datagram { return p.sending[i] }

// left is the number of datagrams that were put from number i on.
func (p *packets) left(i int) (n int) {
	for _, d := range p.sending[i:p.n] {
		n += d.count()
	}
	return n
}

// empty forgets what was put.
func (p *packets) empty() {
	clear(p.sending[:p.n])
	p.n = 0
}
