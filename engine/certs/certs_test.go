package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pen/conf"
)

// ca is one that signs what tests want.
type ca struct {
	cert *x509.Certificate
	key  crypto.Signer
	up   *ca // who has signed it; nil = itself
}

var serial int64

// newKeyOf makes a key.
func newKeyOf(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		return rsaKey(t)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is the same for all: it takes long to find one.
var oneRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func rsaKey(testing.TB) crypto.Signer { return oneRSA() }

// issue makes a certificate; change may be nil.
func (a *ca) issue(t testing.TB, name string, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// authority makes a CA under this one, or a root.
func (a *ca) authority(t testing.TB, name string) *ca {
	t.Helper()
	key := newKeyOf(t, "ecdsa")
	return &ca{a.issue(t, name, key, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.DNSNames = true, true, nil
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
	}), key, a}
}

func root(t testing.TB, name string) *ca { return (*ca)(nil).authority(t, name) }

// encode returns certificates and keys in PEM format.
func encode(t testing.TB, of ...any) []byte {
	t.Helper()
	var text []byte
	for _, x := range of {
		b := &pem.Block{Type: "CERTIFICATE"}
		switch x := x.(type) {
		case *x509.Certificate:
			b.Bytes = x.Raw
		case crypto.Signer:
			der, err := x509.MarshalPKCS8PrivateKey(x)
			if err != nil {
				t.Fatal(err)
			}
			b.Type, b.Bytes = "PRIVATE KEY", der
		default:
			t.Fatalf("can't encode %T", x)
		}
		text = append(text, pem.EncodeToMemory(b)...)
	}
	return text
}

// put writes a file, as a whole, as a careful program would.
func put(t testing.TB, name string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	return name
}

// putPair writes a certificate of a new key, with its chain, and returns it.
func (a *ca) putPair(t testing.TB, file, name, kind string) *x509.Certificate {
	t.Helper()
	key := newKeyOf(t, kind)
	cert := a.issue(t, name, key, nil)
	put(t, file, encode(t, cert, a.cert, key))
	return cert
}

// handshake has a client with a configuration of its own meet a Front.
func handshake(f *Front, client *tls.Config) (server, peer tls.ConnectionState, err error) {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	s := tls.Server(a, f.Config())
	failed := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		if err != nil {
			a.Close()
		}
		failed <- err
	}()
	c := tls.Client(b, client)
	_, err = c.Read(make([]byte, 1)) // the server's word on the certificate of the client comes after the handshake
	if err != nil {
		b.Close() // the server may be about to say something
	}
	if refusal := <-failed; refusal != nil {
		err = refusal
	}
	return s.ConnectionState(), c.ConnectionState(), err
}

// connected returns both ends of a connection, which has room for what either says while nobody reads.
func connected() (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	if b, err = net.Dial("tcp", l.Addr().String()); err != nil {
		panic(err)
	}
	if a, err = l.Accept(); err != nil {
		panic(err)
	}
	patient := time.Now().Add(time.Minute)
	a.SetDeadline(patient)
	b.SetDeadline(patient)
	return a, b
}

func newFront(t testing.TB, s conf.TLS) *Front {
	t.Helper()
	f, err := NewFront(&s, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func trust(a *ca, name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: name}
}

// Which certificate a client gets: that of the file with the name, of a kind that it can check.
func TestChoice(t *testing.T) {
	dir := t.TempDir()
	sni := filepath.Join(dir, "sni")
	if err := os.Mkdir(sni, 0o700); err != nil {
		t.Fatal(err)
	}
	top := root(t, "root")
	sub := top.authority(t, "sub")
	want := map[string]*x509.Certificate{
		"ecdsa": sub.putPair(t, filepath.Join(dir, "ecdsa.pem"), "www.example", "ecdsa"),
		"rsa":   sub.putPair(t, filepath.Join(dir, "rsa.pem"), "www.example", "rsa"),
		"other": sub.putPair(t, filepath.Join(dir, "other.pem"), "*.san.example", "ecdsa"),
	}
	for name, file := range map[string]string{"a.example": "a.example", "both.ecdsa": "both.example.ecdsa", "both.rsa": "both.example.rsa", "*.wild.example": "_.wild.example"} {
		kind := "ecdsa"
		if strings.HasSuffix(name, ".rsa") {
			kind = "rsa"
		}
		key := newKeyOf(t, kind)
		cert := sub.issue(t, strings.ReplaceAll(strings.ReplaceAll(name, "both.ecdsa", "both.example"), "both.rsa", "both.example"), key, nil)
		put(t, filepath.Join(sni, file+".crt"), encode(t, cert, sub.cert))
		put(t, filepath.Join(sni, file+".key"), encode(t, key))
		want[name] = cert
	}
	f := newFront(t, conf.TLS{Certs: []string{filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "ecdsa.pem"), filepath.Join(dir, "other.pem")}, SNIPath: sni})
	rsa12 := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	tests := []struct {
		name, server string
		suites       []uint16
		want         string
	}{
		{"both kinds", "www.example", nil, "ecdsa"},
		{"only RSA", "www.example", rsa12, "rsa"},
		{"a name in no file", "x.san.example", nil, "other"},
		{"a file", "a.example", nil, "a.example"},
		{"capital letters", "A.Example", nil, "a.example"},
		{"two files", "both.example", nil, "both.ecdsa"},
		{"two files, only RSA", "both.example", rsa12, "both.rsa"},
		{"a star", "x.wild.example", nil, "*.wild.example"},
		{"nobody's name", "nobody.example", nil, "ecdsa"},
		{"nobody's name, only RSA", "nobody.example", rsa12, "rsa"},
		{"a star is one word", "x.y.wild.example", nil, "ecdsa"},
	}
	for _, tt := range tests {
		c := trust(top, tt.server)
		c.InsecureSkipVerify = strings.HasPrefix(tt.name, "nobody") || tt.name == "a star is one word"
		if tt.suites != nil {
			c.CipherSuites, c.MaxVersion = tt.suites, tls.VersionTLS12
		}
		_, got, err := handshake(f, c)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !got.PeerCertificates[0].Equal(want[tt.want]) {
			t.Errorf("%s: got %v, want %s", tt.name, got.PeerCertificates[0].DNSNames, tt.want)
		}
		if len(got.PeerCertificates) != 2 {
			t.Errorf("%s: got a chain of %d, want 2", tt.name, len(got.PeerCertificates))
		}
	}
}
