package splice

import (
	"io"
	"syscall"
)

// Socket is the End that is a plain stream socket: TCP or unix. It is 8 bytes, to be embedded; its methods are on
// the pointer.
type Socket struct {
	// FD must be non-blocking. It is the caller's: nothing here closes it.
	FD int32

	// Hangup says that the poller has reported the end of the peer's sending side (EPOLLRDHUP, EV_EOF): whatever
	// the peer sent has arrived, so a read that does not fill its buffer is the last one and the call that would
	// only return 0 is saved. It must be set before the read that follows the event, and not at all when an error
	// (EPOLLERR) or urgent data (EPOLLPRI) came with it: a reset would pass for an end, and a read also stops short
	// at an urgent mark (tcp(7)).
	Hangup bool

	// Failed says that the poller has reported an error, which will not be reported again. It comes behind the bytes that
	// have arrived, so that a read which does not fill its buffer is not the last one.
	Failed bool
}

// Read is recv(2). A short read means drained, so no second call is made only to hear EAGAIN: it comes with
// ErrAgain, or with io.EOF after a Hangup.
func (s *Socket) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil // recv would return 0, which is the mark of the end
	}
	n, err = recv(s.FD, p)
	switch {
	case err != nil:
		return 0, socketError(err)
	case n == 0:
		return 0, io.EOF
	case n == len(p):
		return n, nil
	case s.Failed:
		return n, nil
	case s.Hangup:
		return n, io.EOF
	}
	return n, ErrAgain
}

// Write is send(2) without SIGPIPE. A short write means that the socket's buffer is full.
func (s *Socket) Write(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err = send(s.FD, p, 0)
	return written(n, len(p), err)
}

// WriteLast is part of LastWriter. The bytes and the end make one packet instead of two, and wake the peer once.
func (s *Socket) WriteLast(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err = send(s.FD, p, moreFollows)
	return written(n, len(p), err)
}

// written makes the result of a Write of a send.
func written(n, want int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, socketError(err)
	case n < want:
		return n, ErrAgain
	}
	return n, nil
}

// socketError translates the one error that is not final.
func socketError(err error) error {
	if err == syscall.EAGAIN {
		return ErrAgain
	}
	return err
}
