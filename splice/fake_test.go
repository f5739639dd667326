package splice

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// move is what a fakeSource does in one Read: up to n bytes, and err with the last of them.
type move struct {
	n   int
	err error
}

// fakeSource is an End that delivers data as its script says, and after the script all that is left at once.
// It fails the test if it is read while its sink has not got all that was delivered.
type fakeSource struct {
	t      *testing.T
	data   []byte
	script []move
	final  error // after the data; nil means io.EOF
	alone  bool  // final comes with no bytes rather than with the last ones
	sink   *fakeSink

	delivered, reads int
	last             error
}

func (f *fakeSource) Read(p []byte) (n int, err error) {
	f.reads++
	if f.sink != nil && (len(f.sink.got) != f.delivered+f.sink.extra || f.sink.stuck) {
		f.t.Fatalf("read while bytes are held: %d read, %d written, stuck %v", f.delivered, len(f.sink.got), f.sink.stuck)
	}
	n = len(f.data)
	if len(f.script) > 0 {
		m := &f.script[0]
		n = min(n, m.n)
		if n <= len(p) {
			err = m.err
			f.script = f.script[1:]
		} else {
			m.n -= len(p)
		}
	}
	n = copy(p[:min(n, len(p))], f.data)
	f.data = f.data[n:]
	f.delivered += n
	switch {
	case len(f.data) == 0 && (n == 0 || !f.alone):
		err = io.EOF
		if f.final != nil {
			err = f.final
		}
	case n == 0 && err == nil:
		err = ErrAgain
	}
	f.last = err
	return n, err
}

func (f *fakeSource) Write([]byte) (int, error) { panic("write to the source") }

// takeAll in the script of a fakeSink: take everything, keep some of it back and say ErrAgain.
const takeAll = -1

// fakeSink is an End that takes as many bytes a Write as its script says, and after the script all.
type fakeSink struct {
	got    []byte
	script []int
	fail   error // once the script has come to its end
	extra  int   // bytes that come from Hold, not from the source
	stuck  bool
	last   error
}

func (f *fakeSink) Write(p []byte) (n int, err error) {
	defer func() { f.last = err }()
	room := len(p)
	if len(f.script) > 0 {
		room, f.script = f.script[0], f.script[1:]
		if f.stuck && room == 0 {
			return 0, ErrAgain
		}
	} else if f.fail != nil {
		return 0, f.fail
	}
	f.stuck = false
	if room == takeAll && len(p) > 0 {
		f.got = append(f.got, p...)
		f.stuck = true
		return len(p), ErrAgain
	}
	if room == takeAll || room > len(p) {
		room = len(p)
	}
	f.got = append(f.got, p[:room]...)
	if room < len(p) {
		return room, ErrAgain
	}
	return room, nil
}

func (f *fakeSink) Read([]byte) (int, error) { panic("read from the sink") }

// pumpAll pumps until the flow ends and checks after each Pump what the contract says of its results.
func pumpAll(t *testing.T, p *Pool, r *Relay, src *fakeSource, dst *fakeSink, budget int) Status {
	t.Helper()
	for range 1 << 20 {
		before := len(dst.got)
		n, s := r.Pump(p, src, dst, budget)
		if got := len(dst.got) - before; n != got {
			t.Fatalf("Pump says %d bytes, the sink got %d", n, got)
		}
		if held := src.delivered + dst.extra - len(dst.got); r.Held() != held {
			t.Fatalf("Held() = %d, want %d", r.Held(), held)
		}
		switch s {
		case Again:
		case NeedRead:
			if src.last != ErrAgain || r.Held() != 0 || dst.stuck {
				t.Fatalf("need read: source said %v, held %d, stuck %v", src.last, r.Held(), dst.stuck)
			}
		case NeedWrite:
			if dst.last != ErrAgain {
				t.Fatalf("need write: the sink said %v", dst.last)
			}
		case EOF, SourceFailed:
			if r.Held() != 0 || dst.stuck {
				t.Fatalf("%v with %d bytes held, stuck %v", s, r.Held(), dst.stuck)
			}
			return s
		default:
			return s
		}
	}
	t.Fatal("does not end")
	return 0
}

// noise returns n reproducible bytes in which no shift goes unnoticed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	src.Read(b)
	return b
}

// newPool is a Pool that must have got everything back at the end of the test.
func newPool(t testing.TB, maxPipes int) *Pool {
	p := NewPool(maxPipes)
	t.Cleanup(func() {
		p.Close()
		if c := p.Counters(); c.Pipes != 0 || c.Buffers != 0 {
			t.Errorf("leaked: %d pipes, %d buffers", c.Pipes, c.Buffers)
		}
	})
	return p
}

func mustEqual(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("got %d bytes, want %d; first difference at %d", len(got), len(want), i)
	}
}
