package engine

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pen/conf"
	"pen/engine/tlsio"
)

// authority is a CA of tests, with files for the settings.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), pool: x509.NewCertPool()}
	c := a.issue(t, "ca", ecdsaKey(t))
	a.cert, a.key = c.Leaf, c.PrivateKey.(crypto.Signer)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate, which is also in file(name).
func (a *authority) issue(t testing.TB, name string, key crypto.Signer) tls.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: a.cert == nil, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if c.IsCA {
		parent, signer, c.KeyUsage = c, key, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(a.file(name), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name+".pem") }

func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "pen.test"}
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// startTLS is start with a certificate for pen.test.
func startTLS(t *testing.T, key func(testing.TB) crypto.Signer, change func(*conf.Settings, *conf.Service)) (*Engine, *authority) {
	a := newAuthority(t)
	a.issue(t, "pen.test", key(t))
	return start(t, func(s *conf.Settings, v *conf.Service) {
		v.TLS.Certs = []string{a.file("pen.test")}
		v.Timeout.Handshake = patient
		change(s, v)
	}), a
}

// dialTLS connects and shakes hands.
func dialTLS(t *testing.T, e *Engine, cfg *tls.Config) *tls.Conn {
	t.Helper()
	c := tls.Client(dial(t, e), cfg)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// echoing sends everything back, and the end of the stream.
func echoing(c *net.TCPConn) { io.Copy(c, c); c.CloseWrite() }

func handshakesOf(e *Engine) *Handshakes { return e.Snapshot().Services[0].TLS }

func sum(counts []uint64) (n uint64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// Bytes both ways at once, more than the sockets hold, with a half-close each way.
func TestTLSBothWays(t *testing.T) {
	const size = 8 << 20
	for _, key := range []func(testing.TB) crypto.Signer{ecdsaKey, rsaKey} {
		e, a := startTLS(t, key, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{backend(t, echoing)} })
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				cfg := a.client()
				cfg.MinVersion = []uint16{tls.VersionTLS12, tls.VersionTLS13}[i%2]
				cfg.MaxVersion = cfg.MinVersion
				c := dialTLS(t, e, cfg)
				want := bytes.Repeat([]byte(fmt.Sprint("connection ", i, "\n")), size/13)
				go func() { c.Write(want); c.CloseWrite() }()
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
				}
			})
		}
		wg.Wait()
		if h := handshakesOf(e); h.Full != [2]uint64{2, 2} || sum(h.Failed[:]) != 0 {
			t.Errorf("counted %v, failed %v", h.Full, h.Failed)
		}
	}
}

// What the server said reaches a client that reads late, with a goodbye behind it, whoever ends first.
func TestTLSNothingIsTruncated(t *testing.T) {
	reply := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	question := make([]byte, len("question"))
	servers := map[string]func(*net.TCPConn){
		"server closes":                     func(c *net.TCPConn) { io.ReadFull(c, question); c.Write(reply) },
		"server half-closes and reads on":   func(c *net.TCPConn) { c.Write(reply); c.CloseWrite(); io.Copy(io.Discard, c) },
		"server waits for the client's end": func(c *net.TCPConn) { io.Copy(io.Discard, c); c.Write(reply) },
	}
	for name, server := range servers {
		for _, fast := range []conf.FastClose{conf.FastCloseOff, conf.FastCloseUp} {
			t.Run(fmt.Sprintf("%s/%d", name, fast), func(t *testing.T) {
				e, a := startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) {
					v.Servers = []conf.Server{backend(t, server)}
					v.TCP.FastClose = fast
				})
				c := dialTLS(t, e, a.client())
				io.WriteString(c, "question")
				c.CloseWrite()
				eventually(t, "the reply comes", func() bool { return e.Servers("default")[0].Received > 0 })
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, reply) {
					t.Errorf("got %d bytes, %v, want %d", len(got), err, len(reply))
				}
			})
		}
	}
}

