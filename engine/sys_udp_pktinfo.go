//go:build darwin || solaris

package engine

import "golang.org/x/sys/unix"

// The address that a client wrote to, on IPv4: told and set as a struct in_pktinfo, in its member ipi_spec_dst.
const (
	localOption   = unix.IP_RECVPKTINFO
	localMessage  = unix.IP_PKTINFO
	localOffset   = 4
	sourceMessage = unix.IP_PKTINFO
	sourceOffset  = 4
	sourceSize    = unix.SizeofInet4Pktinfo
)
