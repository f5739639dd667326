//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// fakesRole is a number of servers that do nothing but let a connect succeed. It prints their port.
type fakesRole struct {
	Servers int `json:"servers"`
}

// serve does not return before it fails.
func (r *fakesRole) serve() error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	port := "0" // any that is free at the first address
	for i := range r.Servers {
		address := fakeAddress(i, port)
		fd, at, err := listenAt(address)
		if err != nil {
			return fmt.Errorf("listen %s: %w", address, err)
		}
		port = strconv.Itoa(at)
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	fmt.Println(port)
	events := make([]unix.EpollEvent, r.Servers)
	for {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if fd, _, err := unix.Accept4(int(event.Fd), unix.SOCK_CLOEXEC); err == nil {
				unix.Close(fd)
			}
		}
	}
}

// listenAt returns a listening socket and its port.
func listenAt(address string) (fd, port int, err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, 0, err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return 0, 0, err
	}
	return fd, name.(*unix.SockaddrInet4).Port, nil
}
