package tlsio

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pen/splice"
)

var _ splice.End = (*End)(nil)

func TestMain(m *testing.M) {
	if rawInput == 0 || hand == 0 {
		fmt.Println("crypto/tls has changed its shape: nothing is lent any more (lend.go)")
		os.Exit(1)
	}
	signerIdle = time.Millisecond
	os.Exit(m.Run())
}

// echoed has a client send data, end its stream, and read it all back.
func echoed(c *tls.Conn, data []byte, pause time.Duration) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		if err == nil {
			err = c.CloseWrite()
		}
		sent <- err
	}()
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if pause > 0 {
			time.Sleep(pause) // a slow reader; nothing waits for it to have passed
		}
	}
	if err := <-sent; err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), data) {
		return fmt.Errorf("got %d bytes back, want the %d that were sent", got.Len(), len(data))
	}
	return nil
}

func TestEcho(t *testing.T) {
	variants := []struct {
		name    string
		cert    func() tls.Certificate
		version uint16
		size    int
		change  func(server, client *tls.Config)
		lend    bool
	}{
		{"TLS 1.3", ecdsaCert, tls.VersionTLS13, 3 << 20, nil, true},
		{"TLS 1.2", ecdsaCert, tls.VersionTLS12, 3 << 20, nil, true},
		{"TLS 1.3, nothing lent", ecdsaCert, tls.VersionTLS13, 3 << 20, nil, false},
		{"TLS 1.2, nothing lent", ecdsaCert, tls.VersionTLS12, 3 << 20, nil, false},
		{"a byte", ecdsaCert, tls.VersionTLS13, 1, nil, true},
		{"nothing", ecdsaCert, tls.VersionTLS13, 0, nil, true},
		{"RSA, TLS 1.3", rsaCert, tls.VersionTLS13, 1 << 20, nil, true},
		{"RSA, TLS 1.2", rsaCert, tls.VersionTLS12, 1 << 20, nil, true},
		{"keys exchanged by RSA", rsaCert, tls.VersionTLS12, 1 << 20, func(s, c *tls.Config) {
			s.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
			c.CipherSuites = s.CipherSuites
		}, true},
		{"ChaCha20", ecdsaCert, tls.VersionTLS12, 1 << 20, func(s, c *tls.Config) {
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
		}, true},
		{"CBC", ecdsaCert, tls.VersionTLS12, 1 << 20, func(s, c *tls.Config) {
			s.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
			c.CipherSuites = s.CipherSuites
		}, true},
		{"HelloRetryRequest", ecdsaCert, tls.VersionTLS13, 1 << 20, func(s, c *tls.Config) {
			s.CurvePreferences = []tls.CurveID{tls.CurveP384}
			c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
		}, true},
		{"client certificate", ecdsaCert, tls.VersionTLS13, 1 << 20, wantClientCert, true},
		{"client certificate, TLS 1.2", ecdsaCert, tls.VersionTLS12, 1 << 20, wantClientCert, true},
		{"ALPN", ecdsaCert, tls.VersionTLS13, 1000, func(s, c *tls.Config) {
			s.NextProtos, c.NextProtos = []string{"h2", "http/1.1"}, []string{"http/1.1"}
		}, true},
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			if !v.lend {
				withoutLending(t)
			}
			server, client := serverConfig(v.cert()), clientConfig()
			client.MinVersion, client.MaxVersion = v.version, v.version
			if v.change != nil {
				v.change(server, client)
			}
			h := newHost(t)
			l, peer := h.serve(server)
			done := make(chan error, 1)
			go func() { done <- echoed(tls.Client(peer, client), noise(v.size), 0) }()
			h.run(nil)
			if err := <-done; err != nil || l.err != nil {
				t.Fatalf("client: %v, server: %v", err, l.err)
			}
			s, ok := l.end.State()
			if !ok || s.Version != v.version || s.ServerName != "pen.test" {
				t.Errorf("got %v, version %x, name %q", ok, s.Version, s.ServerName)
			}
			if v.cert().Leaf.PublicKeyAlgorithm == rsaCert().Leaf.PublicKeyAlgorithm && h.sign == 0 {
				t.Error("an RSA key was used on the spot")
			}
		})
	}
}

