package splice

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// Problem: splice(2) says EAGAIN both when the socket is not ready and when the pipe is not, and the poller can help
// only with the socket.
//
// Rule: two verbs, fill (socket to pipe) and pour (pipe to socket). A pipe is filled once, and then poured until it
// is empty.
//
// Invariant: pipe.n is exactly what is in the pipe. fill enters with an empty pipe, so EAGAIN is the source's; pour
// enters with bytes in the pipe, so EAGAIN is the sink's.
//
// SPLICE_F_NONBLOCK speaks of the pipe alone; the sockets have O_NONBLOCK. SPLICE_F_MORE is never set: it delays the
// last segment by 200 ms when nothing follows.

const (
	canSplice   = true
	spliceFlags = unix.SPLICE_F_NONBLOCK | unix.SPLICE_F_MOVE
)

// errRefused says that the kernel does not splice this descriptor; nothing was moved.
var errRefused = errors.New("splice: not with this descriptor")

// pipe is a kernel buffer on its way from a socket to a socket. It is owned by the pool, or by the flow that has it.
type pipe struct {
	r, w int
	n    int   // bytes in it
	next *pipe // in the free list
}

// openPipe returns nil if there is no pipe of a useful size: out of descriptors, or the user's share of pipe memory is
// used up (then the kernel makes pipes of two pages, which are worse than copying). A pipe has a slot for each page, and
// what it takes from a socket fills slots by halves: therefore it is as large as can be.
func openPipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return nil
	}
	q := &pipe{r: fds[0], w: fds[1]}
	for size := pipeSize; size >= leastPipe; size /= 2 {
		if _, err := unix.FcntlInt(uintptr(q.w), unix.F_SETPIPE_SZ, size); err == nil {
			return q
		}
	}
	q.close()
	return nil
}

// fill moves up to limit bytes from a socket to the pipe. It returns nil when something was moved, ErrAgain when the
// socket is drained, io.EOF at the end of the stream, errRefused when reading must do instead.
func (q *pipe) fill(from int32, limit int) error {
	if q.n != 0 {
		panic("splice: fill of a pipe that is not empty")
	}
	n, err := spliceOnce(int(from), q.w, limit)
	if err == nil && n == 0 {
		return io.EOF
	}
	q.n = n
	return err
}

// pour moves the bytes of the pipe to a socket and returns their number, with nil only when all have gone.
func (q *pipe) pour(to int32) (n int, err error) {
	for q.n > 0 {
		m, err := spliceOnce(q.r, int(to), q.n)
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF // not while we hold the other end
		}
		if err != nil {
			return n, err
		}
		n += m
		q.n -= m
	}
	return n, nil
}

// read takes all bytes of the pipe; b is as long as they are.
func (q *pipe) read(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(q.r, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
		q.n -= n
	}
	return nil
}

// close closes both ends; what is in the pipe is lost.
func (q *pipe) close() {
	unix.Close(q.r)
	unix.Close(q.w)
}

// spliceOnce is splice(2) with its errors sorted: ErrAgain, errRefused (no such call, or not allowed, or not
// for this descriptor), others final.
func spliceOnce(from, to, limit int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(limit), spliceFlags)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, ErrAgain
		case unix.EINVAL, unix.ENOSYS, unix.EPERM:
			return 0, errRefused
		}
		return 0, errno
	}
}
