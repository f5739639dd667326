//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// requestText is what clients send. It is HTTP so that proxies which look into it have something to see.
const requestText = "GET /bench HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\n\r\n"

var (
	headEnd      = []byte("\r\n\r\n")
	forwardedFor = []byte("\nx-forwarded-for:")
)

// requestOf returns a request of so many bytes, at least the usual ones.
func requestOf(size int) []byte {
	const padding, end = "X-Padding: ", "\r\n"
	if size <= len(requestText) {
		return []byte(requestText)
	}
	line := padding + strings.Repeat("x", max(0, size-len(requestText)-len(padding)-len(end))) + end
	return []byte(strings.TrimSuffix(requestText, end) + line + end)
}

// replyText returns a reply of size bytes, head and body together; at least its head. The length has a fixed width.
func replyText(size int) []byte {
	const format = "HTTP/1.1 200 OK\r\nContent-Length: %010d\r\n\r\n"
	body := max(0, size-len(fmt.Sprintf(format, 0)))
	return append(fmt.Appendf(nil, format, body), bytes.Repeat([]byte{'x'}, body)...)
}

// heads returns how many requests have arrived in full, how many bytes they are, and whether each was forwarded for.
func heads(in []byte) (n, length int, forwarded bool) {
	for {
		end := bytes.Index(in[length:], headEnd)
		if end < 0 {
			return n, length, n > 0 && bytes.Count(bytes.ToLower(in[:length]), forwardedFor) == n
		}
		n, length = n+1, length+end+len(headEnd)
	}
}

// serve is the origin. It does not return before it fails.
func (r *originRole) serve() error {
	if r.Does == mirror {
		return r.serveDatagrams()
	}
	if r.bulk() || r.Certificate != (certificate{}) {
		return r.serveBulk()
	}
	onPoller()
	listener, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	text := replyText(r.Size)
	loop, err := netpoll.NewEventLoop(func(ctx context.Context, c netpoll.Connection) error {
		return r.answer(c, ctx.Value(partKey{}).(*part), text)
	}, netpoll.WithOnPrepare(func(netpoll.Connection) context.Context {
		return context.WithValue(context.Background(), partKey{}, new(part))
	}))
	if err != nil {
		return err
	}
	announce(listener)
	return loop.Serve(listener)
}

// part is the beginning of a request whose end has not arrived; nearly always empty.
type part struct{ bytes []byte }

type partKey struct{}

// onPoller makes netpoll call our handlers on its poller instead of on a goroutine each: half the cost of a request.
// They must not block, and take all bytes each time, or netpoll calls them again at once and for ever.
func onPoller() {
	netpoll.Configure(netpoll.Config{PollerNum: 1, Runner: func(_ context.Context, f func()) { f() }})
}

// announce tells the parent where we listen.
func announce(l net.Listener) { fmt.Println(l.Addr()) }

// bulk tells if replies are too large to be handed to a socket without waiting.
func (o Origin) bulk() bool { return o.Does == stream || o.Does == sink || o.Size >= bulkReply }

// answer answers the requests that have arrived.
func (r *originRole) answer(c netpoll.Connection, p *part, text []byte) error {
	in := c.Reader()
	seen, err := in.Next(in.Len())
	if err != nil {
		return err
	}
	if len(p.bytes) > 0 {
		p.bytes = append(p.bytes, seen...)
		seen = p.bytes
	}
	n, length, forwarded := heads(seen)
	p.bytes = append(p.bytes[:0], seen[length:]...)
	if err := in.Release(); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if r.Forwarded && !forwarded {
		return hangUp(c, unix.SHUT_RDWR)
	}
	for range n {
		if _, err := c.Writer().WriteBinary(text); err != nil {
			return err
		}
	}
	if err := c.Writer().Flush(); err != nil {
		return err
	}
	if r.Does == replyClose {
		return hangUp(c, unix.SHUT_WR)
	}
	return nil
}

// hangUp ends a connection from within a handler on the poller. Close would wait for the poller there, which is us, for
// ever; so we end the socket, and the poller closes the connection as soon as the other side has ended it too.
func hangUp(c netpoll.Connection, how int) error {
	return unix.Shutdown(c.(netpoll.Conn).Fd(), how)
}
