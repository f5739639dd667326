package tlsio

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// raw is a client of TLS 1.3 that makes its records by hand once the handshake is done, to say what crypto/tls never would.
type raw struct {
	t       testing.TB
	conn    net.Conn
	in, out half
}

// half is one direction (RFC 8446, 5.3 and 7).
type half struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

const (
	innerAlert       = 21
	innerHandshake   = 22
	innerApplication = 23
)

var (
	keyUpdate        = []byte{24, 0, 0, 1, 0}
	keyUpdateRequest = []byte{24, 0, 0, 1, 1}
	closeNotify      = []byte{1, 0}
)

// newRaw shakes hands on conn. It is to be called beside the host's run.
func newRaw(t testing.TB, conn net.Conn) (*raw, error) {
	var log bytes.Buffer
	cfg := clientConfig()
	cfg.KeyLogWriter = &log
	c := tls.Client(&byRecord{Conn: conn}, cfg)
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	if s := c.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		return nil, fmt.Errorf("cipher suite %x", s)
	}
	r := &raw{t: t, conn: conn}
	for line := range strings.Lines(log.String()) {
		f := strings.Fields(line)
		secret, _ := hex.DecodeString(f[2])
		switch f[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			r.out.use(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			r.in.use(secret)
		}
	}
	return r, nil
}

// byRecord never reads past the end of a record, so that what follows the handshake is left.
type byRecord struct {
	net.Conn
	head []byte
	left int
}

