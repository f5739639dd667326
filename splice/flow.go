package splice

import "errors"

// ErrAgain says that an End has nothing to read or no room to write now.
var ErrAgain = errors.New("splice: try again when the poller says so")

// End is one side of a session: a socket, or TLS on top of one.
type End interface {
	Read(p []byte) (n int, err error)
	Write(p []byte) (n int, err error)
}

// Status is how a Pump ended.
type Status uint8

// The ways.
const (
	Again Status = iota
	NeedRead
	NeedWrite
	EOF
	SourceFailed
	SinkFailed
)

// Flow moves the bytes of one direction.
type Flow interface {
	Pump(p *Pool, src, dst End, budget int) (n int, s Status)
	Close(p *Pool)
}
