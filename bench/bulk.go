//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bulk is carried by a goroutine per connection that blocks: there are few connections. The receiving side has the
// kernel throw the bytes away (MSG_TRUNC, tcp(7)) so that it costs no copy. Both together make the load side some two
// times as fast as netpoll is with large replies, which would be the bottleneck.

const (
	streamChunk = 256 * kilobyte // bytes written at once to an endless stream
	drainChunk  = megabyte       // bytes thrown away at once at most
)

// drain takes bytes from a connection and throws them away.
type drain struct {
	raw     syscall.RawConn
	buffer  []byte // never written to: the kernel wants a length and an address
	counted *atomic.Int64
	n       int
	err     error
	once    func(fd uintptr) bool
}

func newDrain(c *net.TCPConn, counted *atomic.Int64) (*drain, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &drain{raw: raw, buffer: make([]byte, drainChunk), counted: counted}
	d.once = func(fd uintptr) bool {
		d.n, _, d.err = unix.Recvfrom(int(fd), d.buffer, unix.MSG_TRUNC)
		return d.err != unix.EAGAIN
	}
	return d, nil
}

// take throws away want bytes, or all until the end if want is below 0. The end before that is io.ErrUnexpectedEOF,
// and io.EOF if not a single byte came.
func (d *drain) take(want int) error {
	whole := d.buffer
	defer func() { d.buffer = whole }()
	for left := want; left != 0; {
		if d.buffer = whole; want >= 0 {
			d.buffer = whole[:min(left, len(whole))]
		}
		if err := d.raw.Read(d.once); err != nil {
			return err
		}
		switch {
		case d.err == unix.EINTR:
			continue
		case d.err != nil:
			return d.err
		case d.n == 0 && left == want:
			return io.EOF
		case d.n == 0:
			return io.ErrUnexpectedEOF
		}
		d.counted.Add(int64(d.n))
		if want >= 0 {
			left -= d.n
		}
	}
	return nil
}

// serveBulk is the origin of large replies and endless streams.
func (r *originRole) serveBulk() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announce(listener)
	size := r.Size
	if r.Does == stream {
		size = streamChunk
	}
	text := replyText(size)
	if listener, err = r.secured(listener); err != nil {
		return err
	}
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go r.carry(c, text)
	}
}

// secured makes the origin speak TLS if it has a certificate: then it stands in for a proxy.
func (r *originRole) secured(l net.Listener) (net.Listener, error) {
	if r.Certificate == (certificate{}) {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(r.Certificate.Cert, r.Certificate.Key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}), nil
}

// carry serves one connection until it ends; how it ends is the client's business.
func (r *originRole) carry(c net.Conn, text []byte) {
	defer c.Close()
	if r.Does == sink {
		swallow(c)
		return
	}
	in := make([]byte, 0, kilobyte)
	for {
		n, err := c.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		requests, length, _ := heads(in)
		for requests > 0 {
			if _, err := c.Write(text); err != nil {
				return
			}
			if r.Does == replyClose {
				return
			}
			if r.Does != stream {
				requests--
			}
		}
		in = append(in[:0], in[length:]...)
		if len(in) == cap(in) {
			if len(in) >= maxRequest {
				return
			}
			in = slices.Grow(in, len(in))
		}
	}
}

const maxRequest = 256 * kilobyte // bytes

// swallow reads without end.
func swallow(c net.Conn) {
	tcp, plain := c.(*net.TCPConn)
	if !plain {
		io.Copy(io.Discard, c)
		return
	}
	if d, err := newDrain(tcp, new(atomic.Int64)); err == nil {
		d.take(-1)
	}
}

// bulk starts the flows of a load client on large replies or endless streams.
func (l *load) bulk() error {
	for range l.Conns {
		c, err := net.DialTimeout("tcp", l.Address, dialTimeout)
		if err != nil {
			return err
		}
		go func() { l.failed(l.flow()(c.(*net.TCPConn))) }()
	}
	return nil
}

// flow is what one connection of bulk does.
func (l *load) flow() func(*net.TCPConn) error {
	switch {
	case l.Key != noKey && l.Does == upload:
		return l.send
	case l.Key != noKey:
		return l.receive
	case l.Does == upload:
		return func(c *net.TCPConn) error {
			defer c.Close()
			return l.push(c)
		}
	}
	return l.transfer
}

// transfer asks and throws away the reply, again and again; an endless one just once.
func (l *load) transfer(c *net.TCPConn) error {
	defer c.Close()
	d, err := newDrain(c, &l.bytes)
	if err != nil {
		return err
	}
	for {
		start := time.Now()
		if _, err := c.Write([]byte(requestText)); err != nil {
			return err
		}
		want := l.Origin.Size
		if l.Does == download {
			want = -1
		}
		if err := d.take(want); err != nil {
			return err
		}
		l.replied(start)
	}
}

// push writes without end.
func (l *load) push(c io.Writer) error {
	chunk := make([]byte, streamChunk)
	for {
		n, err := c.Write(chunk)
		l.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
}
