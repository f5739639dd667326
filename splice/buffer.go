package splice

import "math/bits"

const (
	minClass  = 12                      // log2 bytes of the smallest buffers: 4 KB, a page
	maxClass  = 19                      // log2 bytes of the largest: 512 KB, as much as one read can leave behind
	classes   = maxClass - minClass + 1 // powers of two
	unpooled  = classes                 // the class of what is larger (a very long Hold)
	keepBytes = 512 << 10               // bytes of free buffers kept in each class; see Pool
)

// buffer holds the bytes that a sink had no room for. While a flow has it, it is the flow's.
type buffer struct {
	mem      []byte
	from, to int // mem[from:to] is not sent yet
	class    int
	next     *buffer // in the free list
}

// unsent is what is held; a nil buffer holds nothing.
func (b *buffer) unsent() []byte {
	if b == nil {
		return nil
	}
	return b.mem[b.from:b.to]
}

// freeBuffers is the list of free buffers of one class.
type freeBuffers struct {
	first *buffer
	n     int
}

// takeBuffer returns a buffer for size bytes, set to hold as many; what is in it is undefined.
func (p *Pool) takeBuffer(size int) *buffer {
	p.buffers++
	class := max(bits.Len(uint(max(size, 1)-1)), minClass) - minClass
	if class >= unpooled {
		return &buffer{mem: make([]byte, size), to: size, class: unpooled}
	}
	list := &p.freeBuffers[class]
	b := list.first
	if b == nil {
		return &buffer{mem: make([]byte, 1<<(class+minClass)), to: size, class: class}
	}
	list.first, list.n = b.next, list.n-1
	b.from, b.to, b.next = 0, size, nil
	return b
}

// giveBuffer takes a buffer back, keeps it if its class has room and leaves it to the garbage collector otherwise.
func (p *Pool) giveBuffer(b *buffer) {
	p.buffers--
	if p.closed || b.class == unpooled {
		return
	}
	list := &p.freeBuffers[b.class]
	if list.n*len(b.mem) >= keepBytes {
		return
	}
	b.next = list.first
	list.first, list.n = b, list.n+1
}
