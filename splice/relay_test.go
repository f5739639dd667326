package splice

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"unsafe"
)

var (
	_ Flow = (*Relay)(nil)
	_ Flow = Discard{}
	_ End  = (*Socket)(nil)
)

var errBroken = errors.New("broken")

func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("sizes are promised for 64 bits")
	}
	if got := unsafe.Sizeof(Relay{}); got != 16 {
		t.Errorf("Relay is %d bytes, want 16", got)
	}
	if got := unsafe.Sizeof(Socket{}); got != 8 {
		t.Errorf("Socket is %d bytes, want 8", got)
	}
}

// Every split of the input by the source and of the output by the sink, with every kind of end.
func TestRelaySplits(t *testing.T) {
	const text = "0123456789"
	ends := []struct {
		name  string
		final error
		alone bool
		want  Status
	}{
		{"eof with bytes", nil, false, EOF},
		{"eof alone", nil, true, EOF},
		{"failure with bytes", errBroken, false, SourceFailed},
		{"failure alone", errBroken, true, SourceFailed},
	}
	p := newPool(t, 0)
	for _, end := range ends {
		for in := range len(text) + 1 {
			for out := range len(text) + 1 {
				for _, stuck := range []int{0, takeAll} {
					for _, err := range []error{nil, ErrAgain} {
						t.Run(fmt.Sprintf("%s/%d/%d/%d/%v", end.name, in, out, stuck, err), func(t *testing.T) {
							sink := &fakeSink{script: []int{out, 0, stuck, 0}}
							src := &fakeSource{t: t, data: []byte(text), script: []move{{in, err}}, final: end.final, alone: end.alone, sink: sink}
							var r Relay
							if got := pumpAll(t, p, &r, src, sink, 1<<20); got != end.want {
								t.Errorf("ends with %v, want %v", got, end.want)
							}
							mustEqual(t, sink.got, []byte(text))
							reads := src.reads
							if n, s := r.Pump(p, src, sink, 1<<20); n != 0 || s != end.want || src.reads != reads {
								t.Errorf("after the end: %d, %v, %d reads; want 0, %v and no read", n, s, src.reads-reads, end.want)
							}
							if c := p.Counters(); c.Buffers != 0 {
								t.Errorf("%d buffers out at the end", c.Buffers)
							}
						})
					}
				}
			}
		}
	}
}

func TestRelayStatus(t *testing.T) {
	tests := []struct {
		name   string
		src    []move
		sink   []int
		fail   error
		budget int
		wantN  int
		want   Status
		held   int
	}{
		{"drained", []move{{10, ErrAgain}}, nil, nil, 100, 10, NeedRead, 0},
		{"nothing there", []move{{0, ErrAgain}}, nil, nil, 100, 0, NeedRead, 0},
		{"drained, sink full", []move{{10, ErrAgain}}, []int{4}, nil, 100, 4, NeedWrite, 6},
		{"sink keeps some back", []move{{10, ErrAgain}}, []int{takeAll}, nil, 100, 10, NeedWrite, 0},
		{"sink broken", []move{{10, nil}}, nil, errBroken, 100, 0, SinkFailed, 10},
		{"both broken", []move{{10, errBroken}}, nil, errBroken, 100, 0, SinkFailed, 10},
		{"failure with bytes, sink full", []move{{10, errBroken}}, []int{3}, nil, 100, 3, NeedWrite, 7},
		{"eof with bytes, sink full", []move{{10, io.EOF}}, []int{3}, nil, 100, 3, NeedWrite, 7},
		{"records until the budget is used up", []move{{1000, nil}, {1000, nil}, {1000, nil}, {1000, nil}}, nil, nil, 2500, 3000, Again, 0},
		{"no budget", []move{{10, nil}}, nil, nil, 0, 0, Again, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t, 0)
			sink := &fakeSink{script: tt.sink, fail: tt.fail}
			src := &fakeSource{t: t, data: noise(100000, 1), script: tt.src, sink: sink}
			var r Relay
			defer r.Close(p)
			n, s := r.Pump(p, src, sink, tt.budget)
			if n != tt.wantN || s != tt.want || r.Held() != tt.held {
				t.Errorf("got %d, %v, held %d; want %d, %v, held %d", n, s, r.Held(), tt.wantN, tt.want, tt.held)
			}
		})
	}
}

