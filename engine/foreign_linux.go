package engine

import "golang.org/x/sys/unix"

const canForeign = true

// allowForeign lets a socket be bound to an address of another machine (ip(7)).
func allowForeign(fd, family int) error {
	if family == unix.AF_INET {
		return setOption(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
	}
	return setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1)
}
