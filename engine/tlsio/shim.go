package tlsio

import (
	"errors"
	"io"
	"net"
	"time"

	"pen/splice"
)

// shim is the net.Conn that a tls.Conn is given: the end, seen from below.
type shim End

// Read gives what the socket has. During a handshake it waits, that is, it lets the coroutine pause; afterwards it fails
// with an error that crypto/tls takes for temporary.
func (c *shim) Read(b []byte) (int, error) {
	e := (*End)(c)
	for {
		if e.dead {
			return 0, errAborted
		}
		if held := e.raw.Bytes(); len(held) > 0 { // only where nothing is lent
			n := copy(b, held)
			e.raw.Drop(e.pool.buffers, n)
			return n, nil
		}
		n, err := e.receive(b[:min(len(b), e.want)])
		switch {
		case n > 0:
			return n, nil
		case err != nil:
			return 0, err
		case e.ended != nil:
			e.fin = true
			return 0, io.EOF
		case e.shake == nil:
			return 0, errEmpty
		case !e.shake.wait(WantRead):
			return 0, errAborted
		}
	}
}

// receive reads from the socket, unless it is known to be empty or at its end. The end of the stream is no error here, but
// noted in ended.
func (e *End) receive(b []byte) (int, error) {
	if e.ended == io.EOF || e.empty {
		return 0, nil
	}
	if e.ended != nil {
		return 0, e.ended
	}
	n, err := e.socket.Read(b)
	switch err {
	case nil:
	case splice.ErrAgain:
		e.empty = true
	case io.EOF:
		e.ended = err
	default:
		e.ended = err
		return n, err
	}
	return n, nil
}

// Write collects bytes, which are sent when the tls.Conn has returned. An error would be final for a tls.Conn, so there is
// none before the end is closed.
func (c *shim) Write(b []byte) (int, error) {
	if c.dead {
		return 0, errAborted
	}
	if !c.done && len(b) == alertSize && b[0] == alertRecord {
		c.alert = b[alertSize-1]
	}
	c.pool.out = append(c.pool.out, b...)
	return len(b), nil
}

const (
	alertRecord     = 21             // type of a record
	handshakeRecord = 22             // likewise
	alertSize       = headerSize + 2 // bytes of an alert that is not encrypted
)

// The rest of net.Conn has no part to play here. The address is a key in a cache of sessions, of which each server has
// its own.
func (c *shim) Close() error                     { return nil }
func (c *shim) LocalAddr() net.Addr              { return anyAddr{} }
func (c *shim) RemoteAddr() net.Addr             { return anyAddr{} }
func (c *shim) SetDeadline(time.Time) error      { return nil }
func (c *shim) SetReadDeadline(time.Time) error  { return nil }
func (c *shim) SetWriteDeadline(time.Time) error { return nil }

type anyAddr struct{}

func (anyAddr) Network() string { return "tcp" }
func (anyAddr) String() string  { return "peer" }

var errAborted = errors.New("handshake given up")

// errEmpty is what tls.Conn.Read comes back from with its state intact: an error that is Temporary.
var errEmpty error = emptyError{}

type emptyError struct{}

func (emptyError) Error() string   { return "nothing to read now" }
func (emptyError) Timeout() bool   { return false }
func (emptyError) Temporary() bool { return true }
