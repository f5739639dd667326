package tlsio

import (
	"errors"
	"io"
	"strings"

	"pen/splice"
)

// maxKept is how many bytes an end keeps at most that its socket had no room for. What is written stops at one writeSize and
// its overhead; above that are only answers to requests of the peer (key updates), of which there are few, unless the peer
// asks and does not read.
const maxKept = 2 * writeSize

var (
	errFlood       = errors.New("tls: the peer asks for key updates and does not read the answers")
	errRenegotiate = errors.New("tls: the client asks for a renegotiation, which is refused")
)

// Read is part of splice.End. A stream that ends without a close_notify was cut off, by the peer or by somebody on the way:
// that is io.ErrUnexpectedEOF.
func (e *End) Read(p []byte) (n int, err error) {
	if held := e.plain.Bytes(); len(held) > 0 {
		n = copy(p, held)
		e.plain.Drop(e.pool.buffers, n)
		return n, nil
	}
	if e.final != nil {
		return 0, e.final
	}
	e.empty = false
	e.want = max(len(p), headerSize+maxRecord)
	if rawInput == 0 {
		n, err = e.readOn(p)
	} else {
		e.lend()
		n, err = e.readRecords(p)
		e.reclaim(false)
	}
	e.flush(false) // what it has to say to the peer: an answer to a key update, an alert. Where that fails, writing will too.
	err = e.verdict(err)
	if len(e.plain.Bytes()) > 0 {
		return n, nil
	}
	return n, err
}

// verdict is what a Read of the tls.Conn means to the reader. What is final is kept: the tls.Conn is not asked again.
func (e *End) verdict(err error) error {
	switch {
	case len(e.kept.Bytes()) > maxKept:
		e.final = errFlood
	case err == nil:
		return nil
	case err == errEmpty:
		return splice.ErrAgain
	case err == io.EOF && e.fin:
		e.final = io.ErrUnexpectedEOF
	case !e.client && strings.Contains(err.Error(), "*tls.clientHelloMsg"): // where none is expected
		e.final = errRenegotiate
	default:
		e.final = err
	}
	return e.final
}

// readRecords reads from the socket once, about as much as p has room for, and decrypts the records that are whole then. A
// tls.Conn that finds a whole record asks for nothing, which would cost it an allocation.
func (e *End) readRecords(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if err = e.fetch(); err != nil {
			return 0, err
		}
		for err == nil && whole(e.rawBytes()) {
			if len(p)-n < e.bodySize() && n > 0 {
				return n, nil
			}
			var m int
			m, err = e.decrypt(p[n:])
			n += m
			if len(e.plain.Bytes()) > 0 {
				return n, err
			}
		}
		switch {
		case err != nil:
		case e.ended != nil:
			_, err = e.conn.Read(e.pool.spill) // it says how: there is nothing to read
		case e.empty:
			err = errEmpty
		}
	}
	return n, err
}

// decrypt has the tls.Conn read a record into room for the largest there can be, so that it never holds decrypted bytes,
// which would be in the memory that is lent to it.
func (e *End) decrypt(room []byte) (int, error) {
	if len(room) >= maxPlaintext {
		return e.conn.Read(room)
	}
	m, err := e.conn.Read(e.pool.spill)
	n := copy(room, e.pool.spill[:m])
	e.plain.Keep(e.pool.buffers, e.pool.spill[n:m])
	return n, err
}

// readOn reads until the tls.Conn has nothing more or p has no room for what may come. It is what is left where nothing can
// be lent.
func (e *End) readOn(p []byte) (n int, err error) {
	for err == nil && (n == 0 || len(p)-n >= maxPlaintext) && len(e.plain.Bytes()) == 0 {
		var m int
		m, err = e.decrypt(p[n:])
		n += m
	}
	return n, err
}

// Err is how the stream to be read has ended, nil if it goes on.
func (e *End) Err() error { return e.final }

// Fill makes sure that there is something to read, and keeps it. The errors are those of Read.
func (e *End) Fill() error {
	if len(e.plain.Bytes()) > 0 {
		return nil
	}
	_, err := e.Read(nil)
	if len(e.plain.Bytes()) > 0 {
		return nil
	}
	return err
}

// Write is part of splice.End. While something is kept nothing more is taken, so that a slow peer costs little.
func (e *End) Write(p []byte) (n int, err error) { return e.write(p, false) }

// WriteLast is part of splice.LastWriter.
func (e *End) WriteLast(p []byte) (n int, err error) { return e.write(p, true) }

func (e *End) write(p []byte, last bool) (n int, err error) {
	err = e.flush(last)
	for n < len(p) && err == nil {
		var m int
		m, err = e.conn.Write(p[n:min(n+writeSize, len(p))])
		n += m
		if sent := e.flush(last); err == nil {
			err = sent
		}
	}
	return n, err
}

// Keeps tells if there are bytes that the socket had no room for. Write(nil) sends them.
func (e *End) Keeps() bool { return len(e.kept.Bytes()) > 0 }

// Goodbye tells the peer that nothing more follows and that nothing was lost (close_notify). Nothing can be written after
// it, so the caller ends the stream next (splice.LastWriter). What the socket has no room for is kept.
func (e *End) Goodbye() {
	if e.done && !e.dead {
		e.conn.CloseWrite()
		e.flush(true)
	}
}

// flush sends what is kept and what was collected; last says that the end of the stream follows.
func (e *End) flush(last bool) error {
	out := e.pool.out
	e.pool.out = out[:0]
	if e.broken != nil {
		return e.broken
	}
	if held := e.kept.Bytes(); len(held) > 0 {
		n, err := e.send(held, last)
		e.kept.Drop(e.pool.buffers, n)
		if err != nil {
			return e.keep(out, err)
		}
	}
	if len(out) == 0 {
		return nil
	}
	n, err := e.send(out, last)
	if err != nil {
		return e.keep(out[n:], err)
	}
	return nil
}

func (e *End) send(b []byte, last bool) (n int, err error) {
	if last {
		return e.socket.WriteLast(b)
	}
	return e.socket.Write(b)
}

// keep keeps what could not be sent, if it ever can be.
func (e *End) keep(rest []byte, err error) error {
	if err == splice.ErrAgain {
		e.kept.Keep(e.pool.buffers, rest)
	} else {
		e.broken = err
	}
	return err
}
