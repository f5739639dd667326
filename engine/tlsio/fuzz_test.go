package tlsio

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"pen/splice"
)

// FuzzClient has a client say anything, in pieces of any size, with each kind of key. Nothing may panic, hang, or be left.
func FuzzClient(f *testing.F) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := clientConfig()
		cfg.MaxVersion = version
		f.Add(helloOf(cfg), uint16(1000), false)
		f.Add(helloOf(cfg), uint16(3), true)
	}
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), uint16(7), false)
	f.Add([]byte("\x80\x2e\x01\x00\x02"), uint16(100), false)
	f.Add([]byte{22, 3, 1, 0, 0, 22, 3, 1, 0, 0}, uint16(5), true)
	configs := map[bool]*tls.Config{false: serverConfig(ecdsaCert()), true: serverConfig(rsaCert())}
	runtime.LockOSThread()
	buffers := splice.NewPool(0)
	ready := make(chan *End, 1)
	pool := NewPool(buffers, &Signers{Max: 1}, func(e *End) { ready <- e })
	f.Fuzz(func(t *testing.T, sent []byte, piece uint16, rsa bool) {
		if len(sent) > 64<<10 {
			return
		}
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		unix.SetNonblock(fds[0], true)
		unix.SetNonblock(fds[1], true)
		socket := splice.Socket{FD: int32(fds[0])}
		e := pool.Server(&socket, configs[rsa])
		for len(sent) > 0 && e.Waits() < Done {
			n := min(len(sent), int(piece)+1)
			if n, err = unix.Write(fds[1], sent[:n]); err != nil {
				t.Fatal(err)
			}
			sent = sent[n:]
			if p, _ := e.Handshake(); p == Signing {
				<-ready
				e.Handshake()
			}
		}
		if e.Waits() == Done {
			t.Fatal("a handshake without a client")
		}
		e.Close(buffers)
		if n := buffers.Counters().Buffers; n != 0 {
			t.Fatalf("%d buffers left", n)
		}
	})
}

// helloOf is what a client begins with.
func helloOf(cfg *tls.Config) []byte {
	a, b := net.Pipe()
	defer a.Close()
	go tls.Client(b, cfg).Handshake()
	var hello bytes.Buffer
	head := make([]byte, headerSize)
	a.Read(head)
	hello.Write(head)
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	for n := 0; n < len(body); {
		m, err := a.Read(body[n:])
		if err != nil {
			return hello.Bytes()
		}
		n += m
	}
	hello.Write(body)
	return hello.Bytes()
}
