package tlsio

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tls.Conn reads into a bytes.Buffer of its own, rawInput, which grows to the size of the largest record and never
// shrinks: 16 KB for an idle connection whose peer has ever sent something large. And what it needed for the handshake, in
// the buffer hand, stays too.
//
// So rawInput is lent the reactor's buffer for the time of a call: what was left of it goes in front, what is left of it
// then is taken out, and a tls.Conn that is not being called has none. That is to reach into crypto/tls, by the fields' names
// and types; if a Go has them no more, nothing is lent, and an idle connection is as large as crypto/tls makes it.
//
// What it rests on, beside the names, and what the tests of this package would notice: nothing points into rawInput when
// tls.Conn.Read comes back from a call with room for a whole record, nor when a handshake pauses.
var rawInput, hand = field("rawInput"), field("hand")

// field is the offset of a field of tls.Conn that is a bytes.Buffer; 0 = there is none.
func field(name string) uintptr {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		return 0
	}
	return f.Offset
}

// buffer is a field of c.
func buffer(c *tls.Conn, offset uintptr) *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset))
}

// lend gives the tls.Conn the reactor's buffer, with what was left the last time. A handshake that has paused did so in
// bytes.Buffer.ReadFrom, which goes on at the same place of the same memory; so that is where it finds what was left.
func (e *End) lend() {
	if rawInput == 0 {
		return
	}
	b := buffer(e.conn, rawInput)
	if b.Len() > 0 { // not through us; it must not be lost
		return
	}
	n := e.skip + copy(e.pool.in[e.skip:], e.raw.Bytes())
	e.raw.Close(e.pool.buffers)
	*b = *bytes.NewBuffer(e.pool.in[:n])
	b.Next(e.skip)
}

// reclaim takes it away.
func (e *End) reclaim(paused bool) {
	if rawInput == 0 {
		return
	}
	b := buffer(e.conn, rawInput)
	e.raw.Keep(e.pool.buffers, b.Bytes())
	e.skip = 0
	if paused {
		e.skip = b.Cap() - b.Available() - b.Len()
	}
	*b = bytes.Buffer{}
}

// rawBytes is what the tls.Conn has of records, while that is lent to it.
func (e *End) rawBytes() []byte { return buffer(e.conn, rawInput).Bytes() }

// bodySize is the size of the first record of rawBytes, which is more than is in it.
func (e *End) bodySize() int { b := e.rawBytes(); return int(b[3])<<8 | int(b[4]) }

// fetch reads from the socket into what is lent, unless there is a whole record.
func (e *End) fetch() error {
	b := buffer(e.conn, rawInput)
	have := b.Bytes()
	if whole(have) {
		return nil
	}
	room := b.AvailableBuffer()
	n, err := e.receive(room[:min(cap(room), e.want-len(have))])
	b.Write(room[:n])
	return err
}

// trim frees what only the handshake needed.
func (e *End) trim() {
	if hand == 0 {
		return
	}
	if b := buffer(e.conn, hand); b.Len() == 0 {
		*b = bytes.Buffer{}
	}
}
