//go:build dragonfly || freebsd || linux || netbsd || openbsd || solaris

package poller

import "golang.org/x/sys/unix"

func newWakePipe() (wakePipe, error) {
	var p [2]int
	err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK)
	return p, err
}
