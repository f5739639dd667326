package certs

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// client makes a certificate for a client.
func (a *ca) client(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key := newKeyOf(t, "ecdsa")
	return *assemble([]*x509.Certificate{a.issue(t, name, key, nil), a.cert}, key, nil)
}

// Which clients are let in, in both versions, in a full handshake and in a resumed one.
func TestClients(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	top, ours, stranger := root(t, "root"), root(t, "clients"), root(t, "stranger")
	sub := ours.authority(t, "sub")
	top.putPair(t, in("www.pem"), "www.example", "ecdsa")
	put(t, in("ca.pem"), encode(t, ours.cert))
	if err := os.Mkdir(in("cas"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, in("cas/0a.0"), encode(t, ours.cert))
	put(t, in("cas/README"), []byte("nothing"))
	good, gone, other, below := ours.client(t, "good"), ours.client(t, "gone"), stranger.client(t, "other"), sub.client(t, "below")
	put(t, in("crl.pem"), ours.list(t, time.Now().Add(time.Hour), gone.Leaf))
	put(t, in("sub.pem"), ours.list(t, time.Now().Add(time.Hour), sub.cert))
	put(t, in("old.pem"), ours.list(t, time.Now().Add(-time.Minute)))
	put(t, in("first.pem"), ours.firstList(t, time.Now().Add(time.Hour), gone.Leaf))
	put(t, in("first-old.pem"), ours.firstList(t, time.Now().Add(-time.Minute)))
	required, optional := conf.VerifyRequired, conf.VerifyOptional
	tests := []struct {
		name   string
		client conf.ClientTLS
		cert   *tls.Certificate // nil = none
		want   string           // of the server's error; "" = it is let in
	}{
		{"nobody is asked", conf.ClientTLS{}, &other, ""},
		{"required", conf.ClientTLS{Verify: required, CAFile: in("ca.pem")}, &good, ""},
		{"required, from a directory", conf.ClientTLS{Verify: required, CADir: in("cas")}, &good, ""},
		{"required, from both", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CADir: in("cas")}, &good, ""},
		{"required, by way of another", conf.ClientTLS{Verify: required, CAFile: in("ca.pem")}, &below, ""},
		{"required, none", conf.ClientTLS{Verify: required, CAFile: in("ca.pem")}, nil, "client didn't provide a certificate"},
		{"required, a stranger's", conf.ClientTLS{Verify: required, CAFile: in("ca.pem")}, &other, "certificate signed by unknown authority"},
		{"optional, none", conf.ClientTLS{Verify: optional, CAFile: in("ca.pem")}, nil, ""},
		{"optional, a stranger's", conf.ClientTLS{Verify: optional, CAFile: in("ca.pem")}, &other, "certificate signed by unknown authority"},
		{"not revoked", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("crl.pem")}, &good, ""},
		{"revoked", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("crl.pem")}, &gone, "the certificate of CN=gone has been revoked"},
		{"its CA is revoked", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("sub.pem")}, &below, "the certificate of CN=sub has been revoked"},
		{"an old list", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("old.pem")}, &good, "the revocation list of CN=clients is out of date"},
		{"revoked, by a list of version 1", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("first.pem")}, &gone, "the certificate of CN=gone has been revoked"},
		{"not revoked, by a list of version 1", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("first.pem")}, &good, ""},
		{"an old list of version 1", conf.ClientTLS{Verify: required, CAFile: in("ca.pem"), CRL: in("first-old.pem")}, &good, "the revocation list of CN=clients is out of date"},
		{"optional, none, with a list", conf.ClientTLS{Verify: optional, CAFile: in("ca.pem"), CRL: in("crl.pem")}, nil, ""},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range tests {
			f := newFront(t, conf.TLS{Certs: []string{in("www.pem")}, Client: tt.client})
			c := trust(top, "www.example")
			c.MaxVersion = version
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if tt.cert == nil {
					return &tls.Certificate{}, nil
				}
				return tt.cert, nil
			}
			_, _, err := handshake(f, c)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s, %s: got %v, want %q", tt.name, tls.VersionName(version), err, tt.want)
			}
		}
	}
}

// A session does not outlive its certificate: a client that is revoked can't resume.
func TestRevokedSession(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	top, ours := root(t, "root"), root(t, "clients")
	top.putPair(t, in("www.pem"), "www.example", "ecdsa")
	put(t, in("ca.pem"), encode(t, ours.cert))
	put(t, in("crl.pem"), ours.list(t, time.Now().Add(time.Hour)))
	f := newFront(t, conf.TLS{Certs: []string{in("www.pem")}, Client: conf.ClientTLS{Verify: conf.VerifyRequired, CAFile: in("ca.pem"), CRL: in("crl.pem")}})
	c := trust(top, "www.example")
	cert := ours.client(t, "client")
	c.Certificates = []tls.Certificate{cert}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 2 {
		if s, _, err := handshake(f, c); err != nil || s.DidResume != (i > 0) {
			t.Fatalf("handshake %d: resumed %t, %v", i, s.DidResume, err)
		}
	}
	put(t, in("crl.pem"), ours.list(t, time.Now().Add(time.Hour), cert.Leaf))
	if got := shown(look(f), dir); got != "the CAs of clients has been read anew" {
		t.Errorf("got %q", got)
	}
	if _, _, err := handshake(f, c); err == nil || !strings.Contains(err.Error(), "has been revoked") {
		t.Errorf("got %v", err)
	}
	put(t, in("crl.pem"), []byte("garbage"))
	if got := shown(look(f), dir); got != "the CAs of clients stays as it was: crl.pem: expected revocation lists in PEM format" {
		t.Errorf("got %q", got)
	}
	if _, _, err := handshake(f, c); err == nil || !strings.Contains(err.Error(), "has been revoked") {
		t.Errorf("with a broken list: got %v", err)
	}
}

