// Package tlsio puts TLS on top of a non-blocking socket: an End is a splice.End whose bytes are encrypted by crypto/tls,
// and whose handshake gives way whenever it has to wait.
//
// It knows nothing of sessions, of certificates and of time: what to offer and whom to trust is in the tls.Config that it is
// given, and how long a handshake may take is for its user to say. It never blocks and starts no goroutine, but for
// signatures with RSA keys, which take a millisecond (signer.go).
//
// # How
//
// crypto/tls wants a net.Conn that blocks. It gets one that does not (shim.go), whose Read says "temporarily nothing" when
// the socket is empty. Once a connection is established that is all it takes: tls.Conn keeps the part of a record that it
// has, and goes on when it is called again. A handshake can't be taken up again like that, so it runs in a coroutine
// (iter.Pull), which is created when the client's first record is there, pauses where it would block, and ends with the
// handshake (handshake.go). Coroutines stay on the thread of the reactor.
//
// What tls.Conn writes is collected in a buffer that all ends of a reactor share, and sent before a call returns. What the
// socket does not take is kept by the end; then nothing more is written (record.go).
//
// What tls.Conn reads into is lent to it for the time of a call, so that an idle connection holds no buffer (lend.go).
//
// A Pool belongs to one reactor, and so do its ends; nothing may be used from two goroutines at once.
package tlsio

import (
	"crypto/tls"

	"pen/splice"
)

const (
	maxPlaintext = 16 << 10            // bytes of a record, decrypted (RFC 8446, 5.1)
	maxRecord    = maxPlaintext + 2048 // bytes that follow the header of a record at most (RFC 5246, 6.2.3)
	headerSize   = 5                   // bytes in front of it
	readSize     = 128 << 10           // bytes read from a socket at once; more than two records, or bytes.Buffer would move house
	writeSize    = 64 << 10            // bytes encrypted before they are sent
	shakeRead    = 4 << 10             // bytes read from a socket at once during a handshake, of which little comes
)

// Pool is what the ends of one reactor share. Its buffers are made when the first end wants them.
type Pool struct {
	in, out []byte // in is lent to one end for the time of a call; out holds what an end has written, and is empty between calls
	spill   []byte // for a record for which the reader has no room
	buffers *splice.Pool
	signed  func(*End)
	signers *Signers
}

// NewPool makes a pool whose ends keep what they must in buffers of the given pool. signed is called, by other goroutines,
// when a handshake that was Signing can go on: it is to have the reactor call Handshake.
func NewPool(buffers *splice.Pool, signers *Signers, signed func(*End)) *Pool {
	return &Pool{buffers: buffers, signers: signers, signed: signed}
}

// prepare makes the shared buffers.
func (p *Pool) prepare() {
	if p.in == nil {
		p.in = make([]byte, readSize)
		p.out = make([]byte, 0, writeSize+writeSize/8) // records of full size add 22 bytes to 16 KB, the first ones of a connection to 1 KB
		p.spill = make([]byte, maxPlaintext)
	}
}

// End is one TLS connection. It is made by Server or Client, and its Handshake is called until that is done; then it is read
// and written. It must be closed.
type End struct {
	Owner any // for the user

	pool   *Pool
	socket *splice.Socket
	config *tls.Config
	conn   *tls.Conn  // nil until the first record has come
	shake  *handshake // nil before and after
	early  []byte     // the beginning of the first record

	raw   splice.Tail // bytes of a record whose rest is still to come
	plain splice.Tail // decrypted bytes that the reader had no room for
	kept  splice.Tail // records that the socket had no room for

	final  error // that every Read comes back with from now on
	ended  error // how the socket's stream ended; nil = it has not
	broken error // why the socket takes nothing any more
	want   int   // bytes that may be read from the socket at once
	skip   int   // where a handshake that has paused goes on in what is lent to it
	alert  uint8 // that was sent in clear during the handshake; 0 = none
	client bool  // we are the client
	empty  bool  // the socket has nothing more, in this call
	fin    bool  // the end of the socket's stream was told to the tls.Conn
	done   bool  // the handshake has succeeded
	waits  Progress
	dead   bool // closed
}

// Server returns the server's end of a connection. GetCertificate of cfg should make use of Offload.
func (p *Pool) Server(s *splice.Socket, cfg *tls.Config) *End {
	p.prepare()
	return &End{pool: p, socket: s, config: cfg}
}

// Client returns the client's end of a connection.
func (p *Pool) Client(s *splice.Socket, cfg *tls.Config) *End {
	p.prepare()
	return &End{pool: p, socket: s, config: cfg, client: true, waits: WantWrite}
}

// State returns what was agreed on. It must not be asked for during a handshake.
func (e *End) State() (s tls.ConnectionState, ok bool) {
	if !e.done {
		return s, false
	}
	return e.conn.ConnectionState(), true
}

// Close gives everything back, and ends a handshake that goes on. The socket stays as it is: to say goodbye to the peer,
// call Goodbye before.
func (e *End) Close(*splice.Pool) {
	if e.dead {
		return
	}
	e.dead = true
	if s := e.shake; s != nil {
		e.shake = nil
		e.lend() // it goes on, if only to fail
		s.abort()
		e.reclaim(false)
	}
	e.pool.out = e.pool.out[:0]
	e.raw.Close(e.pool.buffers)
	e.plain.Close(e.pool.buffers)
	e.kept.Close(e.pool.buffers)
	e.early, e.Owner = nil, nil
}