func wantClientCert(s, c *tls.Config) {
	s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, testCA().pool
	c.Certificates = []tls.Certificate{testCA().issue(newECDSA(), "a client", false)}
}

// dribble writes a byte at a time.
type dribble struct{ net.Conn }

func (d dribble) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func TestByteByByte(t *testing.T) {
	for _, cert := range []tls.Certificate{ecdsaCert(), rsaCert()} {
		h := newHost(t)
		l, peer := h.serve(serverConfig(cert))
		done := make(chan error, 1)
		go func() { done <- echoed(tls.Client(dribble{peer}, clientConfig()), noise(3000), 0) }()
		h.run(nil)
		if err := <-done; err != nil || l.err != nil {
			t.Fatalf("client: %v, server: %v", err, l.err)
		}
	}
}

// 24 MB both ways at once, against a reader that is slower than the writer: what the end keeps stays bounded.
func TestSlowReader(t *testing.T) {
	h := newHost(t)
	l, peer := h.serve(serverConfig(ecdsaCert()))
	peer.(*net.TCPConn).SetReadBuffer(64 << 10)
	done := make(chan error, 1)
	go func() { done <- echoed(tls.Client(peer, clientConfig()), noise(24<<20), 50*time.Microsecond) }()
	most := 0
	h.run(func() bool { most = max(most, len(l.end.kept.Bytes())); return false })
	if err := <-done; err != nil || l.err != nil {
		t.Fatalf("client: %v, server: %v", err, l.err)
	}
	if most == 0 || most > 2*writeSize {
		t.Errorf("kept up to %d bytes, want some, and less than %d", most, 2*writeSize)
	}
}

