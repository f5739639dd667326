package poller

import "time"

// Interest is a set of directions.
type Interest uint8

// The two directions.
const (
	Readable Interest = 1 << iota
	Writable
)

// Event tells that a descriptor has become ready.
type Event struct {
	FD     int
	Ready  Interest // hang-up and error arrive as Readable|Writable: the next system call tells the truth
	Hangup bool     // the peer had ended its sending side when this event was made: a short read after it is the end of the stream
}

// Poller is the contract of all implementations.
type Poller interface {
	Name() string
	Add(fd int) error
	AddListener(fd int) error
	Arm(fd int, want Interest) error
	Remove(fd int) error
	Wait(events []Event, timeout time.Duration) (int, error)
	Wake() error
	Close() error
}
