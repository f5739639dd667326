package splice

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

var _ Flow = (*Edited)(nil)

// counted is an Editor for records N ':' and N bytes, of which it makes '[' N ']' and the bytes. A record of 0 bytes
// makes it pause until it is told to go on; one of -1 leaves everything behind it alone.
type counted struct {
	left    int64
	paused  bool
	ended   bool
	longest int // in that it was given
}

func (c *counted) Pass() int64 {
	if c.paused {
		return -1
	}
	return c.left
}

func (c *counted) Passed(n int64) { c.left -= n }

func (c *counted) Edit(out, in []byte, last bool) (edited []byte, taken int) {
	c.ended, c.longest = last, max(c.longest, len(in))
	for taken < len(in) && !c.paused {
		if c.left > 0 {
			n := int(min(c.left, int64(len(in)-taken)))
			if edited != nil {
				edited = append(edited, in[taken:taken+n]...)
			}
			if taken += n; c.left < math.MaxInt64 {
				c.left -= int64(n)
			}
			continue
		}
		i := bytes.IndexByte(in[taken:], ':')
		if i < 0 {
			if last {
				return append(edited, in[taken:]...), len(in)
			}
			break
		}
		if edited == nil {
			edited = append(out, in[:taken]...)
		}
		edited = append(edited, '[')
		edited = append(edited, in[taken:taken+i]...)
		edited = append(edited, ']')
		c.left, _ = strconv.ParseInt(string(in[taken:taken+i]), 10, 64)
		taken += i + 1
		if c.left < 0 {
			c.left = math.MaxInt64
		}
		c.paused = c.left == 0
	}
	return edited, taken
}

// records returns what a counted is to be given and what it makes of that.
func records(rng *rand.Rand, sizes ...int) (in, want []byte) {
	for i, size := range sizes {
		in = fmt.Appendf(in, "%d:", size)
		want = fmt.Appendf(want, "[%d]", size)
		if size < 0 {
			size = rng.IntN(1 << 20)
		}
		body := noise(size, uint64(i))
		in, want = append(in, body...), append(want, body...)
	}
	return in, want
}

func TestEdited(t *testing.T) {
	many := make([]int, 300)
	for i := range many {
		many[i] = 1 + i%40
	}
	tests := []struct {
		name  string
		sizes []int
		tail  string
	}{
		{"nothing", nil, ""},
		{"one", []int{5}, ""},
		{"pauses", []int{5, 0, 0, 7, 0}, ""},
		{"many", many, ""},
		{"large", []int{1, passLimit - 1, passLimit, 3, passLimit + 1, 700 << 10, 2}, ""},
		{"the rest", []int{5, -1}, ""},
		{"cut short", []int{5}, "12"},
		{"cut short after a pause", []int{0}, "12"},
	}
	for _, tt := range tests {
		for seed := range uint64(12) {
			t.Run(tt.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				in, want := records(rng, tt.sizes...)
				in, want = append(in, tt.tail...), append(want, tt.tail...)
				p := newPool(t, 0)
				src, dst := &fakeSource{t: t, data: in}, &fakeSink{}
				piece := 1 << (3 + rng.IntN(15))
				for range 200 {
					src.script = append(src.script, move{1 + rng.IntN(piece), []error{nil, ErrAgain}[rng.IntN(2)]})
					dst.script = append(dst.script, []int{takeAll, 0, rng.IntN(piece), 1 << 30}[rng.IntN(4)])
				}
				relay, editor := new(Relay), &counted{}
				e := &Edited{Relay: relay, Editor: editor}
				pumpEdited(t, p, e, editor, src, dst, 1<<(rng.IntN(21)))
				mustEqual(t, dst.got, want)
				if !editor.ended || editor.longest > editSize {
					t.Errorf("ended %v, given %d bytes; want true, %d at most", editor.ended, editor.longest, editSize)
				}
				if n, s := e.Pump(p, src, dst, 1); n != 0 || s != EOF {
					t.Errorf("once more: got %d, %v; want 0, eof", n, s)
				}
			})
		}
	}
}

