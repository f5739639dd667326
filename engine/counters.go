package engine

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// counters are what one reactor has counted. They are plain integers that only it touches; others ask for a copy
// through its mailbox (snapshot.go).
type counters struct {
	panics    uint64              // sessions that were closed because of a defect in pen
	turns     Histogram           // time that a turn took, without the wait for events
	services  []*serviceCounters  // by serviceState.id
	servers   []*serverCounters   // by server.id
	datagrams []*datagramCounters // by serviceState.id; for services of datagrams
}

// serviceCounters is what became of the clients of one service.
type serviceCounters struct {
	accepted  uint64
	denied    uint64                   // by an access list
	unserved  uint64                   // no server could be had
	failovers uint64                   // clients that were served by another server than the first choice
	ended     [len(reasonNames)]uint64 // by reason
	connect   Histogram                // from accept until the server's side stood
	firstByte Histogram                // from accept until the first byte went to the client
	length    Histogram                // from accept to the end
	shaken    Histogram                // from accept until TLS was agreed on
	tls       Handshakes               // with clients
}

// serverCounters is the traffic between one reactor and one server.
type serverCounters struct {
	connects   uint64
	connecting uint64           // nanoseconds that the successful connects took
	failed     [failures]uint64 // connects that came to nothing
	full       uint64           // clients that were not sent there because of its limit
	sent       uint64           // bytes
	received   uint64

	sentDatagrams     uint64
	receivedDatagrams uint64

	tls Handshakes
}

// service returns the counters of a service.
func (c *counters) service(id int32) *serviceCounters {
	return entry(&c.services, id)
}

// server returns the counters of a server.
func (c *counters) server(id int32) *serverCounters {
	return entry(&c.servers, id)
}

// entry returns an element of a table, which grows as needed.
func entry[T any](table *[]*T, id int32) *T {
	for int(id) >= len(*table) {
		*table = append(*table, new(T))
	}
	return (*table)[id]
}

// Failure is why a connect to a server came to nothing.
type Failure uint8

// The kinds of failure.
const (
	FailureRefused     Failure = iota // nobody listens
	FailureTimeout                    // no answer in time
	FailureUnreachable                // no way to get there
	FailureTLS                        // the TLS handshake
	FailureOther
	failures = iota
)

var failureNames = [failures]string{"refused", "timeout", "unreachable", "tls", "other"}

// String returns one word.
func (f Failure) String() string { return failureNames[f] }

// failureOf tells what an error of a connect means.
func failureOf(err error) Failure {
	is := func(errs ...unix.Errno) bool {
		return slices.ContainsFunc(errs, func(e unix.Errno) bool { return errors.Is(err, e) })
	}
	_, handshake := err.(handshakeError)
	switch {
	case handshake:
		return FailureTLS
	case is(unix.ECONNREFUSED, unix.ENOENT):
		return FailureRefused
	case is(unix.ETIMEDOUT):
		return FailureTimeout
	case is(unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENETDOWN):
		return FailureUnreachable
	}
	return FailureOther
}
