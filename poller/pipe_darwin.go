package poller

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// newWakePipe sets the flags after the fact: macOS has no pipe2. ForkLock keeps a child from inheriting the ends meanwhile.
func newWakePipe() (wakePipe, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var p wakePipe
	if err := unix.Pipe(p[:]); err != nil {
		return p, err
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			p.close()
			return p, err
		}
	}
	return p, nil
}
