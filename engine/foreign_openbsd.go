package engine

import "golang.org/x/sys/unix"

const canForeign = true

// allowForeign lets a socket be bound to an address of another machine (getsockopt(2)).
func allowForeign(fd, _ int) error { return setOption(fd, unix.SOL_SOCKET, unix.SO_BINDANY, 1) }
