//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A connection per request is carried by a loop of our own over epoll: netpoll's dialer needs 16 system calls and a
// goroutine for what takes 8 here, and was the bottleneck.
//
// Each connection lives like this; all that goes wrong on the way counts as a failure:
//
//	connect ─► writable: send the request ─► readable: count down the reply ─► end of file: record, close, connect

// connector keeps a number of connections in flight. It belongs to one goroutine.
type connector struct {
	load    *load
	address unix.SockaddrInet4
	epoll   int
	open    map[int32]*attempt // by descriptor
	buffer  []byte
	spare   []*attempt
}

// attempt is one connection on its way.
type attempt struct {
	start time.Time
	asked bool
	left  int // bytes of the reply that have not come yet
}

var (
	errEarlyEnd = errors.New("the connection ended before the reply did")
	errTooMuch  = errors.New("more came than the reply")
)

// connectors starts a connector with all connections and keeps it going to the end of the process.
func (l *load) connectors() error {
	c, err := newConnector(l)
	if err != nil {
		return err
	}
	for range l.Conns {
		if err := c.connect(); err != nil {
			return err
		}
	}
	go c.loop()
	return nil
}

func newConnector(l *load) (*connector, error) {
	to, err := netip.ParseAddrPort(l.Address)
	if err != nil {
		return nil, err
	}
	if !to.Addr().Is4() {
		return nil, fmt.Errorf("%s: an IPv4 address expected", l.Address)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &connector{load: l, address: unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, epoll: epoll,
		open: make(map[int32]*attempt), buffer: make([]byte, bulkReply)}, nil
}

// loop serves the connections. When even connecting fails there is nothing left to measure, and it ends.
func (c *connector) loop() {
	events := make([]unix.EpollEvent, max(c.load.Conns, 1))
	for {
		n, err := unix.EpollWait(c.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			c.load.failed(fmt.Errorf("epoll: %w", err))
			return
		}
		for _, event := range events[:max(n, 0)] {
			done, err := c.advance(event.Fd)
			if err != nil {
				c.load.failed(err)
			}
			if !done {
				continue
			}
			c.close(event.Fd)
			if err := c.connect(); err != nil {
				c.load.failed(err)
				return
			}
		}
	}
}

// connect begins a new connection.
func (c *connector) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	a := c.fresh()
	*a = attempt{start: time.Now(), left: c.load.Origin.Size}
	if err := unix.Connect(fd, &c.address); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return fmt.Errorf("epoll: %w", err)
	}
	c.open[int32(fd)] = a
	return nil
}

// fresh returns an attempt to be filled in, a used one if there is one.
func (c *connector) fresh() *attempt {
	if n := len(c.spare); n > 0 {
		a := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return a
	}
	return new(attempt)
}

// close gives a connection back.
func (c *connector) close(fd int32) {
	unix.Close(int(fd))
	c.spare = append(c.spare, c.open[fd])
	delete(c.open, fd)
}

// advance does what can be done on a connection now and tells if it is over. A refused connection shows here, too.
func (c *connector) advance(fd int32) (done bool, err error) {
	a := c.open[fd]
	if !a.asked {
		switch _, err := unix.Write(int(fd), []byte(requestText)); err {
		case nil:
			a.asked = true
		case unix.EAGAIN:
			return false, nil
		default:
			return true, fmt.Errorf("send: %w", err)
		}
	}
	for {
		n, err := unix.Read(int(fd), c.buffer)
		switch {
		case err == unix.EAGAIN:
			return false, nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return true, fmt.Errorf("receive: %w", err)
		case n == 0 && a.left > 0:
			return true, errEarlyEnd
		case n == 0:
			c.load.replied(a.start)
			return true, nil
		}
		if a.left -= n; a.left < 0 {
			return true, errTooMuch
		}
	}
}
