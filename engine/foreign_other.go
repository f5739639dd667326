//go:build !linux && !freebsd && !openbsd

package engine

import "golang.org/x/sys/unix"

// canForeign: no socket here can have the address of another machine, so there is no transparent.
const canForeign = false

func allowForeign(int, int) error { return unix.EOPNOTSUPP }