// A server that is reset in the middle of its reply does not look like one that has said all: there is no goodbye. One
// that ends its stream is told from it.
func TestTLSGoodbye(t *testing.T) {
	const alert = 21
	tests := []struct {
		name   string
		server func(*net.TCPConn)
		want   bool
	}{
		{"reset", func(c *net.TCPConn) { c.SetLinger(0) }, false},
		{"end", func(c *net.TCPConn) {}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, a := startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) {
				v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
					io.WriteString(c, "a reply")
					c.Read(make([]byte, 1))
					tt.server(c)
				})}
			})
			r := &recorder{Conn: dial(t, e)}
			cfg := a.client()
			cfg.MaxVersion = tls.VersionTLS12 // in which the type of an encrypted record is in clear
			c := tls.Client(r, cfg)
			if _, err := io.ReadFull(c, make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
			r.seen = nil
			io.WriteString(c, "x")
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("got %v, want the end", err)
			}
			if got := len(r.seen) > 0 && r.seen[0] == alert; got != tt.want {
				t.Errorf("got %x, with a goodbye: %v, want %v", r.seen, got, tt.want)
			}
		})
	}
}

// recorder keeps what is read.
type recorder struct {
	net.Conn
	seen []byte
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.seen = append(r.seen, b[:n]...)
	return n, err
}

func TestTLSFailures(t *testing.T) {
	e, a := startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{backend(t, echoing)}
		v.Timeout.Handshake = 100 * time.Millisecond
	})
	c := dial(t, e)
	io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	io.ReadAll(c)
	c.Close()
	c = dial(t, e)
	c.Write([]byte{22, 3, 1, 0, 200, 1}) // and no more
	if _, err := io.ReadAll(c); err != nil {
		t.Error(err)
	}
	old := a.client()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	c = dial(t, e)
	if err := tls.Client(c, old).Handshake(); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1 got %v, want an alert for the version", err)
	}
	c.Close()
	dial(t, e).Close()
	eventually(t, "four failures are counted", func() bool {
		f := handshakesOf(e).Failed
		return f[tlsio.FailureNotTLS] == 1 && f[tlsio.FailureTimeout] == 1 && f[tlsio.FailureVersion] == 1 && f[tlsio.FailureClosed] == 1
	})
	eventually(t, "what became of them is counted", func() bool {
		ended := e.Snapshot().Services[0].Ended
		return ended["slow"] == 1 && ended["handshake"] == 3
	})
}

// Clients that stall in their hello hold nobody up, and cost what they sent.
func TestTLSStalledHellos(t *testing.T) {
	e, a := startTLS(t, rsaKey, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{named(t, "a")}
		s.Limits.Reactors = 1
	})
	for range 200 {
		dial(t, e).Write([]byte{22, 3, 1, 0, 200, 1})
	}
	for range 20 {
		c := dialTLS(t, e, a.client())
		io.WriteString(c, "x\n")
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

func TestTLSToServers(t *testing.T) {
	a := newAuthority(t)
	cert := a.issue(t, "server.test", rsaKey(t))
	var seen sync.Map
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server := backend(t, func(c *net.TCPConn) {
		s := tls.Server(c, cfg)
		if err := s.Handshake(); err != nil {
			return
		}
		seen.Store(s.ConnectionState().ServerName, s.ConnectionState().DidResume)
		io.Copy(s, s)
		s.CloseWrite()
	})
	server.TLS = conf.ServerTLS{On: true, Verify: a.file("ca"), SNI: "server.test"}
	wrong := server
	wrong.TLS.SNI = "another.test"
	plain := named(t, "plain")
	plain.TLS = conf.ServerTLS{On: true}

	want := bytes.Repeat([]byte("both ways\n"), 300<<10)
	for _, front := range []bool{false, true} {
		change := func(s *conf.Settings, v *conf.Service) {
			v.Servers = []conf.Server{wrong, plain, server}
			v.Balance.Prio = true
			v.Timeout.Connect = time.Second
		}
		var e *Engine
		var c interface {
			net.Conn
			CloseWrite() error
		}
		for i := range 2 {
			if i == 0 {
				if front {
					var b *authority
					e, b = startTLS(t, ecdsaKey, change)
					c = dialTLS(t, e, b.client())
				} else {
					e = start(t, change)
					c = dial(t, e)
				}
			} else if !front {
				c = dial(t, e)
			} else {
				break
			}
			go func() { c.Write(want); c.CloseWrite() }()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(want))
			}
		}
		s := e.Snapshot().Services[0].Servers
		if s[0].Failed[FailureTLS] == 0 || !s[0].Blacklisted || s[2].Active > 0 && s[2].Failed[FailureTLS] > 0 {
			t.Errorf("servers: %+v", s)
		}
		if !front && sum(s[2].TLS.Resumed[:]) == 0 {
			t.Errorf("no session was resumed: %+v", s[2].TLS)
		}
	}
	if _, ok := seen.Load("server.test"); !ok {
		t.Error("the server was not asked for by name")
	}
}