// NAME.ca says whose clients a name has.
func TestClientsOfName(t *testing.T) {
	dir := t.TempDir()
	top, ours, theirs := root(t, "root"), root(t, "clients"), root(t, "theirs")
	for _, name := range []string{"a.example", "b.example"} {
		key := newKeyOf(t, "ecdsa")
		put(t, filepath.Join(dir, name+".crt"), encode(t, top.issue(t, name, key, nil)))
		put(t, filepath.Join(dir, name+".key"), encode(t, key))
	}
	put(t, filepath.Join(dir, "b.example.ca"), encode(t, theirs.cert))
	file := put(t, filepath.Join(dir, "ca.pem"), encode(t, ours.cert))
	f := newFront(t, conf.TLS{SNIPath: dir, Client: conf.ClientTLS{Verify: conf.VerifyRequired, CAFile: file}})
	for name, want := range map[string]map[*ca]bool{"a.example": {ours: true, theirs: false}, "b.example": {ours: false, theirs: true}} {
		for by, ok := range want {
			c := trust(top, name)
			cert := by.client(t, "client")
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
			if _, _, err := handshake(f, c); (err == nil) != ok {
				t.Errorf("%s, client of %s: got %v", name, by.cert.Subject, err)
			}
		}
	}
	if _, _, err := handshake(f, trust(top, "nobody.example")); err == nil || !strings.Contains(err.Error(), "no certificates configured") {
		t.Errorf("a name without a certificate: got %v", err)
	}
}

// Sessions are resumed with the keys of before and after a rotation, until a key is gone.
func TestTickets(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	file := filepath.Join(dir, "www.pem")
	top.putPair(t, file, "www.example", "ecdsa")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := conf.TLS{Certs: []string{file}}
		f := newFront(t, s)
		c := trust(top, "www.example")
		c.MaxVersion = version
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		resumes := func(what string, f *Front, want bool) {
			t.Helper()
			if s, _, err := handshake(f, c); err != nil || s.DidResume != want {
				t.Errorf("%s, %s: resumed %t, %v, want %t", tls.VersionName(version), what, s.DidResume, err, want)
			}
		}
		resumes("first", f, false)
		resumes("again", f, true)
		now := time.Now()
		if f.Rotate(now) {
			t.Error("rotated at once")
		}
		if now = now.Add(ticketTime + time.Second); !f.Rotate(now) {
			t.Error("not rotated")
		}
		resumes("after a rotation", f, true)
		s.ALPN = []string{"h2"}
		other, err := NewFront(&s, f, Options{})
		if err != nil {
			t.Fatal(err)
		}
		resumes("with other settings", other, true)
		top.putPair(t, file, "www.example", "ecdsa")
		look(other)
		resumes("with another certificate", other, true)
		for range ticketKeys {
			now = now.Add(ticketTime + time.Second)
			other.Rotate(now)
		}
		resumes("with a key that is gone", other, false)
		if n := other.Counts().Rotations.Load(); n != ticketKeys+1 {
			t.Errorf("got %d rotations", n)
		}
		s.Tickets.Off = true
		off := newFront(t, s)
		resumes("without tickets", off, false)
		resumes("without tickets, again", off, false)
	}
}

// Two pens with the same key resume each other's sessions.
func TestSharedTickets(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	file, key, before := filepath.Join(dir, "www.pem"), filepath.Join(dir, "key"), filepath.Join(dir, "before")
	top.putPair(t, file, "www.example", "ecdsa")
	put(t, key, []byte(strings.Repeat("k", 80)))
	put(t, before, []byte(strings.Repeat("b", 48)))
	one := newFront(t, conf.TLS{Certs: []string{file}, Tickets: conf.Tickets{Keys: []string{before}}})
	two := newFront(t, conf.TLS{Certs: []string{file}, Tickets: conf.Tickets{Keys: []string{key, before}}})
	c := trust(top, "www.example")
	c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i, step := range []struct {
		f    *Front
		want bool
	}{{one, false}, {two, true}, {two, true}, {one, false}} {
		if s, _, err := handshake(step.f, c); err != nil || s.DidResume != step.want {
			t.Errorf("handshake %d: resumed %t, %v", i, s.DidResume, err)
		}
	}
	if two.Rotate(time.Now().Add(10 * ticketTime)) {
		t.Error("keys of files were rotated")
	}
	put(t, key, []byte("short"))
	if got := shown(look(two), dir); got != "the keys of session tickets stays as it was: key: expected 32 to 4096 random bytes" {
		t.Errorf("got %q", got)
	}
}