// An End that breaks the contract may not make the flow lose bytes silently or spin.
func TestRelayBadEnds(t *testing.T) {
	p := newPool(t, 0)
	var r Relay
	defer r.Close(p)
	src := &fakeSource{t: t, data: noise(10, 1)}
	if n, s := r.Pump(p, src, shortWriter{}, 100); n != 9 || s != SinkFailed || r.Held() != 1 {
		t.Errorf("short write without error: %d, %v, held %d; want 9, sink failed, held 1", n, s, r.Held())
	}
	var idle Relay
	if n, s := idle.Pump(p, emptyReader{}, &fakeSink{}, 1<<20); n != 0 || s != Again {
		t.Errorf("read of 0 without error: %d, %v; want 0, again", n, s)
	}
}

type shortWriter struct{ End }

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

type emptyReader struct{ End }

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func TestRelayBudget(t *testing.T) {
	p := newPool(t, 0)
	sink := &fakeSink{}
	src := &fakeSource{t: t, data: noise(4<<20, 2), sink: sink}
	var r Relay
	for s := Again; s == Again; {
		var n int
		n, s = r.Pump(p, src, sink, 100<<10)
		if n >= 100<<10+minLimit {
			t.Fatalf("%d bytes for a budget of %d", n, 100<<10)
		}
		if s == Again && n < 100<<10 {
			t.Fatalf("budget said to be used up after %d of %d bytes", n, 100<<10)
		}
	}
}

// One byte a read is charged as more, so that such a source does not keep the reactor from the others.
func TestRelayDribble(t *testing.T) {
	p := newPool(t, 0)
	src := &fakeSource{t: t, data: noise(1<<20, 3), sink: &fakeSink{}}
	for range 1 << 17 {
		src.script = append(src.script, move{1, nil})
	}
	var r Relay
	n, s := r.Pump(p, src, src.sink, 64<<10)
	if n != 64 || s != Again {
		t.Errorf("got %d, %v; want 64, again", n, s)
	}
}

func TestRelayLimit(t *testing.T) {
	p := newPool(t, 0)
	sink := &fakeSink{}
	src := &fakeSource{t: t, data: noise(8<<20, 4), sink: sink}
	var r Relay
	want := []int{64, 128, 256, 512, 512} // KB
	for i, kb := range want {
		n, _ := r.Pump(p, src, sink, kb<<10)
		if n != kb<<10 || int(r.limit) != min(2*kb<<10, maxLimit) {
			t.Fatalf("read %d: %d bytes, limit %d; want %d, %d", i, n, r.limit, kb<<10, min(2*kb<<10, maxLimit))
		}
	}
	for _, kb := range []int{256, 128, 64, 32, 16, 16} {
		sink.script = []int{0}
		if _, s := r.Pump(p, src, sink, 1); s != NeedWrite || int(r.limit) != kb<<10 {
			t.Fatalf("sink full: %v, limit %d, want %d", s, r.limit, kb<<10)
		}
		r.Pump(p, src, sink, 0)
	}
	if r.Held() != 0 {
		t.Errorf("held %d", r.Held())
	}
}

