package splice

import "math/bits"

const (
	minClass  = 12                      // log2 bytes of the smallest buffers: 4 KB, a page
	maxClass  = 19                      // log2 bytes of the largest: 512 KB, as much as one read can leave behind
	classes   = maxClass - minClass + 1 // powers of two
	unpooled  = classes                 // the class of what is larger (a very long Hold)
	holder    = classes + 1             // the class of what has no memory: it holds a pipe
	keepBytes = 512 << 10               // bytes of free buffers kept in each class; see Pool
)

// buffer holds the bytes that a sink had no room for. While a flow has it, it is the flow's.
type buffer struct {
	mem      []byte
	from, to int // mem[from:to] is not sent yet
	class    int
	pipe     *pipe   // held bytes that are older, or nil; a buffer may be there for its sake alone
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
	switch {
	case p.closed || b.class == unpooled:
		return
	case b.class == holder:
		if p.holders < keepPipes {
			b.next = p.freeHolders
			p.freeHolders = b
			p.holders++
		}
		return
	}
	list := &p.freeBuffers[b.class]
	if list.n*len(b.mem) >= keepBytes {
		return
	}
	b.next = list.first
	list.first, list.n = b, list.n+1
}

// joined returns b with more behind what is unsent in it: b itself if there is room, else another buffer in its place.
// b may be nil; more must not be empty.
func (p *Pool) joined(b *buffer, more []byte) *buffer {
	if b != nil && len(b.mem)-b.to >= len(more) {
		b.to += copy(b.mem[b.to:], more)
		return b
	}
	older := b.unsent()
	c := p.takeBuffer(len(older) + len(more))
	copy(c.mem[copy(c.mem, older):], more)
	if b != nil {
		c.pipe, b.pipe = b.pipe, nil
		p.giveBuffer(b)
	}
	return c
}

// behind returns an empty buffer that holds a pipe.
func (p *Pool) behind(q *pipe) *buffer {
	b := p.freeHolders
	if b == nil {
		b = &buffer{class: holder}
	} else {
		p.freeHolders, b.next = b.next, nil
		p.holders--
	}
	p.buffers++
	b.pipe = q
	return b
}

// Tail is what an End keeps back of its own: bytes that its socket had no room for, or a record of which the rest is
// still to come. The zero value is empty. Its memory is the pool's, so what is empty holds none.
type Tail struct{ buf *buffer }

// Keep puts a copy of b behind what is kept already.
func (t *Tail) Keep(p *Pool, b []byte) {
	if len(b) > 0 {
		t.buf = p.joined(t.buf, b)
	}
}

// Bytes is what is kept, good until the next call of another method.
func (t *Tail) Bytes() []byte { return t.buf.unsent() }

// Drop forgets the first n bytes.
func (t *Tail) Drop(p *Pool, n int) {
	if t.buf == nil {
		return
	}
	if t.buf.from += n; t.buf.from == t.buf.to {
		p.giveBuffer(t.buf)
		t.buf = nil
	}
}

// Close forgets all of it.
func (t *Tail) Close(p *Pool) { t.Drop(p, len(t.Bytes())) }
