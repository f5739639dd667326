package tlsio

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pen/splice"
)

const patience = 60 * time.Second

// host is a reactor in small: it polls its lines, takes them through their handshakes and sends back whatever they say.
type host struct {
	t       testing.TB
	buffers *splice.Pool
	pool    *Pool
	signers *Signers
	wake    [2]int // a pipe: a signature is there
	lines   []*line
	sign    int // handshakes that were seen signing
}

// line is one connection of a host.
type line struct {
	end      *End
	socket   splice.Socket
	relay    splice.Relay
	progress Progress
	err      error // of the handshake, or of the stream
	over     bool
	deaf     bool   // it reads nothing after the handshake
	hungup   bool   // its end of the stream was passed on
	leave    bool   // it says goodbye when the handshake is done
	swallow  func() // called after each read, if it throws away what it reads instead of sending it back
}

func newHost(t testing.TB) *host {
	runtime.LockOSThread()
	before := runtime.NumGoroutine()
	h := &host{t: t, buffers: splice.NewPool(0), signers: &Signers{Max: 2}}
	if err := unix.Pipe(h.wake[:]); err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(h.wake[0], true)
	h.pool = NewPool(h.buffers, h.signers, func(*End) { unix.Write(h.wake[1], []byte{0}) })
	t.Cleanup(func() {
		for _, l := range h.lines {
			l.end.Close(h.buffers)
			l.relay.Close(h.buffers)
			unix.Close(int(l.socket.FD))
		}
		if n := h.buffers.Counters().Buffers; n != 0 {
			t.Errorf("%d buffers leaked", n)
		}
		until(t, "the coroutines and peers to end", func() bool { return runtime.NumGoroutine() <= before })
		unix.Close(h.wake[0])
		unix.Close(h.wake[1])
		runtime.UnlockOSThread()
	})
	return h
}

func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}

// serve adds a server's end with cfg and returns the peer's connection.
func (h *host) serve(cfg *tls.Config) (*line, net.Conn) {
	h.t.Helper()
	l, peer := h.plain()
	l.end = h.pool.Server(&l.socket, cfg)
	return l, peer
}

func (h *host) plain() (*line, net.Conn) {
	h.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	defer listener.Close()
	peer, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	ours, err := listener.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	defer ours.Close()
	raw, err := ours.(*net.TCPConn).SyscallConn()
	if err != nil {
		h.t.Fatal(err)
	}
	fd := -1
	raw.Control(func(n uintptr) { fd, err = unix.Dup(int(n)) })
	if err != nil {
		h.t.Fatal(err)
	}
	unix.SetNonblock(fd, true)
	peer.SetDeadline(time.Now().Add(patience))
	h.t.Cleanup(func() { peer.Close() })
	l := &line{socket: splice.Socket{FD: int32(fd)}}
	h.lines = append(h.lines, l)
	return l, peer
}

// run goes on until all lines are over, or stop says so.
func (h *host) run(stop func() bool) {
	h.t.Helper()
	end := time.Now().Add(patience)
	fds := make([]unix.PollFd, 0, 16)
	ready := map[int32]bool{h.lines[0].socket.FD: true}
	for _, l := range h.lines {
		ready[l.socket.FD] = true
	}
	for {
		if time.Now().After(end) {
			h.t.Fatal("out of patience")
		}
		open := 0
		fds = append(fds[:0], unix.PollFd{Fd: int32(h.wake[0]), Events: unix.POLLIN})
		for _, l := range h.lines {
			var want int16
			if !l.over {
				if ready[l.socket.FD] || l.progress == Signing {
					want = h.step(l)
				} else {
					want = h.wants(l)
				}
			}
			if !l.over {
				open++
				fds = append(fds, unix.PollFd{Fd: l.socket.FD, Events: want})
			}
		}
		if open == 0 || stop != nil && stop() {
			return
		}
		if _, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR {
			h.t.Fatal(err)
		}
		clear(ready)
		for _, f := range fds {
			ready[f.Fd] = f.Revents != 0
		}
		var drained [64]byte
		unix.Read(h.wake[0], drained[:])
	}
}

// step does what there is to do for a line, and returns what it waits for then.
func (h *host) step(l *line) int16 {
	if l.progress != Done {
		l.progress, l.err = l.end.Handshake()
		switch l.progress {
		case Failed:
			l.over = true
			unix.Shutdown(int(l.socket.FD), unix.SHUT_WR)
			return 0
		case Signing:
			h.sign++
			return 0
		case Done:
			if l.leave {
				h.goodbye(l)
			}
		default:
			return h.wants(l)
		}
	}
	if l.deaf {
		return 0
	}
	if l.swallow != nil {
		_, err := l.end.Read(make([]byte, 64<<10))
		l.swallow()
		if err != nil && err != splice.ErrAgain {
			l.err, l.over = err, true
			unix.Shutdown(int(l.socket.FD), unix.SHUT_RDWR)
		}
		return h.wants(l)
	}
	if l.hungup { // say the rest, listen for the end
		var buf [1 << 10]byte
		_, err := l.end.Read(buf[:])
		if err != nil && err != splice.ErrAgain {
			l.over = true
			if err != io.EOF {
				l.err = err
			}
		}
		return unix.POLLIN
	}
	switch _, s := l.relay.Pump(h.buffers, l.end, l.end, 1<<20); s {
	case splice.Again:
		return unix.POLLIN | unix.POLLOUT
	case splice.EOF:
		h.goodbye(l)
		l.over = true
	case splice.SourceFailed, splice.SinkFailed:
		_, l.err = l.end.Read(make([]byte, 1))
		l.over = true
		unix.Shutdown(int(l.socket.FD), unix.SHUT_WR)
	}
	return h.wants(l)
}

func (h *host) wants(l *line) int16 {
	if l.swallow != nil && l.progress == Done {
		return unix.POLLIN // whatever it has to say: its peer does not read
	}
	switch {
	case l.progress == Signing:
		return 0
	case l.progress == WantWrite || l.end.Keeps():
		return unix.POLLOUT
	}
	return unix.POLLIN
}

func (h *host) goodbye(l *line) {
	l.end.Goodbye()
	unix.Shutdown(int(l.socket.FD), unix.SHUT_WR)
	l.hungup = true
}

// authority makes certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pool *x509.CertPool
}

var testCA = sync.OnceValue(func() *authority {
	a := &authority{pool: x509.NewCertPool()}
	made := a.issue(newECDSA(), "test CA", true)
	a.cert, a.key = made.Leaf, made.PrivateKey.(crypto.Signer)
	a.pool.AddCert(a.cert)
	return a
})

func newECDSA() crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func (a *authority) issue(key crypto.Signer, name string, ca bool) tls.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ca {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

var (
	ecdsaCert = sync.OnceValue(func() tls.Certificate { return testCA().issue(newECDSA(), "pen.test", false) })
	rsaCert   = sync.OnceValue(func() tls.Certificate {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return testCA().issue(k, "pen.test", false)
	})
)

// serverConfig is a server's configuration as pen/engine/certs makes it.
func serverConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return Offload(hello, &cert), nil
	}}
}

func clientConfig() *tls.Config {
	return &tls.Config{RootCAs: testCA().pool, ServerName: "pen.test"}
}

// noise is n bytes in which no shift goes unnoticed.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(n) + 88172645463325252
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// withoutLending runs a test as it is where crypto/tls has changed its shape.
func withoutLending(t *testing.T) {
	r, h := rawInput, hand
	rawInput, hand = 0, 0
	t.Cleanup(func() { rawInput, hand = r, h })
}
