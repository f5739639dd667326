//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The load client speaks TLS 1.3 with X25519 and AES-128-GCM, whatever the proxy would prefer, so that all peers do the
// same work. It checks that it got that, and nothing else: not who signed the certificate.

// noSessions takes session tickets, as browsers do, and forgets them, as if it came for the first time. A client that
// wants none would save the proxies the work of making them.
type noSessions struct{}

func (noSessions) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (noSessions) Put(string, *tls.ClientSessionState)        {}

// shakeHands leads a handshake to its end. Without sessions it is a full one.
func shakeHands(c net.Conn, key keyKind, sessions tls.ClientSessionCache) (*tls.Conn, error) {
	if sessions == nil {
		sessions = noSessions{}
	}
	t := tls.Client(c, &tls.Config{ServerName: certName, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, ClientSessionCache: sessions, DynamicRecordSizingDisabled: true})
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	state := t.ConnectionState()
	if state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || state.CurveID != tls.X25519 {
		return nil, fmt.Errorf("handshake: got %s and %s, not what all are measured with", tls.CipherSuiteName(state.CipherSuite), state.CurveID)
	}
	if got := state.PeerCertificates[0].PublicKeyAlgorithm.String(); (got == "RSA") != (key == rsaKey) {
		return nil, fmt.Errorf("handshake: a certificate of %s, not %s", got, key)
	}
	return t, nil
}

// handshakes keeps connections in flight that shake hands, ask, take the reply and end; or begins them at a fixed rate.
func (l *load) handshakes() error {
	if l.Rate > 0 {
		go func() {
			for range time.Tick(time.Duration(float64(time.Second) / l.Rate)) {
				go l.attempt(nil)
			}
		}()
		return nil
	}
	for range l.Conns {
		go func() {
			var sessions tls.ClientSessionCache
			if l.Does == resume {
				sessions = tls.NewLRUClientSessionCache(1)
			}
			for {
				l.attempt(sessions)
			}
		}()
	}
	return nil
}

// attempt makes one such connection. A failure is recorded, like success.
func (l *load) attempt(sessions tls.ClientSessionCache) {
	start := time.Now()
	first := true
	if sessions != nil {
		_, known := sessions.Get(certName)
		first = !known
	}
	resumed, err := l.visit(sessions)
	switch {
	case err != nil:
		l.failed(err)
		time.Sleep(failurePause)
	case sessions != nil && !first && !resumed:
		l.failed(errNotResumed)
	case sessions == nil || !first:
		l.replied(start)
	}
}

var errNotResumed = errors.New("a full handshake, although there was a ticket")

// failurePause keeps a proxy that refuses everything from being asked 10,000 times a second.
const failurePause = 10 * time.Millisecond

// visit is a connection with one request. It is over with the reply, or when the origin has ended it; that comes with or
// without a close_notify.
func (l *load) visit(sessions tls.ClientSessionCache) (resumed bool, err error) {
	c, err := net.DialTimeout("tcp", l.Address, dialTimeout)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(replyTimeout))
	t, err := shakeHands(c, l.Key, sessions)
	if err != nil {
		return false, err
	}
	if _, err := t.Write([]byte(requestText)); err != nil {
		return false, err
	}
	end := int64(l.Origin.Size)
	if l.Origin.Does == replyClose {
		end++ // there is none: the end of file comes first
	}
	n, err := io.CopyN(io.Discard, t, end)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	if n != int64(l.Origin.Size) {
		return false, fmt.Errorf("a reply of %d bytes, not %d", n, l.Origin.Size)
	}
	return t.ConnectionState().DidResume, nil
}

// recordRoom is how much is read from, or collected for, a socket at once.
const recordRoom = 256 * kilobyte

// receive takes an endless download without decrypting it, which would make the load side the slower one: the records are
// counted by their heads.
func (l *load) receive(c *net.TCPConn) error {
	defer c.Close()
	t, err := shakeHands(&exactly{Conn: c}, l.Key, nil)
	if err != nil {
		return err
	}
	if _, err := t.Write([]byte(requestText)); err != nil {
		return err
	}
	var r records
	room := make([]byte, recordRoom)
	for {
		n, err := c.Read(room)
		l.bytes.Add(r.take(room[:n]))
		if err != nil {
			return err
		}
	}
}

// send writes an endless upload, several records at a time.
func (l *load) send(c *net.TCPConn) error {
	defer c.Close()
	b := &batched{Conn: c}
	t, err := shakeHands(b, l.Key, nil)
	if err != nil {
		return err
	}
	b.out = bufio.NewWriterSize(c, recordRoom)
	return l.push(t)
}

// batched is a connection that collects what is written until there is enough for a system call. Nobody waits for the
// last bytes of an endless stream, so they are never flushed.
type batched struct {
	net.Conn
	out *bufio.Writer // nil during the handshake
}

func (b *batched) Write(p []byte) (int, error) {
	if b.out == nil {
		return b.Conn.Write(p)
	}
	return b.out.Write(p)
}

const (
	recordHead     = 5      // bytes: type, version, length
	recordSeal     = 1 + 16 // bytes of a record of TLS 1.3 that carry nothing: the true type and the tag of AES-GCM
	recordOfData   = 23     // type of a sealed record
	recordVersions = 2      // bytes
)

// records counts what a stream of TLS 1.3 records carries, without keys.
type records struct {
	head []byte // of the record that is beginning, while not complete
	left int    // bytes of the record still to come
}

// take counts the data in more of the stream. A record counts when its head is complete.
func (r *records) take(p []byte) (data int64) {
	for len(p) > 0 {
		if r.left > 0 {
			n := min(r.left, len(p))
			r.left, p = r.left-n, p[n:]
			continue
		}
		n := min(recordHead-len(r.head), len(p))
		r.head, p = append(r.head, p[:n]...), p[n:]
		if len(r.head) < recordHead {
			continue
		}
		r.left = int(binary.BigEndian.Uint16(r.head[1+recordVersions:]))
		if r.head[0] == recordOfData {
			data += int64(max(0, r.left-recordSeal))
		}
		r.head = r.head[:0]
	}
	return data
}

// exactly is a connection of which each Read takes no more than the head or the rest of one record, so that a tls.Conn
// over it never holds bytes of the next one.
type exactly struct {
	net.Conn
	records
}

func (e *exactly) Read(p []byte) (int, error) {
	want := recordHead - len(e.head)
	if e.left > 0 {
		want = e.left
	}
	n, err := e.Conn.Read(p[:min(want, len(p))])
	e.take(p[:n])
	return n, err
}