func TestHold(t *testing.T) {
	p := newPool(t, 0)
	sink := &fakeSink{script: []int{3, 0, 9}}
	src := &fakeSource{t: t, data: []byte(" body"), sink: sink}
	var r Relay
	header := []byte("PROXY")
	r.Hold(p, header)
	clear(header) // it was copied
	r.Hold(p, nil)
	if r.Held() != 5 {
		t.Errorf("held %d, want 5", r.Held())
	}
	if n, s := r.Pump(p, src, sink, 100); n != 3 || s != NeedWrite {
		t.Errorf("got %d, %v; want 3, need write", n, s)
	}
	r.Hold(p, []byte(" header"))
	sink.extra = 12
	if s := pumpAll(t, p, &r, src, sink, 100); s != EOF {
		t.Errorf("got %v, want eof", s)
	}
	mustEqual(t, sink.got, []byte("PROXY header body"))

	long := noise(3<<20, 5)
	*sink, *src = fakeSink{extra: len(long)}, fakeSource{t: t, sink: sink}
	r.Close(p)
	r.Hold(p, long)
	pumpAll(t, p, &r, src, sink, 100)
	mustEqual(t, sink.got, long)
}

func TestDiscard(t *testing.T) {
	p := newPool(t, 0)
	tests := []struct {
		name   string
		src    fakeSource
		budget int
		wantN  int
		want   Status
	}{
		{"all", fakeSource{data: noise(100, 1)}, 1 << 20, 100, EOF},
		{"drained", fakeSource{data: noise(100, 1), script: []move{{40, nil}, {20, ErrAgain}}}, 1 << 20, 60, NeedRead},
		{"broken", fakeSource{data: noise(100, 1), final: errBroken}, 1 << 20, 100, SourceFailed},
		{"budget", fakeSource{data: noise(1<<20, 1)}, 100 << 10, 100 << 10, Again},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f Flow = Discard{}
			n, s := f.Pump(p, &tt.src, nil, tt.budget)
			if n != tt.wantN || s != tt.want || f.Held() != 0 {
				t.Errorf("got %d, %v, held %d; want %d, %v, held 0", n, s, f.Held(), tt.wantN, tt.want)
			}
			f.Close(p)
		})
	}
}

// FuzzRelay drives a Relay with ends that behave as the script says. Each byte of moves is a Read: its low two bits
// say how it ends, the others how much it brings. Each byte of rooms is a Write: how much is taken, 255 all with
// something kept back.
func FuzzRelay(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3}, []byte{0, 1, 255, 0, 255, 8}, uint32(100000), uint32(1000), false)
	f.Add([]byte{255, 254, 253, 252, 8, 9}, []byte{200, 0, 0, 3}, uint32(3<<20), uint32(1<<20), true)
	f.Add([]byte{}, []byte{255, 0, 0, 255, 0}, uint32(2<<20), uint32(64<<10), true)
	f.Add([]byte{1, 1, 1, 1, 2, 2}, []byte{}, uint32(0), uint32(1), false)
	f.Fuzz(func(t *testing.T, moves, rooms []byte, size, budget uint32, broken bool) {
		want := noise(int(size%(4<<20)), 6)
		sink := &fakeSink{}
		src := &fakeSource{t: t, data: want, sink: sink, alone: size%2 == 0}
		for _, m := range moves {
			n := int(m>>2) * int(m>>2) * int(m>>2) // up to 250,047
			src.script = append(src.script, move{n, []error{nil, nil, ErrAgain, ErrAgain}[m&3]})
		}
		for _, m := range rooms {
			room := int(m) * int(m) * 8 // up to 516,128
			if m == 255 {
				room = takeAll
			}
			sink.script = append(sink.script, room)
		}
		wantEnd := EOF
		if broken {
			src.final, wantEnd = errBroken, SourceFailed
		}
		p := newPool(t, 0)
		var r Relay
		if size%3 == 0 {
			head := noise(int(size%5000), 7)
			r.Hold(p, head)
			want = append(head, want...)
			sink.extra = len(head)
		}
		if got := pumpAll(t, p, &r, src, sink, int(budget%(4<<20))+1); got != wantEnd {
			t.Errorf("ends with %v, want %v", got, wantEnd)
		}
		mustEqual(t, sink.got, want)
		r.Close(p)
	})
}
