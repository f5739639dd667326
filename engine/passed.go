package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"pen/conf"
)

// Passed are the sockets that were opened for pen by who started it, as systemd does it (sd_listen_fds(3)). Whoever is
// to listen on the address of one takes a duplicate of it instead of opening a socket. They themselves stay open as long
// as pen runs, so that a service may leave an address and come back to it. After the start they belong to the control
// goroutine.
type Passed []*passedSocket

// passedSocket is one of them.
type passedSocket struct {
	file      *os.File // its name is the one that it was given
	addr      *address
	datagrams bool
	used      bool // somebody has taken it once
}

// Pass takes over descriptors that were passed.
func Pass(files []*os.File) (Passed, error) {
	var p Passed
	for _, f := range files {
		s, err := pass(f)
		if err != nil {
			return nil, fmt.Errorf("the socket '%s' that was passed: %w", f.Name(), err)
		}
		p = append(p, s)
	}
	return p, nil
}

func pass(f *os.File) (*passedSocket, error) {
	fd := int(f.Fd())
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err == unix.ENOTSOCK {
		return nil, errors.New("expected a socket")
	}
	if err != nil {
		return nil, err
	}
	if kind != unix.SOCK_STREAM && kind != unix.SOCK_DGRAM {
		return nil, errors.New("expected a socket of streams or of datagrams")
	}
	a, err := localAddress(fd)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // also for all duplicates
		return nil, err
	}
	return &passedSocket{file: f, addr: a, datagrams: kind == unix.SOCK_DGRAM}, nil
}

// Name gives each service of s that is not said to listen anywhere the address of the socket that bears its name, so
// that a socket unit alone may say where.
func (p Passed) Name(s *conf.Settings) {
	for _, v := range s.Services {
		for _, sock := range p {
			if v.Listen == "" && sock.file.Name() == v.Name && sock.datagrams == v.UDP {
				v.Listen = sock.addr.String()
			}
		}
	}
}

// find returns the sockets on an address: on exactly this one, or else, as systemd takes a bare port for both families
// and pen for IPv4, those on all addresses of the other family.
func (p Passed) find(a *address, datagrams bool) []*passedSocket {
	on := func(same func(*address) bool) (found []*passedSocket) {
		for _, s := range p {
			if s.datagrams == datagrams && same(s.addr) {
				found = append(found, s)
			}
		}
		return found
	}
	if exact := on(func(b *address) bool { return a.String() == b.String() }); exact != nil || !a.wildcard() {
		return exact
	}
	return on(func(b *address) bool { return b.wildcard() && a.ip.Port() == b.ip.Port() })
}

// open makes the sockets of a service out of passed ones: one for each of n reactors, which share them if there are fewer;
// with datagrams one goes to the reactor of the number only, and -1 to those that get none.
func (p Passed) open(a *address, datagrams bool, n, only, backlog int) ([]int, error) {
	found := p.find(a, datagrams)
	if len(found) > n {
		return nil, fmt.Errorf("%d sockets on %s were passed: expected no more than there are reactors, %d, or clients of the others would wait forever", len(found), a, n)
	}
	fds := slices.Repeat([]int{-1}, n)
	for i := range n {
		s := found[i%len(found)]
		if datagrams {
			if i >= len(found) {
				break
			}
			i = (i + only) % n
		}
		var err error
		if fds[i], err = s.take(backlog); err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("the socket '%s' on %s that was passed: %w", s.file.Name(), a, err)
		}
	}
	return fds, nil
}

// take returns a duplicate, ready to be used by a reactor.
func (s *passedSocket) take(backlog int) (int, error) {
	fd, err := unix.Dup(int(s.file.Fd()))
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err = unix.SetNonblock(fd, true); err == nil { // Fd has turned it off
		err = s.prepare(fd, backlog)
	}
	if err != nil {
		closeSocket(fd)
		return -1, err
	}
	s.used = true
	return fd, nil
}

// prepare sets what can still be set on a bound socket. The queue gets the length that pen is told.
func (s *passedSocket) prepare(fd, backlog int) error {
	if !s.datagrams {
		if s.addr.path == "" {
			if err := setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
				return err
			}
		}
		return unix.Listen(fd, backlog)
	}
	growReceiveQueue(fd, receiveQueue)
	countOverflows(fd)
	if s.addr.path != "" {
		return nil
	}
	acceptSegments(fd)
	if s.addr.wildcard() {
		return askLocal(fd, s.addr.family())
	}
	return nil
}

// Listener returns the passed socket on an address as a listener of package net, nil if there is none. network is one of
// unix, tcp and tcp4.
func (p Passed) Listener(network, address string) (net.Listener, error) {
	s := p.stream(network, address)
	if s == nil {
		return nil, nil
	}
	ln, err := net.FileListener(s.file)
	unix.SetNonblock(int(s.file.Fd()), true)
	if err != nil {
		return nil, err
	}
	if ln, ok := ln.(*net.UnixListener); ok {
		ln.SetUnlinkOnClose(false) // the name is that of who made it
	}
	s.used = true
	return ln, nil
}

// Has reports whether there is a passed socket of streams on an address.
func (p Passed) Has(network, address string) bool { return p.stream(network, address) != nil }

func (p Passed) stream(network, address string) *passedSocket {
	for _, s := range p {
		if !s.datagrams && s.addr.String() == address && (network == "unix") == (s.addr.path != "") {
			return s
		}
	}
	return nil
}

// Unused describes the sockets that nobody has taken: whoever connects to one of them waits forever.
func (p Passed) Unused() []string {
	var list []string
	for _, s := range p {
		if !s.used {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s on %s", s.file.Name(), s.addr)))
		}
	}
	return list
}
