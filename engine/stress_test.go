package engine

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pen/conf"
)

// Many transfers at once, both ways, over sockets with small buffers, by peers that dawdle at random: nothing stalls,
// and every byte arrives in order.
func TestStress(t *testing.T) {
	const sessions, size = 16, 4 << 20
	for _, server := range []string{"tcp", "unix"} {
		t.Run(server, func(t *testing.T) {
			sums := make(chan uint32, sessions)
			var peers atomic.Uint64 // each behaves in its own way
			peer := func(c net.Conn) (sum uint32, err error) {
				n := peers.Add(1)
				narrow(c, rand.New(rand.NewPCG(n, 3)))
				sent := make(chan error, 1)
				go func() { sent <- push(c, n, size) }()
				sum, err = pull(c, n)
				if e := <-sent; err == nil {
					err = e
				}
				return sum, err
			}
			at := stressServer(t, server, func(c net.Conn) {
				sum, err := peer(c)
				if err != nil {
					t.Errorf("server: %v", err)
				}
				sums <- sum
			})
			e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{at} })
			want, _ := pull(io.LimitReader(rand.NewChaCha8(content), size), 0)
			var clients sync.WaitGroup
			for range sessions {
				clients.Go(func() {
					c := dial(t, e)
					c.SetDeadline(time.Now().Add(6 * patient))
					if sum, err := peer(c); err != nil || sum != want {
						t.Errorf("client: got checksum %x, %v, want %x", sum, err, want)
					}
				})
			}
			clients.Wait()
			for range sessions {
				if sum := <-sums; sum != want {
					t.Errorf("server: got checksum %x, want %x", sum, want)
				}
			}
		})
	}
}

// content is the seed of what everybody sends.
var content = [32]byte{7}

// narrow gives a connection small buffers, some of them. Smaller ones than a few segments of the loopback interface
// (64 KB each) would make the kernels wait for each other's timers.
func narrow(c net.Conn, r *rand.Rand) {
	if b, ok := c.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok && r.IntN(2) == 0 {
		b.SetReadBuffer(256 << 10 << r.IntN(3))
		b.SetWriteBuffer(256 << 10 << r.IntN(3))
	}
}

// push sends size bytes in chunks of all sizes, with rests, and half-closes.
func push(c net.Conn, peer uint64, size int) error {
	r, data := rand.New(rand.NewPCG(peer, 1)), rand.NewChaCha8(content)
	b := make([]byte, 1<<20)
	for size > 0 {
		n := min(size, 1+r.IntN(1<<r.IntN(21)))
		data.Read(b[:n])
		if _, err := c.Write(b[:n]); err != nil {
			return fmt.Errorf("push: %w", err)
		}
		size -= n
		if r.IntN(50) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return c.(interface{ CloseWrite() error }).CloseWrite()
}

// pull takes everything, likewise, and returns its checksum.
func pull(c io.Reader, peer uint64) (sum uint32, err error) {
	r := rand.New(rand.NewPCG(peer, 2))
	b := make([]byte, 1<<20)
	for {
		n, err := c.Read(b[:1+r.IntN(1<<r.IntN(21))])
		sum = crc32.Update(sum, crc32.IEEETable, b[:n])
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, fmt.Errorf("pull: %w", err)
		}
		if peer != 0 && r.IntN(50) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// stressServer listens on TCP or a Unix socket.
func stressServer(t *testing.T, network string, f func(net.Conn)) conf.Server {
	if network == "tcp" {
		return backend(t, func(c *net.TCPConn) { f(c) })
	}
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return conf.Server{Address: path}
}