// What services can do for plain clients they do for encrypted ones.
func TestTLSWithSettings(t *testing.T) {
	ask := func(t *testing.T, e *Engine, c *tls.Conn, want string) {
		t.Helper()
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		c.CloseWrite()
		if b, err := io.ReadAll(c); !strings.Contains(string(b), want) || err != nil {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, s *conf.Settings, v *conf.Service)
		talk   func(t *testing.T, e *Engine, a *authority)
	}{
		{"dummy", func(t *testing.T, s *conf.Settings, v *conf.Service) { v.Dummy = true },
			func(t *testing.T, e *Engine, a *authority) { ask(t, e, dialTLS(t, e, a.client()), "Ulric was here.") }},
		{"peek", func(t *testing.T, s *conf.Settings, v *conf.Service) { v.TCP.Peek = true },
			func(t *testing.T, e *Engine, a *authority) {
				c := dialTLS(t, e, a.client())
				if n := e.Servers("default")[0].Connections; n != 0 {
					t.Errorf("%d connections to the server before the client has said anything", n)
				}
				ask(t, e, c, "GET / HTTP/1.0\r\n\r\n")
			}},
		{"idle_timeout", func(t *testing.T, s *conf.Settings, v *conf.Service) { v.Timeout.Idle = 100 * time.Millisecond },
			func(t *testing.T, e *Engine, a *authority) {
				c := dialTLS(t, e, a.client())
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("got %v, want the end", err)
				}
			}},
		{"abuse server", func(t *testing.T, s *conf.Settings, v *conf.Service) {
			v.ClientACL = 1
			s.ACL[1] = conf.ACL{{Permit: true, Addr: netip.MustParseAddr("192.0.2.9"), Bits: 32}}
			abuse := backend(t, func(c *net.TCPConn) { io.Copy(io.Discard, c); io.WriteString(c, "go away") })
			v.Abuse = fmt.Sprintf("%s:%d", abuse.Address, abuse.Port)
		}, func(t *testing.T, e *Engine, a *authority) { ask(t, e, dialTLS(t, e, a.client()), "go away") }},
		{"log of requests", func(t *testing.T, s *conf.Settings, v *conf.Service) { v.Log = "x" },
			func(t *testing.T, e *Engine, a *authority) {
				ask(t, e, dialTLS(t, e, a.client()), "GET / HTTP/1.0\r\n\r\n")
			}},
		{"client certificates", func(t *testing.T, s *conf.Settings, v *conf.Service) {
			v.TLS.Client = conf.ClientTLS{CAFile: filepath.Join(filepath.Dir(v.TLS.Certs[0]), "ca.pem"), Verify: conf.VerifyRequired}
		}, func(t *testing.T, e *Engine, a *authority) {
			cfg := a.client()
			cfg.Certificates = []tls.Certificate{a.issue(t, "a client", ecdsaKey(t))}
			ask(t, e, dialTLS(t, e, cfg), "GET / HTTP/1.0\r\n\r\n")
			c := tls.Client(dial(t, e), a.client())
			c.Handshake()
			if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
				t.Errorf("without a certificate: %v", err)
			}
		}},
		{"a path", func(t *testing.T, s *conf.Settings, v *conf.Service) { v.Listen = filepath.Join(t.TempDir(), "s") },
			func(t *testing.T, e *Engine, a *authority) {
				plain, err := net.Dial("unix", e.Listening("default"))
				if err != nil {
					t.Fatal(err)
				}
				c := tls.Client(plain, a.client())
				ask(t, e, c, "GET / HTTP/1.0\r\n\r\n")
				c.Close()
			}},
		{"idlers to servers with TLS", func(t *testing.T, s *conf.Settings, v *conf.Service) {
			a := newAuthority(t)
			cert := a.issue(t, "server.test", ecdsaKey(t))
			v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				io.Copy(s, s)
				s.CloseWrite()
			})}
			v.Servers[0].TLS.On, v.Idlers = true, 3
		}, func(t *testing.T, e *Engine, a *authority) {
			eventually(t, "three idlers stand", func() bool { return e.Idlers("default") == 3 })
			ask(t, e, dialTLS(t, e, a.client()), "GET / HTTP/1.0\r\n\r\n")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, a := startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) {
				v.Servers = []conf.Server{backend(t, echoing)}
				tt.change(t, s, v)
			})
			tt.talk(t, e, a)
		})
	}
}

