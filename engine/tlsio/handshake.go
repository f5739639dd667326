package tlsio

import (
	"crypto/tls"
	"io"
	"iter"

	"pen/splice"
)

// Progress is how far a handshake has come, and so what to wait for before it is called again.
type Progress uint8

// The states of a handshake.
const (
	WantRead  Progress = iota // bytes from the peer
	WantWrite                 // room for bytes to the peer
	Signing                   // a signature is being made; the pool's function is called when it is there
	Done                      // the connection is established
	Failed                    // it never will be; what there was to say to the peer has been sent
)

var progressNames = [...]string{"want read", "want write", "signing", "done", "failed"}

// String is for tests and debug output.
func (p Progress) String() string { return progressNames[p] }

// handshake is a handshake in its coroutine.
//
// Problem: a coroutine that nobody resumes is never collected. Rule: the end that has one either resumes it until it has
// ended, or aborts it, from outside.
type handshake struct {
	resume func() (Progress, bool) // runs it until it has to wait; false = it has ended
	cancel func()
	yield  func(Progress) bool // the other end of resume; false = cancelled
	job    *job                // a signature that was asked for
	err    error
}

// Handshake goes on with the handshake and says what it waits for. The error comes with Failed; FailureOf tells what it
// means. There may be bytes to read when it is done, of which no poller knows.
func (e *End) Handshake() (Progress, error) {
	p, err := e.advance()
	e.waits = p
	return p, err
}

// Waits is what the last call of Handshake has returned. Before the first one it is what that waits for.
func (e *End) Waits() Progress { return e.waits }

func (e *End) advance() (Progress, error) {
	if e.done {
		return Done, nil
	}
	e.empty = false
	switch err := e.flush(false); {
	case err == splice.ErrAgain:
		return WantWrite, nil
	case err != nil:
		return Failed, err
	}
	if e.conn == nil {
		if p, err := e.begin(); p != Done {
			return p, err
		}
	}
	if j := e.shake.job; j != nil && !j.done.Load() {
		return Signing, nil
	}
	return e.goOn()
}

// begin makes the tls.Conn and its coroutine, at the time when it has something to do: a client's at once, a server's with
// the first record of the client. Until then nothing is held but what has come of that.
func (e *End) begin() (Progress, error) {
	if e.client {
		e.conn = tls.Client((*shim)(e), e.config)
	} else {
		if p, err := e.gather(); p != Done {
			return p, err
		}
		e.conn = tls.Server((*shim)(e), e.config)
	}
	s := &handshake{}
	s.resume, s.cancel = iter.Pull(func(yield func(Progress) bool) {
		s.yield = yield
		deepen()
		s.err = e.conn.Handshake()
	})
	e.shake = s
	return Done, nil
}

// deepen has the stack of a coroutine grow at once to what a handshake needs; else it would be copied on the way there as
// often as it doubles, full each time.
//
//go:noinline
func deepen() {
	var room [7 << 10]byte // the next power of two is its size then
	use(&room)
}

//go:noinline
func use(room *[7 << 10]byte) { room[0] = 0 }

// gather waits for the first record of a client, or for something that is none.
func (e *End) gather() (Progress, error) {
	in := e.pool.in[:headerSize+maxRecord]
	had := copy(in, e.early)
	for n := had; ; {
		m, err := e.receive(in[n:])
		n += m
		switch {
		case err != nil:
			return Failed, err
		case whole(in[:n]) || n > 0 && in[0] != handshakeRecord:
			e.raw.Keep(e.pool.buffers, in[:n])
			e.early = nil
			return Done, nil
		case e.ended != nil:
			return Failed, io.ErrUnexpectedEOF
		case e.empty:
			e.early = append(e.early, in[had:n]...)
			return WantRead, nil
		}
	}
}

// whole tells if b begins with a whole record, or with something that is none.
func whole(b []byte) bool {
	if len(b) < headerSize {
		return false
	}
	n := int(b[3])<<8 | int(b[4])
	return n > maxRecord || len(b) >= headerSize+n
}

// goOn runs the coroutine until it waits or ends.
func (e *End) goOn() (Progress, error) {
	s := e.shake
	s.job = nil
	e.want = shakeRead
	e.lend()
	wait, more := s.resume()
	e.reclaim(more)
	err := e.flush(false)
	switch {
	case more && err == nil:
		return wait, nil
	case more && err == splice.ErrAgain:
		return WantWrite, nil
	case more:
		return Failed, err
	}
	e.shake = nil
	if s.err != nil {
		return Failed, s.err
	}
	if err != nil && err != splice.ErrAgain {
		return Failed, err
	}
	e.done = true
	e.config = nil
	e.trim()
	return Done, nil
}

// wait pauses the coroutine. false means that it is to end.
func (s *handshake) wait(for_ Progress) bool { return s.yield(for_) }

// abort ends the coroutine. Everything that it still tries fails.
func (s *handshake) abort() {
	if s.job != nil {
		s.job.cancelled.Store(true)
	}
	s.cancel()
}
