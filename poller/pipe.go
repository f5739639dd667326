//go:build unix

package poller

import "golang.org/x/sys/unix"

// wakePipe interrupts a wait where the mechanism has nothing of its own for it: [0] is watched, [1] is written.
type wakePipe [2]int

// ring makes the reading end readable. A full pipe is readable already.
func (p *wakePipe) ring() error {
	for {
		_, err := unix.Write(p[1], wakeByte)
		switch err {
		case nil, unix.EAGAIN:
			return nil
		case unix.EINTR:
			continue
		}
		return err
	}
}

// drain consumes what ring wrote: one byte, as waker sees to it that there is never a second. If the read fails, the
// pipe stays readable and the next wait comes back here.
func (p *wakePipe) drain() {
	var b [8]byte
	_, _ = unix.Read(p[0], b[:])
}

// close gives both ends back.
func (p *wakePipe) close() error {
	err := unix.Close(p[0])
	if err1 := unix.Close(p[1]); err == nil {
		err = err1
	}
	return err
}

var wakeByte = []byte{1}