func (b *byRecord) Read(p []byte) (int, error) {
	if len(b.head) == 0 && b.left == 0 {
		b.head = make([]byte, headerSize)
		if _, err := io.ReadFull(b.Conn, b.head); err != nil {
			return 0, err
		}
		b.left = int(binary.BigEndian.Uint16(b.head[3:]))
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (h *half) use(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	h.secret, h.iv, h.seq = secret, expand(secret, "iv", 12), 0
	h.aead, _ = cipher.NewGCM(block)
}

// update goes on with the next key.
func (h *half) update() { h.use(expand(h.secret, "traffic upd", 32)) }

func expand(secret []byte, label string, n int) []byte {
	info := append([]byte{0, byte(n), byte(len("tls13 " + label))}, "tls13 "+label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return out
}

func (h *half) nonce() []byte {
	n := bytes.Clone(h.iv)
	for i := range 8 {
		n[4+i] ^= byte(h.seq >> (56 - 8*i))
	}
	h.seq++
	return n
}

// record makes a record with pad bytes of padding.
func (r *raw) record(inner byte, data []byte, pad int) []byte {
	plain := append(append(bytes.Clone(data), inner), make([]byte, pad)...)
	head := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(plain)+r.out.aead.Overhead()))
	return append(head, r.out.aead.Seal(nil, r.out.nonce(), plain, head)...)
}

func (r *raw) send(b ...[]byte) {
	if _, err := r.conn.Write(bytes.Join(b, nil)); err != nil {
		r.t.Log("raw client: ", err)
	}
}

// receive returns the next record that is no session ticket.
func (r *raw) receive() (inner byte, data []byte, err error) {
	const newSessionTicket = 4
	for {
		head := make([]byte, headerSize)
		if _, err = io.ReadFull(r.conn, head); err != nil {
			return 0, nil, err
		}
		body := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err = io.ReadFull(r.conn, body); err != nil {
			return 0, nil, err
		}
		plain, err := r.in.aead.Open(nil, r.in.nonce(), body, head)
		if err != nil {
			return 0, nil, err
		}
		plain = bytes.TrimRight(plain, "\x00")
		inner, data = plain[len(plain)-1], plain[:len(plain)-1]
		if inner != innerHandshake || data[0] != newSessionTicket {
			return inner, data, nil
		}
	}
}

// want reads records until data has come, and nothing else.
func (r *raw) want(want []byte) {
	var got []byte
	for len(got) < len(want) {
		inner, data, err := r.receive()
		if err != nil || inner != innerApplication {
			r.t.Errorf("got a record of type %d, %x, %v after %d bytes; want %d", inner, data, err, len(got), len(want))
			return
		}
		got = append(got, data...)
	}
	if !bytes.Equal(got, want) {
		r.t.Errorf("got other bytes than were sent")
	}
}

// wantOther reads one record of another kind.
func (r *raw) wantOther(inner byte, data []byte) {
	if i, d, err := r.receive(); err != nil || i != inner || !bytes.Equal(d, data) {
		r.t.Errorf("got a record of type %d, %x, %v; want %d, %x", i, d, err, inner, data)
	}
}

// withRaw runs f as the client of a line.
func withRaw(t *testing.T, l func(*line), f func(*raw)) *line {
	t.Helper()
	h := newHost(t)
	served, peer := h.serve(serverConfig(ecdsaCert()))
	if l != nil {
		l(served)
	}
	done := make(chan error, 1)
	go func() {
		r, err := newRaw(t, peer)
		if err == nil {
			f(r)
			peer.(*net.TCPConn).CloseWrite()
		} else {
			peer.Close() // or the host would wait for it
		}
		done <- err
	}()
	h.run(nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return served
}

func TestKeyUpdate(t *testing.T) {
	l := withRaw(t, nil, func(r *raw) {
		data := noise(70000)
		r.send(r.record(innerHandshake, keyUpdateRequest, 0))
		r.out.update()
		r.wantOther(innerHandshake, keyUpdate)
		r.in.update()
		for range 3 { // between data, in one piece with them, and with half of a record behind
			first := r.record(innerApplication, data[:5000], 0)
			ask := r.record(innerHandshake, keyUpdateRequest, 0)
			r.out.update()
			second := r.record(innerApplication, data[:9000], 0)
			r.send(first, ask, second[:4000])
			r.wantOther(innerHandshake, keyUpdate)
			r.in.update()
			r.want(data[:5000])
			r.send(second[4000:])
			r.want(data[:9000])
		}
		r.send(r.record(innerHandshake, keyUpdate, 0)) // without a request there is no answer
		r.out.update()
		r.send(r.record(innerApplication, data[:16384], 0), r.record(innerAlert, closeNotify, 0))
		r.want(data[:16384])
		r.wantOther(innerAlert, closeNotify)
	})
	if l.err != nil {
		t.Error(l.err)
	}
}

// Handshake messages may come in pieces after the handshake, too.
func TestKeyUpdateInPieces(t *testing.T) {
	l := withRaw(t, nil, func(r *raw) {
		for i := range keyUpdateRequest {
			r.send(r.record(innerHandshake, keyUpdateRequest[i:i+1], 0))
		}
		r.out.update()
		r.wantOther(innerHandshake, keyUpdate)
		r.in.update()
		r.send(r.record(innerApplication, []byte("x"), 100), r.record(innerAlert, closeNotify, 3))
		r.want([]byte("x"))
	})
	if l.err != nil {
		t.Error(l.err)
	}
}

// Records of every size, many in a segment, each in two pieces at every place.
func TestRecordSizes(t *testing.T) {
	l := withRaw(t, nil, func(r *raw) {
		data := noise(maxPlaintext)
		var many [][]byte
		var want []byte
		for n := range 200 {
			many = append(many, r.record(innerApplication, data[:1+n*n%97], n%7))
			want = append(want, data[:1+n*n%97]...)
		}
		r.send(many...)
		r.want(want)
		for _, n := range []int{1, 100, 16000, maxPlaintext} {
			rec := r.record(innerApplication, data[:n], 0)
			for _, at := range []int{1, 4, 5, 6, len(rec) - 1} {
				r.send(rec[:at])
				r.send(rec[at:])
				r.want(data[:n])
				rec = r.record(innerApplication, data[:n], 0)
			}
			r.send(rec)
			r.want(data[:n])
		}
		last := r.record(innerApplication, data[:100], 0)
		bye := r.record(innerAlert, closeNotify, 0)
		r.send(last, bye[:10]) // the library looks ahead for an alert
		r.want(data[:100])
		r.send(bye[10:])
		r.wantOther(innerAlert, closeNotify)
	})
	if l.err != nil {
		t.Error(l.err)
	}
}

func TestHostileRecords(t *testing.T) {
	unexpected := []byte{2, 10}
	tests := []struct {
		name string
		send func(r *raw)
		want []byte // alert; nil = none
	}{
		{"key updates and nothing else", func(r *raw) {
			for range 17 {
				r.send(r.record(innerHandshake, keyUpdate, 0))
				r.out.update()
			}
		}, unexpected},
		{"empty records", func(r *raw) {
			for range 17 {
				r.send(r.record(innerApplication, nil, 0))
			}
		}, unexpected},
		{"a record that was changed", func(r *raw) {
			b := r.record(innerApplication, []byte("hello"), 0)
			b[7] ^= 1
			r.send(b)
		}, []byte{2, 20}},
		{"a record that is too long", func(r *raw) { r.send([]byte{23, 3, 3, 0x49, 0}) }, []byte{2, 22}},
		{"a record of an unknown type", func(r *raw) { r.send(r.record(99, []byte("x"), 0)) }, unexpected},
		{"another ClientHello", func(r *raw) { r.send(r.record(innerHandshake, []byte{1, 0, 0, 4, 3, 3, 0, 0}, 0)) }, []byte{2, 50}},
		{"half a handshake message, then data", func(r *raw) {
			r.send(r.record(innerHandshake, keyUpdate[:2], 0), r.record(innerApplication, []byte("x"), 0))
		}, unexpected},
		{"a fatal alert", func(r *raw) { r.send(r.record(innerAlert, []byte{2, 80}, 0)) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := withRaw(t, nil, func(r *raw) {
				tt.send(r)
				if tt.want != nil {
					r.wantOther(innerAlert, tt.want)
				}
			})
			if l.err == nil || l.err == io.EOF {
				t.Errorf("got %v, want a failure", l.err)
			}
		})
	}
}

// Who asks for key updates without end and does not read the answers is cut off before these fill the memory.
func TestFloodOfKeyUpdates(t *testing.T) {
	most := 0
	l := withRaw(t, func(l *line) {
		l.swallow = func() { most = max(most, len(l.end.kept.Bytes())) }
		unix.SetsockoptInt(int(l.socket.FD), unix.SOL_SOCKET, unix.SO_SNDBUF, 4096)
	}, func(r *raw) {
		for range 20000 {
			ask := r.record(innerHandshake, keyUpdateRequest, 0)
			r.out.update()
			if _, err := r.conn.Write(append(ask, r.record(innerApplication, []byte("x"), 0)...)); err != nil {
				return
			}
		}
	})
	if l.err != errFlood || most > 2*maxKept {
		t.Errorf("got %v with up to %d bytes kept, want %v with at most about %d", l.err, most, errFlood, maxKept)
	}
}
