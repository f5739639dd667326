//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// fakesRole is a number of servers that do nothing but let a connect succeed: it is the system that does. Of a client that
// sends nothing they never hear (TCP_DEFER_ACCEPT), so that they take no time from the load client, whose cores they share.
// It prints their port.
type fakesRole struct {
	Servers int `json:"servers"`
}

// serve does not return before it fails.
func (r *fakesRole) serve() error {
	port := "0" // any that is free at the first address
	for i := range r.Servers {
		address := fakeAddress(i, port)
		_, at, err := listenAt(address)
		if err != nil {
			return fmt.Errorf("listen %s: %w", address, err)
		}
		port = strconv.Itoa(at)
	}
	fmt.Println(port)
	select {}
}

const silence = 10 // seconds that a client may be silent before it is accepted after all

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
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, silence)
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