// pumpEdited pumps until the end and checks what the contract says of the results.
func pumpEdited(t *testing.T, p *Pool, e *Edited, editor *counted, src *fakeSource, dst *fakeSink, budget int) {
	t.Helper()
	for range 1 << 20 {
		before := len(dst.got)
		n, s := e.Pump(p, src, dst, budget)
		if got := len(dst.got) - before; n != got {
			t.Fatalf("Pump says %d bytes, the sink got %d", n, got)
		}
		switch s {
		case Again:
		case NeedRead:
			if src.last != ErrAgain || e.Relay.Held() != 0 || dst.stuck {
				t.Fatalf("need read: source said %v, held %d, stuck %v", src.last, e.Relay.Held(), dst.stuck)
			}
		case NeedWrite:
			if dst.last != ErrAgain {
				t.Fatalf("need write: the sink said %v", dst.last)
			}
		case Paused:
			if !editor.paused {
				t.Fatal("paused without a reason")
			}
			editor.paused = false
		case EOF:
			if e.Held() != 0 || p.Counters().Buffers != 0 {
				t.Fatalf("%d bytes held, %d buffers at the end", e.Held(), p.Counters().Buffers)
			}
			return
		default:
			t.Fatal(s)
		}
	}
	t.Fatal("does not end")
}

func TestEditedFails(t *testing.T) {
	p := newPool(t, 0)
	src, dst := &fakeSource{t: t, data: []byte("3:abc12"), final: errBroken}, &fakeSink{}
	e := &Edited{Relay: new(Relay), Editor: &counted{}}
	for s := Again; s != SourceFailed; {
		if _, s = e.Pump(p, src, dst, 1<<20); s != Again && s != SourceFailed {
			t.Fatal(s)
		}
	}
	mustEqual(t, dst.got, []byte("[3]abc12"))

	src, dst = &fakeSource{t: t, data: []byte("3:abc12")}, &fakeSink{script: []int{2}, fail: errBroken}
	e = &Edited{Relay: new(Relay), Editor: &counted{}}
	if n, s := e.Pump(p, src, dst, 1<<20); n != 2 || s != NeedWrite {
		t.Fatalf("got %d, %v; want 2, need write", n, s)
	}
	if _, s := e.Pump(p, src, dst, 1<<20); s != SinkFailed {
		t.Fatalf("got %v, want sink failed", s)
	}
	e.Close(p)
	if e.Held() != 0 || p.Counters().Buffers != 0 {
		t.Errorf("closed: %d bytes held, %d buffers", e.Held(), p.Counters().Buffers)
	}
}

// A limit is kept to the byte, by copying and by splicing.
func TestPumpUpTo(t *testing.T) {
	for _, m := range []mode{copying, splicing} {
		t.Run(m.String(), func(t *testing.T) {
			p := newPool(t, 2)
			a, left := tcpPair(t)
			b, right := tcpPair(t)
			want := noise(300<<10, 1)
			go a.Write(want)
			got := make(chan []byte, 1)
			const limit = 200<<10 + 1
			go func() {
				all := make([]byte, limit+1)
				n := 0
				for n < limit {
					k, err := b.Read(all[n:])
					if err != nil {
						break
					}
					n += k
				}
				got <- all[:n]
			}()
			r, sum := Relay{mode: m}, int64(0)
			for sum < limit || r.Held() > 0 {
				_, read, s := r.PumpUpTo(p, &left, &right, 64<<10, limit-sum)
				sum += read
				switch s {
				case NeedRead:
					wait(t, pollIn(left), int(patience.Milliseconds()))
				case Again, NeedWrite:
				default:
					t.Fatal(s)
				}
			}
			mustEqual(t, <-got, want[:limit])
			if n, read, s := r.PumpUpTo(p, &left, &right, 64<<10, 0); n != 0 || read != 0 || s != Again {
				t.Errorf("no limit left: got %d, %d, %v; want 0, 0, again", n, read, s)
			}
			r.Close(p)
		})
	}
}