// The end that is read with little room loses nothing of a record.
func TestSmallReads(t *testing.T) {
	h := newHost(t)
	l, peer := h.serve(serverConfig(ecdsaCert()))
	l.deaf = true
	want := noise(100 << 10)
	go func() {
		c := tls.Client(peer, clientConfig())
		c.Write(want)
		c.CloseWrite()
	}()
	h.run(func() bool { return l.progress == Done })
	var got []byte
	for size := 1; ; size = size%5000 + 7 {
		buf := make([]byte, size)
		n, err := l.end.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil && err != splice.ErrAgain {
			t.Fatal(err)
		}
		if size == 8 {
			if err := l.end.Fill(); err != nil && err != splice.ErrAgain && err != io.EOF {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want the %d that were sent", len(got), len(want))
	}
}

func TestGoodbye(t *testing.T) {
	t.Run("ours first", func(t *testing.T) {
		h := newHost(t)
		l, peer := h.serve(serverConfig(ecdsaCert()))
		l.leave = true
		done := make(chan error, 1)
		go func() {
			c := tls.Client(peer, clientConfig())
			_, err := c.Read(make([]byte, 1))
			c.Close()
			done <- err
		}()
		h.run(nil)
		if err := <-done; err != io.EOF || l.err != nil {
			t.Errorf("client: %v, server: %v; want EOF, nil", err, l.err)
		}
	})
	t.Run("theirs first", func(t *testing.T) {
		h := newHost(t)
		l, peer := h.serve(serverConfig(ecdsaCert()))
		done := make(chan error, 1)
		go func() { done <- echoed(tls.Client(peer, clientConfig()), nil, 0) }()
		h.run(nil)
		if err := <-done; err != nil || l.err != nil {
			t.Errorf("client: %v, server: %v", err, l.err)
		}
	})
	for _, rest := range []int{0, 7} {
		t.Run(fmt.Sprintf("cut off after %d bytes of a record", rest), func(t *testing.T) {
			h := newHost(t)
			l, peer := h.serve(serverConfig(ecdsaCert()))
			done := make(chan error, 1)
			go func() {
				c := tls.Client(peer, clientConfig())
				c.Handshake()
				c.Write([]byte("some bytes"))
				_, err := c.Read(make([]byte, 10))
				peer.Write([]byte{23, 3, 3, 0, 100, 1, 2}[:rest])
				peer.(*net.TCPConn).CloseWrite()
				done <- err
			}()
			h.run(nil)
			if err := <-done; err != nil || l.err != io.ErrUnexpectedEOF {
				t.Errorf("client: %v, server: %v; want nil, unexpected EOF", err, l.err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	plain := func(text string) func(net.Conn) error {
		return func(c net.Conn) error {
			c.Write([]byte(text))
			io.Copy(io.Discard, c)
			return nil
		}
	}
	shake := func(change func(*tls.Config)) func(net.Conn) error {
		return func(c net.Conn) error {
			cfg := clientConfig()
			change(cfg)
			client := tls.Client(c, cfg)
			if err := client.Handshake(); err != nil {
				c.Close() // after the alert
				return err
			}
			_, err := client.Read(make([]byte, 1))
			return err
		}
	}
	tests := []struct {
		name   string
		server func(*tls.Config)
		client func(net.Conn) error
		want   Failure
		alert  string // that the client gets
	}{
		{"HTTP", nil, plain("GET / HTTP/1.0\r\n\r\n"), FailureNotTLS, ""},
		{"SSLv2", nil, plain("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + string(noise(40))), FailureNotTLS, ""},
		{"SSLv3", nil, plain("\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + string(noise(32)) + "\x00\x00\x04\x00\x0a\x00\x05\x01\x00"), FailureVersion, ""},
		{"TLS 1.1", nil, shake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), FailureVersion, "protocol version not supported"},
		{"no cipher suite", nil, shake(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}), FailureAgreement, "handshake failure"},
		{"no protocol", func(c *tls.Config) { c.NextProtos = []string{"h2"} }, shake(func(c *tls.Config) { c.NextProtos = []string{"imap"} }), FailureAgreement, "no application protocol"},
		{"no certificate for the name", func(c *tls.Config) {
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		},
			shake(func(*tls.Config) {}), FailureName, "unrecognized name"},
		{"no client certificate", func(c *tls.Config) { wantClientCert(c, &tls.Config{}) }, shake(func(*tls.Config) {}), FailureCertificate, "certificate required"},
		{"no client certificate, TLS 1.2", func(c *tls.Config) { wantClientCert(c, &tls.Config{}) }, shake(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), FailureCertificate, "handshake failure"},
		{"client certificate of nobody", func(c *tls.Config) { wantClientCert(c, &tls.Config{}) }, shake(func(c *tls.Config) {
			cert := (&authority{}).issue(newECDSA(), "stranger", false)
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}), FailureCertificate, "unknown certificate authority"},
		{"the client does not trust us", nil, shake(func(c *tls.Config) { c.ServerName = "another.test" }), FailurePeer, "x509"},
		{"gone at once", nil, func(c net.Conn) error { return c.Close() }, FailureClosed, ""},
		{"gone in the first record", nil, func(c net.Conn) error { c.Write([]byte{22, 3, 1}); return c.Close() }, FailureClosed, ""},
		{"huge hello", nil, plain("\x16\x03\x01\x00\x04\x01\x02\x00\x00"), FailureOther, ""},
		{"huge record", nil, plain("\x16\x03\x01\xff\xff\x01\x02\x00\x00"), FailureNotTLS, ""},
	}
	for _, tt := range tests {
		for _, lent := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, lent), func(t *testing.T) {
				if !lent {
					withoutLending(t)
				}
				h := newHost(t)
				server := serverConfig(ecdsaCert())
				if tt.server != nil {
					tt.server(server)
				}
				l, peer := h.serve(server)
				done := make(chan error, 1)
				go func() { done <- tt.client(peer) }()
				h.run(nil)
				if l.progress != Failed || l.end.FailureOf(l.err) != tt.want {
					t.Errorf("got %v, %v, taken for %v; want %v", l.progress, l.err, l.end.FailureOf(l.err), tt.want)
				}
				if err := <-done; tt.alert != "" && (err == nil || !bytes.Contains([]byte(err.Error()), []byte(tt.alert))) {
					t.Errorf("the client got %v, want %s", err, tt.alert)
				}
			})
		}
	}
}

// Many handshakes at once, while others are stalled in their hello and others break off in the middle.
func TestManyAtOnce(t *testing.T) {
	const complete, stalled, broken = 300, 64, 300
	h := newHost(t)
	server := serverConfig(ecdsaCert())
	done := make(chan error, complete)
	var stuck []*line
	for i := range complete + stalled + broken {
		l, peer := h.serve(server)
		switch {
		case i < stalled:
			peer.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252})
			stuck = append(stuck, l)
		case i < stalled+broken:
			l.deaf = true
			go func() {
				c := tls.Client(&quitter{Conn: peer, after: i % 3}, clientConfig())
				c.Handshake()
				peer.(*net.TCPConn).SetLinger(0)
				peer.Close()
			}()
		default:
			go func() { done <- echoed(tls.Client(peer, clientConfig()), noise(20000), 0) }()
		}
	}
	finished := 0
	h.run(func() bool {
		for {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				finished++
			default:
				return finished == complete
			}
		}
	})
	for _, l := range stuck {
		if l.progress != WantRead || l.end.conn != nil || cap(l.end.early) > 64 {
			t.Fatalf("a pending hello is at %v, has a tls.Conn: %v, holds %d bytes; want what it sent", l.progress, l.end.conn != nil, cap(l.end.early))
		}
	}
	// The rest is ended by the end of the host, in the middle of whatever it does; newHost looks for what is left.
}

// quitter breaks off after a number of writes.
type quitter struct {
	net.Conn
	after int
}

func (q *quitter) Write(b []byte) (int, error) {
	if q.after--; q.after < 0 {
		return 0, errors.New("enough")
	}
	if q.after == 0 && len(b) > 1 {
		b = b[:len(b)/2]
	}
	return q.Conn.Write(b)
}

// A signature that nobody waits for any more is not made, and one that is being made comes to nobody.
func TestAbandonedSignatures(t *testing.T) {
	h := newHost(t)
	h.signers.Max = 1
	server := serverConfig(rsaCert())
	for range 20 {
		l, peer := h.serve(server)
		go tls.Client(peer, clientConfig()).Handshake()
		h.run(func() bool { return l.progress == Signing })
		l.end.Close(h.buffers)
		l.over = true
		peer.Close()
	}
	until(t, "the signer to be idle", func() bool {
		h.signers.mu.Lock()
		defer h.signers.mu.Unlock()
		return h.signers.idle == h.signers.running && len(h.signers.waiting) == 0
	})
}

// Sessions are resumed, and what a resumed one costs no signature.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h := newHost(t)
		server, client := serverConfig(rsaCert()), clientConfig()
		client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		for i := range 3 {
			l, peer := h.serve(server)
			done := make(chan error, 1)
			c := tls.Client(peer, client)
			go func() { done <- echoed(c, noise(100), 0) }()
			before := h.sign
			h.run(nil)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			s, _ := l.end.State()
			if s.DidResume != (i > 0) || (h.sign > before) != (i == 0) {
				t.Errorf("version %x, connection %d: resumed %v, signed %v", version, i, s.DidResume, h.sign > before)
			}
		}
	}
}

// As a client towards a server, with a session resumed; then an end towards an end.
func TestClient(t *testing.T) {
	h := newHost(t)
	client, cert := clientConfig(), rsaCert()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 2 {
		l, peer := h.plain()
		l.end = h.pool.Client(&l.socket, client)
		done := make(chan error, 1)
		go func() {
			done <- echoed(tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: false}), noise(1<<20), 0)
		}()
		h.run(nil)
		if err := <-done; err != nil || l.err != nil {
			t.Fatalf("server: %v, client: %v", err, l.err)
		}
		_ = i
	}
	l, peer := h.plain()
	cfg := clientConfig()
	cfg.ServerName = "another.test"
	l.end = h.pool.Client(&l.socket, cfg)
	go tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
	h.run(nil)
	if l.progress != Failed || l.end.FailureOf(l.err) != FailureCertificate {
		t.Errorf("got %v, %v; want a failure for the certificate", l.progress, l.err)
	}
}

