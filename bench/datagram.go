//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagrams are carried by a loop over epoll at the client's side, a socket per client, one question in flight on each, and by
// recvmmsg and sendmmsg at the origin's, which sends back what it gets.

const (
	datagramBatch = 64
	datagramRoom  = 2 * kilobyte
	datagramQueue = megabyte    // of the origin, as far as the system lets it; the usual one overflows when 512 clients start
	answerTimeout = time.Second // then a question is lost; it counts as a failure, and the client asks again
	firstAskers   = 64          // clients that begin at once; each answer lets another one begin, as a burst of all would fill a proxy's queue
)

// serveDatagrams is the origin of datagrams. It does not return before it fails.
func (r *originRole) serveDatagrams() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, datagramQueue); err != nil {
		return fmt.Errorf("receive queue: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	fmt.Println(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(at.(*unix.SockaddrInet4).Port)))
	var (
		heads [datagramBatch]unix.Mmsghdr
		vecs  [datagramBatch]unix.Iovec
		names [datagramBatch]unix.RawSockaddrInet4
		room  [datagramBatch][datagramRoom]byte
	)
	for {
		for i := range heads {
			vecs[i] = unix.Iovec{Base: &room[i][0], Len: datagramRoom}
			heads[i].Hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&names[i])), Namelen: unix.SizeofSockaddrInet4, Iov: &vecs[i], Iovlen: 1}
		}
		n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&heads)), datagramBatch, unix.MSG_WAITFORONE, 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return fmt.Errorf("recvmmsg: %w", e)
		}
		for i := range heads[:n] {
			vecs[i].SetLen(int(heads[i].Len))
		}
		for sent := uintptr(0); sent < n; {
			k, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&heads[sent])), n-sent, 0, 0, 0)
			if e != 0 {
				k = 1 // that client's loss
			}
			sent += k
		}
	}
}

// asker is a number of clients that ask again as soon as they are answered. It belongs to one goroutine.
type asker struct {
	load   *load
	to     unix.SockaddrInet4
	epoll  int
	text   []byte
	room   []byte
	asked  map[int32]question // by descriptor
	still  int                // clients that begin later
	moment time.Time          // when losses were looked for last
}

// question is what a client waits for an answer to.
type question struct {
	first time.Time // when it was asked: latency counts from there, so that a loss costs what it costs the client
	last  time.Time // when it was asked again
}

// askers starts the clients and keeps them going to the end of the process.
func (l *load) askers() error {
	a, err := newAsker(l)
	if err != nil {
		return err
	}
	for range l.Conns - a.still {
		if err := a.begin(); err != nil {
			return err
		}
	}
	go a.loop()
	return nil
}

func newAsker(l *load) (*asker, error) {
	to, err := netip.ParseAddrPort(l.Address)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &asker{load: l, to: unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, epoll: epoll,
		text: make([]byte, l.Origin.Size), room: make([]byte, datagramRoom), asked: map[int32]question{}, still: max(l.Conns-firstAskers, 0), moment: time.Now()}, nil
}

// begin makes a client and asks its first question.
func (a *asker) begin() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, &a.to); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	now := time.Now()
	return a.ask(int32(fd), question{now, now})
}

func (a *asker) ask(fd int32, q question) error {
	a.asked[fd] = q
	if _, err := unix.Write(int(fd), a.text); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// loop serves the clients.
func (a *asker) loop() {
	events := make([]unix.EpollEvent, a.load.Conns)
	for {
		n, err := unix.EpollWait(a.epoll, events, int(answerTimeout/time.Millisecond/10))
		if err != nil && err != unix.EINTR {
			a.load.failed(fmt.Errorf("epoll: %w", err))
			return
		}
		for _, event := range events[:max(n, 0)] {
			if err := a.answered(event.Fd); err != nil {
				a.load.failed(err)
			}
		}
		a.lost()
	}
}

// answered takes an answer and asks again: on the same socket, or as a new client.
func (a *asker) answered(fd int32) error {
	n, err := unix.Read(int(fd), a.room)
	if err == unix.EAGAIN || err == unix.ECONNREFUSED {
		return nil // lost finds it
	}
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if n != len(a.text) {
		return fmt.Errorf("an answer of %d bytes, not %d", n, len(a.text))
	}
	now := a.load.replied(a.asked[fd].first)
	if a.still > 0 {
		a.still--
		if err := a.begin(); err != nil {
			return err
		}
	}
	if a.load.Does == askOnce {
		delete(a.asked, fd)
		unix.Close(int(fd))
		return a.begin()
	}
	return a.ask(fd, question{now, now})
}

// lost counts questions that are not answered and asks them again.
func (a *asker) lost() {
	now := time.Now()
	if now.Sub(a.moment) < answerTimeout/10 {
		return
	}
	a.moment = now
	for fd, q := range a.asked {
		if now.Sub(q.last) < answerTimeout {
			continue
		}
		a.load.failed(errors.New("no answer"))
		if err := a.ask(fd, question{q.first, now}); err != nil {
			a.load.failed(err)
		}
	}
}

// answers tells by its error whether somebody answers datagrams at address.
func answers(address string) error {
	c, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("ready?")); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(startPoll))
	_, err = c.Read(make([]byte, datagramRoom))
	return err
}
