// Package splice moves bytes from one end of a session to the other: through a buffer that all sessions of a
// reactor share, or, between plain sockets on Linux, through a pipe with splice(2).
//
// It knows nothing of balancing, of polling and of time: the caller says when to move and learns from the Status
// what to wait for. Nothing here blocks, locks or starts a goroutine. A Pool belongs to one reactor, and the flows
// and ends that meet in a Pump belong to the same one; nothing may be used from two goroutines at once.
//
// Descriptors are never the property of this package, except those of its own pipes.
package splice

import "errors"

// ErrAgain says that an End has nothing to read or no room to write now. Ends return it as it is, not wrapped.
var ErrAgain = errors.New("splice: try again when the poller says so")

// End is one side of a session: a socket, or TLS on top of one. Neither method ever blocks.
//
// Read puts up to len(p) > 0 bytes into p. n > 0 may come together with an error:
//
//	nil       there may be more: read on. n is not 0.
//	ErrAgain  drained: after these n bytes there is nothing until the poller says so.
//	io.EOF    the peer's stream ends with these n bytes. Final.
//	other     the stream is broken after these n bytes. Final.
//
// Write takes the first n bytes of p:
//
//	nil       n is len(p).
//	ErrAgain  there is no room for more until the poller says so.
//	other     the sink is broken. Final.
//
// An end that keeps something back which it has already taken (the tail of a TLS record) returns len(p) together
// with ErrAgain. Write(nil) then asks it to go on: ErrAgain until it keeps nothing back, nil from then on. Ends that
// never do so are never called with an empty p.
//
// Neither method may keep p.
type End interface {
	Read(p []byte) (n int, err error)
	Write(p []byte) (n int, err error)
}

// LastWriter is an End that can have the last bytes of a stream travel with its end. After WriteLast, which is a Write else,
// the caller ends the stream in the same turn: by shutdown(2) or close(2), or by more Writes and one of these. Otherwise the bytes
// may wait for 200 ms.
type LastWriter interface {
	WriteLast(p []byte) (n int, err error)
}

// Status is how a Pump ended, and so what the caller waits for.
type Status uint8

// The ways a Pump ends.
const (
	Again        Status = iota // the budget is used up and there may be more, seen by the poller or not: call again next turn
	NeedRead                   // the source said ErrAgain; all that was read has been written
	NeedWrite                  // the sink said ErrAgain; the flow may hold bytes and does not read before they are gone
	EOF                        // the source has ended and all that it sent has been written
	SourceFailed               // the source is broken and all that it sent before has been written
	SinkFailed                 // the sink is broken; what is held can't be delivered any more
	Paused                     // the flow waits for something that is no matter of its ends: call again when something else has moved
)

var statusNames = [...]string{"again", "need read", "need write", "eof", "source failed", "sink failed", "paused"}

// String is for tests and debug output.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Flow moves the bytes of one direction.
//
// Back-pressure is the invariant of every flow: while it holds bytes that were read and not written, it does not
// read. So its memory is bounded by one read, and a slow sink slows its source down.
type Flow interface {
	// Pump moves what can be moved now from src to dst and says why it stopped. About budget bytes are moved at
	// most; bytes held from before go out in full all the same. n is the number of bytes written to dst. EOF and
	// SourceFailed are repeated by later calls, without asking the source again.
	Pump(p *Pool, src, dst End, budget int) (n int, s Status)

	// Held is the number of bytes that are read and not yet written.
	Held() int

	// Close gives buffer and pipe back to p, dropping what is held. The flow may then be used anew.
	// The ends are not the flow's and stay as they are.
	Close(p *Pool)
}