// pair is two ends that face each other, with the handshake done.
func pair(t testing.TB) (h *host, client, server *End) {
	h = newHost(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		unix.SetNonblock(fd, true)
		l := &line{socket: splice.Socket{FD: int32(fd)}, deaf: true}
		if h.lines = append(h.lines, l); i == 0 {
			l.end = h.pool.Client(&l.socket, clientConfig())
		} else {
			l.end = h.pool.Server(&l.socket, serverConfig(ecdsaCert()))
		}
	}
	h.run(func() bool { return h.lines[0].progress == Done && h.lines[1].progress == Done })
	return h, h.lines[0].end, h.lines[1].end
}

// carry moves size bytes from one end to the other.
func carry(t testing.TB, from, to *End, out, in []byte) {
	for sent, got := 0, 0; got < len(out); {
		n, err := from.Write(out[sent:])
		if err != nil && err != splice.ErrAgain {
			t.Fatal(err)
		}
		sent += n
		if n, err = to.Read(in); err != nil && err != splice.ErrAgain {
			t.Fatal(err)
		}
		got += n
	}
}

// After large records both ways an idle connection holds no buffer, and moving bytes allocates nothing.
func TestIdle(t *testing.T) {
	h, a, b := pair(t)
	out, in := noise(100<<10), make([]byte, 64<<10)
	for range 20 {
		carry(t, a, b, out, in)
		carry(t, b, a, out, in)
	}
	if n := h.buffers.Counters().Buffers; n != 0 {
		t.Errorf("%d buffers held, want none", n)
	}
	for _, e := range []*End{a, b} {
		if raw, hs := buffer(e.conn, rawInput).Cap(), buffer(e.conn, hand).Cap(); raw != 0 || hs != 0 {
			t.Errorf("crypto/tls holds %d and %d bytes, want none", raw, hs)
		}
	}
	for _, size := range []int{200, 16 << 10, 100 << 10} {
		if got := testing.AllocsPerRun(100, func() { carry(t, a, b, out[:size], in) }); got != 0 && !raceEnabled {
			t.Errorf("%d bytes: %v allocations, want none", size, got)
		}
	}
}

