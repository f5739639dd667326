package splice

import "testing"

func TestBufferClasses(t *testing.T) {
	tests := []struct{ size, want int }{
		{1, 4 << 10}, {4 << 10, 4 << 10}, {4<<10 + 1, 8 << 10}, {100 << 10, 128 << 10},
		{512 << 10, 512 << 10}, {512<<10 + 1, 512<<10 + 1},
	}
	p := newPool(t, 0)
	for _, tt := range tests {
		for range 2 { // made, then from the free list
			b := p.takeBuffer(tt.size)
			if len(b.mem) != tt.want || len(b.unsent()) != tt.size {
				t.Errorf("%d: buffer of %d holding %d, want %d holding %d", tt.size, len(b.mem), len(b.unsent()), tt.want, tt.size)
			}
			b.from += tt.size / 2
			p.giveBuffer(b)
		}
	}
}

// After a burst the pool keeps as much as it says and no more.
func TestPoolShrinks(t *testing.T) {
	p := newPool(t, 1000)
	for size := 4 << 10; size <= 512<<10; size *= 2 {
		var out []*buffer
		for range 300 {
			out = append(out, p.takeBuffer(size))
		}
		for _, b := range out {
			p.giveBuffer(b)
		}
	}
	kept := 0
	for _, list := range p.freeBuffers {
		n := 0
		for b := list.first; b != nil; b = b.next {
			n += len(b.mem)
		}
		if n != keepBytes {
			t.Errorf("%d bytes in a class, want %d", n, keepBytes)
		}
		kept += n
	}
	if c := p.Counters(); kept != 4<<20 || c.Buffers != 0 {
		t.Errorf("%d bytes kept, %d buffers out; want 4 MB, 0", kept, c.Buffers)
	}
}

func TestPipesBounded(t *testing.T) {
	if !canSplice {
		t.Skip("no pipes here")
	}
	const most = keepPipes + 4
	p := newPool(t, most)
	var out []*pipe
	for q := p.takePipe(); q != nil; q = p.takePipe() {
		out = append(out, q)
	}
	if len(out) != most || p.Counters().Pipes != most {
		t.Fatalf("%d pipes, counted %d, want %d", len(out), p.Counters().Pipes, most)
	}
	out[0].n = 1 // as if bytes were left in it
	for _, q := range out {
		p.givePipe(q)
	}
	if p.idlePipes != keepPipes || p.Counters().Pipes != keepPipes {
		t.Errorf("%d free, %d open; want %d", p.idlePipes, p.Counters().Pipes, keepPipes)
	}
	for q := p.freePipes; q != nil; q = q.next {
		if q == out[0] {
			t.Error("a pipe with bytes in it was kept")
		}
	}
}

// What flows hold may come back after the pool was closed, and is released all the same.
func TestCloseOrder(t *testing.T) {
	p := NewPool(1)
	var r Relay
	r.Hold(p, []byte("x"))
	q := p.takePipe()
	r.buf.pipe = q
	p.Close()
	r.Close(p)
	if c := p.Counters(); c.Buffers != 0 || c.Pipes != 0 {
		t.Errorf("%d buffers, %d pipes; want none", c.Buffers, c.Pipes)
	}
	if r != (Relay{}) {
		t.Errorf("a closed Relay is %+v, want the zero value", r)
	}
}

func TestTail(t *testing.T) {
	p := newPool(t, 0)
	var tail Tail
	tail.Drop(p, 0)
	tail.Keep(p, nil)
	if c := p.Counters(); c.Buffers != 0 {
		t.Fatalf("%d buffers held by an empty tail, want none", c.Buffers)
	}
	want := noise(100<<10, 1)
	for from := 0; from < len(want); from += 1000 {
		tail.Keep(p, want[from:min(from+1000, len(want))])
	}
	mustEqual(t, tail.Bytes(), want)
	tail.Drop(p, 1000)
	mustEqual(t, tail.Bytes(), want[1000:])
	tail.Keep(p, want[:1000])
	mustEqual(t, tail.Bytes()[len(want)-1000:], want[:1000])
	tail.Drop(p, len(want))
	if c := p.Counters(); c.Buffers != 0 || tail != (Tail{}) {
		t.Errorf("%d buffers held by an emptied tail, want none", c.Buffers)
	}
	tail.Keep(p, want)
	tail.Close(p)
}
