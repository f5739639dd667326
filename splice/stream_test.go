package splice

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// peer writes size bytes in pieces of random length, while it reads until the other side ends.
type peer struct {
	conn net.Conn
	out  []byte
	rng  *rand.Rand
	slow bool // small pieces only, both ways

	got     uint32 // checksum
	gotSize int
	err     error
}

func (c *peer) run(done chan<- *peer) {
	sent := make(chan error, 1)
	rng := rand.New(rand.NewPCG(c.rng.Uint64(), 1))
	go func() { sent <- c.write(rng) }()
	c.err = c.read()
	c.err = errors.Join(c.err, <-sent)
	done <- c
}

// piece is small at times and bulk at others, so that a flow has reason to change its mode.
func (c *peer) piece(rng *rand.Rand) int {
	if c.slow || rng.IntN(2) == 0 {
		return 1 + rng.IntN(8<<10)
	}
	return 1 + rng.IntN(2<<20)
}

func (c *peer) write(rng *rand.Rand) error {
	for rest := c.out; len(rest) > 0; {
		n, err := c.conn.Write(rest[:min(c.piece(rng), len(rest))])
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return c.conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *peer) read() error {
	buf := make([]byte, 256<<10)
	for {
		n, err := c.conn.Read(buf[:min(c.piece(c.rng), len(buf))])
		c.got = crc32.Update(c.got, crc32.IEEETable, buf[:n])
		c.gotSize += n
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func TestStreams(t *testing.T) {
	tests := []struct {
		name     string
		sizes    [2]int // bytes from each side
		narrow   bool
		slow     bool
		maxPipes int
		shake    bool
	}{
		{name: "nothing", maxPipes: 4},
		{name: "a byte one way", sizes: [2]int{1, 0}, maxPipes: 4},
		{name: "copy", sizes: [2]int{24 << 20, 5<<20 + 3}},
		{name: "as it comes", sizes: [2]int{24 << 20, 9<<20 + 1}, maxPipes: 4},
		{name: "copy, narrow", sizes: [2]int{4 << 20, 2<<20 + 7}, narrow: true},
		{name: "copy, slow", sizes: [2]int{3 << 20, 1 << 20}, slow: true, narrow: true},
		{name: "changing modes", sizes: [2]int{24 << 20, 24<<20 - 1}, maxPipes: 4, shake: true},
		{name: "changing modes, narrow", sizes: [2]int{4 << 20, 2<<20 + 7}, maxPipes: 4, shake: true, narrow: true},
		{name: "changing modes, one pipe", sizes: [2]int{4 << 20, 4 << 20}, maxPipes: 1, shake: true, narrow: true},
	}
	for _, up := range setUps {
		for _, down := range setUps {
			for i, tt := range tests {
				t.Run(up.name+" to "+down.name+"/"+tt.name, func(t *testing.T) {
					p := newPool(t, tt.maxPipes)
					a, left := up.make(t)
					b, right := down.make(t)
					if tt.narrow {
						narrow(t, a, left)
						narrow(t, b, right)
					}
					peers := [2]*peer{{conn: a, slow: tt.slow}, {conn: b, slow: tt.slow}}
					done := make(chan *peer, 2)
					for j, c := range peers {
						c.rng = rand.New(rand.NewPCG(uint64(i), uint64(j)))
						c.out = noise(tt.sizes[j], uint64(j))
						go c.run(done)
					}
					dirs := [2]*direction{{src: &left, dst: &right}, {src: &right, dst: &left}}
					if tt.shake {
						dirs[0].shake, dirs[1].shake = rand.New(rand.NewPCG(3, 0)), rand.New(rand.NewPCG(3, 1))
					}
					relay(t, p, dirs[:]...)
					for range peers {
						if c := <-done; c.err != nil {
							t.Error(c.err)
						}
					}
					for j, c := range peers {
						d := dirs[1-j]
						if want := peers[1-j].out; c.gotSize != len(want) || d.sum != len(want) || c.got != crc32.ChecksumIEEE(want) {
							t.Errorf("side %d got %d bytes with sum %08x, flow says %d; want %d with %08x",
								j, c.gotSize, c.got, d.sum, len(want), crc32.ChecksumIEEE(want))
						}
						if d.status != EOF {
							t.Errorf("side %d: %v, want eof", j, d.status)
						}
						d.Close(p)
					}
					checkModes(t, p, tt.sizes[0]+tt.sizes[1], tt.maxPipes, tt.shake)
				})
			}
		}
	}
}

// checkModes makes sure that a test has tested what it says.
func checkModes(t *testing.T, p *Pool, size, maxPipes int, shaken bool) {
	t.Helper()
	c := p.Counters()
	if c.Copied+c.Spliced != int64(size) {
		t.Errorf("%d copied + %d spliced, want %d", c.Copied, c.Spliced, size)
	}
	if (maxPipes == 0 || !canSplice) && c.Spliced != 0 {
		t.Errorf("%d bytes spliced, want none", c.Spliced)
	}
	if shaken && canSplice && (c.Copied == 0 || c.Spliced == 0) {
		t.Errorf("%d bytes copied, %d spliced: one of the ways was not tested", c.Copied, c.Spliced)
	}
	if c.Pipes > maxPipes || c.Buffers != 0 {
		t.Errorf("%d pipes open of %d, %d buffers out; want no buffer", c.Pipes, maxPipes, c.Buffers)
	}
}

// The peer has sent everything and its end, and the sink has no room: nothing of it may be lost, and EOF comes last.
func TestEndWhileBlocked(t *testing.T) {
	for _, up := range setUps {
		for _, m := range []mode{copying, splicing} {
			for _, hangup := range []bool{false, true} {
				t.Run(up.name+"/"+m.String(), func(t *testing.T) {
					if m == splicing && !canSplice {
						t.Skip("no splice here")
					}
					p := newPool(t, 1)
					a, left := up.make(t)
					b, right := up.make(t)
					narrow(t, b, right)
					want := noise(100<<10, 8)
					writeAll(t, a, want)
					a.Close()
					left.Hangup = hangup
					d := direction{src: &left, dst: &right}
					for d.status == Again || d.status == NeedRead {
						d.mode = m
						d.pump(t, p)
						if d.status == NeedRead {
							wait(t, pollIn(left), int(patience.Milliseconds()))
						}
					}
					if d.status != NeedWrite || d.Held() == 0 {
						t.Fatalf("%v with %d held, want need write", d.status, d.Held())
					}
					got := make(chan []byte, 1)
					go func() {
						all, _ := io.ReadAll(b)
						got <- all
					}()
					relay(t, p, &d)
					mustEqual(t, <-got, want)
					if d.status != EOF {
						t.Errorf("%v, want eof", d.status)
					}
				})
			}
		}
	}
}

// writeAll writes b to the outer end, whose inner end takes it all into its buffer or is read meanwhile.
func writeAll(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// A reset in the middle: what was read before goes out, then the failure shows.
func TestReset(t *testing.T) {
	for _, m := range []mode{copying, splicing} {
		t.Run(m.String(), func(t *testing.T) {
			if m == splicing && !canSplice {
				t.Skip("no splice here")
			}
			p := newPool(t, 1)
			a, left := tcpPair(t)
			b, right := tcpPair(t)
			narrow(t, b, right)
			want := noise(256<<10, 9)
			writeAll(t, a, want[:100<<10])
			d := direction{src: &left, dst: &right}
			for d.status == Again || d.status == NeedRead {
				d.mode = m
				d.pump(t, p)
			}
			held := d.Held()
			if d.status != NeedWrite || held == 0 {
				t.Fatalf("%v with %d held, want need write", d.status, held)
			}
			a.(*net.TCPConn).SetLinger(0)
			a.Close()
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(b)
				got <- all
			}()
			relay(t, p, &d)
			if d.status != SourceFailed || d.Held() != 0 {
				t.Errorf("%v with %d held, want source failed with 0", d.status, d.Held())
			}
			b.(*net.TCPConn).SetReadDeadline(past)
			if all := <-got; len(all) > d.sum || !bytes.HasPrefix(want, all) {
				t.Errorf("peer has %d bytes that are no prefix of what was sent (flow says %d)", len(all), d.sum)
			}
		})
	}
}

func TestSinkGone(t *testing.T) {
	for _, up := range setUps {
		for _, m := range []mode{copying, splicing} {
			t.Run(up.name+"/"+m.String(), func(t *testing.T) {
				if m == splicing && !canSplice {
					t.Skip("no splice here")
				}
				p := newPool(t, 1)
				a, left := up.make(t)
				b, right := up.make(t)
				narrow(t, b, right)
				go io.Copy(a, endless{})
				d := direction{src: &left, dst: &right}
				for d.status == Again || d.status == NeedRead {
					d.mode = m
					d.pump(t, p)
				}
				if tc, ok := b.(*net.TCPConn); ok {
					tc.SetLinger(0)
				}
				b.Close()
				relay(t, p, &d)
				if d.status != SinkFailed || d.Held() == 0 {
					t.Errorf("%v with %d held, want sink failed with what could not be sent", d.status, d.Held())
				}
				d.Close(p)
				if c := p.Counters(); c.Buffers != 0 || c.Pipes != p.idlePipes || d.Held() != 0 {
					t.Errorf("after Close: %d buffers, %d pipes, %d held; want 0, %d that are free (one with bytes is destroyed), 0",
						c.Buffers, c.Pipes, d.Held(), p.idlePipes)
				}
			})
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSocketRead(t *testing.T) {
	const text = "0123456789"
	tests := []struct {
		name   string
		sent   string
		ended  bool
		hangup bool
		size   int
		want   string
		err    error
	}{
		{"nothing", "", false, false, 5, "", ErrAgain},
		{"part", text, false, false, 5, "01234", nil},
		{"exactly all", text, false, false, 10, text, nil},
		{"short", text, false, false, 11, text, ErrAgain},
		{"short, ended unseen", text, true, false, 11, text, ErrAgain},
		{"short, ended", text, true, true, 11, text, io.EOF},
		{"exactly all, ended", text, true, true, 10, text, nil},
		{"ended", "", true, false, 5, "", io.EOF},
		{"ended, seen", "", true, true, 5, "", io.EOF},
		{"empty p", text, false, false, 0, "", nil},
	}
	for _, up := range setUps {
		for _, tt := range tests {
			t.Run(up.name+"/"+tt.name, func(t *testing.T) {
				outer, s := up.make(t)
				io.Copy(outer, strings.NewReader(tt.sent))
				if tt.ended {
					outer.Close()
				}
				if tt.sent != "" || tt.ended {
					wait(t, pollIn(s), int(patience.Milliseconds()))
				}
				s.Hangup = tt.hangup
				p := make([]byte, tt.size)
				n, err := s.Read(p)
				if got := string(p[:n]); got != tt.want || err != tt.err {
					t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
			})
		}
	}
}

func TestSocketWrite(t *testing.T) {
	for _, up := range setUps {
		t.Run(up.name, func(t *testing.T) {
			outer, s := up.make(t)
			narrow(t, outer, s)
			if n, err := s.Write(nil); n != 0 || err != nil {
				t.Errorf("nothing: %d, %v", n, err)
			}
			if n, err := s.Write([]byte("abc")); n != 3 || err != nil {
				t.Errorf("abc: %d, %v; want 3, nil", n, err)
			}
			n, err := s.Write(make([]byte, 16<<20))
			if n <= 0 || n >= 16<<20 || err != ErrAgain {
				t.Errorf("too much: %d, %v; want a part, ErrAgain", n, err)
			}
			if n, err := s.Write([]byte("x")); up.name == "unix" && (n != 0 || err != ErrAgain) {
				t.Errorf("full: %d, %v; want 0, ErrAgain", n, err)
			}
			if tc, ok := outer.(*net.TCPConn); ok {
				tc.SetLinger(0)
			}
			outer.Close()
			wait(t, pollIn(s), int(patience.Milliseconds()))
			if n, err := s.Write([]byte("x")); n != 0 || err == nil || err == ErrAgain {
				t.Errorf("peer gone: %d, %v; want 0 and a final error", n, err)
			}
		})
	}
}