func BenchmarkCarry(b *testing.B) {
	for _, size := range []int{200, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			_, from, to := pair(b)
			out, in := noise(size), make([]byte, 64<<10)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				carry(b, from, to, out, in)
			}
		})
	}
}

// BenchmarkHandshake is both ends of a handshake.
func BenchmarkHandshake(b *testing.B) {
	for _, resumed := range []bool{false, true} {
		b.Run(fmt.Sprintf("resumed=%v", resumed), func(b *testing.B) {
			h := newHost(b)
			server, client := serverConfig(ecdsaCert()), clientConfig()
			client.CurvePreferences, client.InsecureSkipVerify = []tls.CurveID{tls.X25519}, true
			if resumed {
				client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(fds[0])
			defer unix.Close(fds[1])
			for _, fd := range fds {
				unix.SetNonblock(fd, true)
			}
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				x, y := splice.Socket{FD: int32(fds[0])}, splice.Socket{FD: int32(fds[1])}
				c, s := h.pool.Client(&x, client), h.pool.Server(&y, server)
				for c.Waits() < Done || s.Waits() < Done {
					if _, err := c.Handshake(); err != nil {
						b.Fatal(err)
					}
					if _, err := s.Handshake(); err != nil {
						b.Fatal(err)
					}
				}
				c.Read(buf) // the ticket
				c.Close(h.buffers)
				s.Close(h.buffers)
			}
		})
	}
}