// A client that waits in line and leaves politely gives its turn up.
func TestTLSLeavesTheLine(t *testing.T) {
	hold := make(chan struct{})
	e, a := startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) { <-hold })}
		v.Servers[0].Max = 1
		v.Limit.Queue, v.Limit.QueueTime = 10, patient
	})
	defer close(hold)
	first := dialTLS(t, e, a.client())
	defer first.Close()
	eventually(t, "the place is taken", func() bool { return e.Servers("default")[0].Connections == 1 })
	second := dialTLS(t, e, a.client())
	eventually(t, "the second waits", func() bool { return e.Snapshot().Services[0].Queued == 1 })
	second.Close()
	eventually(t, "the second has left", func() bool { return e.Snapshot().Services[0].Queued == 0 })
}

// Handshakes that are broken off anywhere, and connections that are reset at any time, leave nothing behind.
func TestTLSBrokenOff(t *testing.T) {
	for _, key := range []func(testing.TB) crypto.Signer{ecdsaKey, rsaKey} {
		e, a := startTLS(t, key, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{backend(t, echoing)} })
		before := runtime.NumGoroutine()
		var wg sync.WaitGroup
		limit := make(chan struct{}, 16)
		for i := range 300 {
			limit <- struct{}{}
			wg.Go(func() {
				defer func() { <-limit }()
				plain := dial(t, e)
				plain.SetLinger(0)
				c := tls.Client(&cutter{plain, 1 + i*37%1900}, a.client())
				if c.Handshake() == nil {
					if _, err := c.Write(make([]byte, 20000)); err == nil {
						c.Read(make([]byte, 1))
					}
				}
				plain.Close()
			})
		}
		wg.Wait()
		eventually(t, "all connections are over", func() bool { n, _ := e.connections.count(); return n == 0 })
		eventually(t, "no coroutine is left", func() bool { return runtime.NumGoroutine() <= before })
		c := dialTLS(t, e, a.client())
		io.WriteString(c, "still there")
		c.CloseWrite()
		if b, err := io.ReadAll(c); string(b) != "still there" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	}
}

// cutter breaks off after it has written so many bytes.
type cutter struct {
	net.Conn
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.Conn.Write(b[:n])
	if c.left -= n; n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
