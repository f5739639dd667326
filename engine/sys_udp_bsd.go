//go:build freebsd || openbsd || netbsd

package engine

import "golang.org/x/sys/unix"

// The address that a client wrote to, on IPv4: told and set as a bare in_addr (ip(4), IP_RECVDSTADDR, IP_SENDSRCADDR, which
// have the same number).
const (
	localOption   = unix.IP_RECVDSTADDR
	localMessage  = unix.IP_RECVDSTADDR
	localOffset   = 0
	sourceMessage = unix.IP_RECVDSTADDR
	sourceOffset  = 0
	sourceSize    = 4
)
