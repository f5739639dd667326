package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// got returns the certificate that a client of a name gets.
func got(t testing.TB, f *Front, by *ca, name string) *x509.Certificate {
	t.Helper()
	c := trust(by, name)
	c.InsecureSkipVerify = true
	_, peer, err := handshake(f, c)
	if err != nil {
		t.Fatal(err)
	}
	return peer.PeerCertificates[0]
}

// look polls until what is on the disk has settled, and returns what came of it.
func look(f *Front) []Event { return append(f.Poll(), f.Poll()...) }

// shown returns events as they are told, with the files without their directories.
func shown(events []Event, dir string) string {
	var lines []string
	for _, e := range events {
		line := e.String()
		if e.Err != nil {
			line += ": " + e.Err.Error()
		}
		lines = append(lines, strings.ReplaceAll(line, dir+"/", ""))
	}
	return strings.Join(lines, "\n")
}

// Files that change are taken when they have settled; what can't be used is left, and said once.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	in := func(name string) string { return filepath.Join(dir, name) }
	sni := in("sni")
	if err := os.Mkdir(sni, 0o700); err != nil {
		t.Fatal(err)
	}
	pair := func(name string) *x509.Certificate {
		t.Helper()
		key := newKeyOf(t, "ecdsa")
		cert := top.issue(t, name, key, nil)
		put(t, filepath.Join(sni, name+".crt"), encode(t, cert))
		put(t, filepath.Join(sni, name+".key"), encode(t, key))
		return cert
	}
	first := top.putPair(t, in("www.pem"), "www.example", "ecdsa")
	a := pair("a.example")
	f := newFront(t, conf.TLS{Certs: []string{in("www.pem")}, SNIPath: sni})
	if events := look(f); events != nil {
		t.Fatalf("nothing has changed, but %s", shown(events, dir))
	}
	foreign := encode(t, newKeyOf(t, "ecdsa"))
	var second, third, b *x509.Certificate
	is := func(name string, want **x509.Certificate) func() bool {
		return func() bool { return got(t, f, top, name).Equal(*want) }
	}
	steps := []struct {
		name, want string
		do         func()
		then       func() bool
	}{
		{"a new certificate", "www.pem has been read anew", func() { second = top.putPair(t, in("www.pem"), "www.example", "ecdsa") }, is("www.example", &second)},
		{"nothing", "", func() {}, is("www.example", &second)},
		{"one without its key", "www.pem stays as it was: www.pem: there is no key for this certificate: expected one in the same file or by ssl_key",
			func() { put(t, in("www.pem"), encode(t, first)) }, is("www.example", &second)},
		{"still without it", "", func() {}, is("www.example", &second)},
		{"garbage", "www.pem stays as it was: www.pem: expected a certificate in PEM format", func() { put(t, in("www.pem"), []byte("garbage")) }, is("www.example", &second)},
		{"none", "www.pem stays as it was: stat www.pem: no such file or directory", func() { os.Remove(in("www.pem")) }, is("www.example", &second)},
		{"mended", "www.pem has been read anew", func() { third = top.putPair(t, in("www.pem"), "www.example", "ecdsa") }, is("www.example", &third)},
		{"a new name", "sni/b.example.crt is new", func() { b = pair("b.example") }, is("b.example", &b)},
		{"a broken pair", "sni/a.example.crt stays as it was: sni/a.example.crt: no key belongs to this certificate: none of those in [sni/a.example.key] matches",
			func() { put(t, filepath.Join(sni, "a.example.key"), foreign) }, is("a.example", &a)},
		{"a pair that was never whole", "sni/c.example.crt is left out: stat sni/c.example.key: no such file or directory",
			func() { put(t, filepath.Join(sni, "c.example.crt"), encode(t, first)) }, is("c.example", &third)},
		{"a name less", "sni/b.example.crt is gone", func() { os.Remove(filepath.Join(sni, "b.example.crt")) }, is("b.example", &third)},
		{"the directory", "sni stays as it was: open sni: no such file or directory", func() { os.Rename(sni, sni+".old") }, is("a.example", &a)},
		{"the directory is back", "sni/a.example.crt stays as it was: sni/a.example.crt: no key belongs to this certificate: none of those in [sni/a.example.key] matches\n" +
			"sni/c.example.crt is left out: stat sni/c.example.key: no such file or directory", func() { os.Rename(sni+".old", sni) }, is("a.example", &a)},
	}
	for _, tt := range steps {
		tt.do()
		if got := shown(look(f), dir); strings.ReplaceAll(got, dir, "") != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
		if !tt.then() {
			t.Errorf("%s: a client got another certificate", tt.name)
		}
	}
	if got := shown(f.Reload(), dir); !strings.Contains(got, "a.example.crt stays") || !strings.Contains(got, "c.example.crt is left out") {
		t.Errorf("told to read again: got %q, want what is broken", got)
	}
	if n := f.Counts(); n.Read.Load() == 0 || n.Unread.Load() == 0 {
		t.Errorf("got the counts %d and %d", n.Read.Load(), n.Unread.Load())
	}
}

// A certificate and its key are two files: what lies between them is no time to look.
func TestHalfWritten(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	write := func(half func()) *x509.Certificate {
		k := newKeyOf(t, "ecdsa")
		c := top.issue(t, "www.example", k, nil)
		put(t, cert, encode(t, c))
		half()
		put(t, key, encode(t, k))
		return c
	}
	write(func() {})
	f := newFront(t, conf.TLS{Certs: []string{cert}, Keys: []string{key}})
	want := write(func() {
		if events := f.Poll(); events != nil {
			t.Errorf("half-way: %s", shown(events, dir))
		}
	})
	if events := look(f); shown(events, dir) != "crt has been read anew" {
		t.Errorf("got %q", shown(events, dir))
	}
	if !got(t, f, top, "www.example").Equal(want) {
		t.Error("got another certificate")
	}
}

// Other settings are possible when the keys can't be read any more: pen has become another user.
func TestSettingsWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	file := filepath.Join(dir, "www.pem")
	want := top.putPair(t, file, "www.example", "ecdsa")
	s := conf.TLS{Certs: []string{file}}
	f := newFront(t, s)
	if !f.Fits(&conf.TLS{Certs: []string{file}}) {
		t.Error("the same settings are others")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.ALPN = []string{"h2"}
	if f.Fits(&s) {
		t.Error("other settings are the same")
	}
	again, err := NewFront(&s, f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !got(t, again, top, "www.example").Equal(want) {
		t.Error("got another certificate")
	}
	if n := again.Notices(); len(n) != 1 || !strings.Contains(n[0], "www.pem stays as it was") {
		t.Errorf("got the notices %q", n)
	}
	put(t, file, []byte("garbage"))
	if _, err := NewFront(&s, f, Options{}); err == nil {
		t.Error("a file that is wrong, not out of reach, is no error")
	}
}

// list makes a revocation list.
func (a *ca) list(t testing.TB, next time.Time, revoked ...*x509.Certificate) []byte {
	t.Helper()
	serial++
	l := &x509.RevocationList{Number: a.cert.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: next}
	for _, c := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(nil, l, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// firstList makes a revocation list of version 1, as "openssl ca -gencrl" does.
func (a *ca) firstList(t testing.TB, next time.Time, revoked ...*x509.Certificate) []byte {
	t.Helper()
	type entry struct {
		Serial *big.Int
		When   time.Time
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	list := struct {
		Algorithm        pkix.AlgorithmIdentifier
		Issuer           asn1.RawValue
		ThisUpdate, Next time.Time
		Revoked          []entry `asn1:"omitempty"`
	}{algorithm, asn1.RawValue{FullBytes: a.cert.RawSubject}, next.Add(-time.Hour).UTC(), next.UTC(), nil}
	for _, c := range revoked {
		list.Revoked = append(list.Revoked, entry{c.SerialNumber, list.ThisUpdate})
	}
	text, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	signature, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		List      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: text}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// What keeps pen from starting names the file, and holds nothing of what is in it.
func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	top, stranger := root(t, "root"), root(t, "stranger")
	key := newKeyOf(t, "ecdsa")
	cert := top.issue(t, "www.example", key, nil)
	put(t, in("good.pem"), encode(t, cert, key))
	put(t, in("cert.pem"), encode(t, cert))
	put(t, in("key.pem"), encode(t, key))
	put(t, in("ca.pem"), encode(t, top.cert))
	put(t, in("foreign.key"), encode(t, newKeyOf(t, "ecdsa")))
	put(t, in("empty"), nil)
	put(t, in("long"), make([]byte, maxFile+1))
	put(t, in("bad.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("secret words")}))
	put(t, in("bad.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret words")}))
	put(t, in("encrypted.key"), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret words")}))
	put(t, in("old.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "x"}, Bytes: []byte("secret words")}))
	put(t, in("stranger.crl"), stranger.list(t, time.Now().Add(time.Hour)))
	put(t, in("stranger-first.crl"), stranger.firstList(t, time.Now().Add(time.Hour)))
	put(t, in("short"), []byte("0123456789"))
	if err := os.Mkdir(in("none"), 0o700); err != nil {
		t.Fatal(err)
	}
	good := []string{in("good.pem")}
	required := conf.ClientTLS{Verify: conf.VerifyRequired, CAFile: in("ca.pem")}
	with := func(change func(*conf.ClientTLS)) conf.TLS {
		c := required
		change(&c)
		return conf.TLS{Certs: good, Client: c}
	}
	tests := []struct {
		name string
		s    conf.TLS
		want string
	}{
		{"no file", conf.TLS{Certs: []string{in("nothing")}}, "ssl_cert: stat nothing: no such file or directory"},
		{"a directory", conf.TLS{Certs: []string{dir}}, "ssl_cert: : expected a regular file"},
		{"empty", conf.TLS{Certs: []string{in("empty")}}, "ssl_cert: empty: expected a certificate in PEM format"},
		{"long", conf.TLS{Certs: []string{in("long")}}, "ssl_cert: long: expected a file of at most 4194304 bytes"},
		{"no certificate", conf.TLS{Certs: []string{in("key.pem")}}, "ssl_cert: key.pem: expected a certificate in PEM format"},
		{"a bad certificate", conf.TLS{Certs: []string{in("bad.pem")}}, "ssl_cert: bad.pem: certificate 1 in it can't be read: x509: malformed certificate"},
		{"no key", conf.TLS{Certs: []string{in("cert.pem")}}, "ssl_cert: cert.pem: there is no key for this certificate: expected one in the same file or by ssl_key"},
		{"a foreign key", conf.TLS{Certs: []string{in("cert.pem")}, Keys: []string{in("foreign.key")}}, "ssl_cert: cert.pem: no key belongs to this certificate: none of those in [foreign.key cert.pem] matches"},
		{"no key in the file", conf.TLS{Certs: []string{in("cert.pem")}, Keys: []string{in("ca.pem")}}, "ssl_cert: ca.pem: expected a private key in PEM format"},
		{"a bad key", conf.TLS{Certs: []string{in("cert.pem")}, Keys: []string{in("bad.key")}}, "ssl_cert: bad.key: the key in it can't be read; expected one of ECDSA, RSA or Ed25519 in PEM format"},
		{"an encrypted key", conf.TLS{Certs: []string{in("cert.pem")}, Keys: []string{in("encrypted.key")}}, "ssl_cert: encrypted.key: the key in it is encrypted; expected one without a passphrase, as pen starts with nobody to ask"},
		{"a key encrypted in the old way", conf.TLS{Certs: []string{in("cert.pem")}, Keys: []string{in("old.key")}}, "ssl_cert: old.key: the key in it is encrypted; expected one without a passphrase, as pen starts with nobody to ask"},
		{"no directory", conf.TLS{SNIPath: in("nothing")}, "ssl_sni_path: open nothing: no such file or directory"},
		{"clients without CAs", conf.TLS{Certs: good, Client: conf.ClientTLS{Verify: conf.VerifyRequired}}, "ssl_verify: expected certificates of CAs, to check those of clients by: set ssl_ca_file (-G) or ssl_ca_dir (-A)"},
		{"no CAs in the file", with(func(c *conf.ClientTLS) { c.CAFile = in("key.pem") }), "ssl_cert: key.pem: expected certificates in PEM format"},
		{"no CAs in the directory", with(func(c *conf.ClientTLS) { c.CADir = in("none") }), "ssl_ca_file, ssl_ca_dir, ssl_crl: none: expected files with certificates in PEM format"},
		{"no list", with(func(c *conf.ClientTLS) { c.CRL = in("ca.pem") }), "ssl_ca_file, ssl_ca_dir, ssl_crl: ca.pem: expected revocation lists in PEM format"},
		{"a list of a stranger", with(func(c *conf.ClientTLS) { c.CRL = in("stranger.crl") }),
			"ssl_ca_file, ssl_ca_dir, ssl_crl: stranger.crl: the list of CN=stranger is signed by none of the CAs of ssl_ca_file and ssl_ca_dir"},
		{"a list of version 1 of a stranger", with(func(c *conf.ClientTLS) { c.CRL = in("stranger-first.crl") }),
			"ssl_ca_file, ssl_ca_dir, ssl_crl: stranger-first.crl: the list of CN=stranger is signed by none of the CAs of ssl_ca_file and ssl_ca_dir"},
		{"a short key of tickets", conf.TLS{Certs: good, Tickets: conf.Tickets{Keys: []string{in("short")}}}, "ssl_ticket_key: short: expected 32 to 4096 random bytes"},
		{"no OCSP response", conf.TLS{Certs: good, OCSP: conf.OCSP{Response: in("ca.pem")}}, "ssl_cert: ca.pem: expected an OCSP response in DER format: "},
	}
	for _, tt := range tests {
		_, err := NewFront(&tt.s, nil, Options{})
		if err == nil {
			t.Errorf("%s: no error, want %s", tt.name, tt.want)
			continue
		}
		text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), dir+"/", ""), dir, "")
		if !strings.HasPrefix(text, tt.want) {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, text, tt.want)
		}
		if strings.Contains(text, "secret") {
			t.Errorf("%s: the error tells what is in the file: %s", tt.name, text)
		}
	}
}

// What works, but is odd, is said.
func TestNotices(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	tests := []struct {
		name, want string
		mode       os.FileMode
		change     func(*x509.Certificate)
	}{
		{"all is well", "", 0o600, nil},
		{"a key for everybody", "everybody may read this key; expected mode 0600 or 0640", 0o644, nil},
		{"expired", "the certificate has expired on ", 0o600, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }},
		{"not yet valid", "the certificate is not valid before ", 0o600, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }},
		{"no chain", "the file holds no certificate of CN=root", 0o600, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example/"} }},
	}
	for i, tt := range tests {
		key := newKeyOf(t, "ecdsa")
		file := put(t, filepath.Join(dir, string(rune('a'+i))), encode(t, top.issue(t, "www.example", key, tt.change), key))
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		f := newFront(t, conf.TLS{Certs: []string{file}})
		n := strings.Join(f.Notices(), "\n")
		if tt.want == "" && n != "" || !strings.Contains(n, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, n, tt.want)
		}
		if n := f.Notices(); n != nil {
			t.Errorf("%s: said again: %q", tt.name, n)
		}
	}
}

// A chain is put into order, without its root, and completed by the file of CAs.
func TestChain(t *testing.T) {
	dir := t.TempDir()
	top := root(t, "root")
	sub := top.authority(t, "sub")
	low := sub.authority(t, "low")
	key := newKeyOf(t, "ecdsa")
	cert := low.issue(t, "www.example", key, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "www"} })
	stranger := root(t, "low") // of the same name
	tests := []struct {
		name string
		file []any
		ca   []any
		want string
	}{
		{"in order", []any{cert, low.cert, sub.cert, key}, nil, "www low sub"},
		{"in disorder", []any{key, top.cert, sub.cert, low.cert, cert}, nil, "www low sub"},
		{"alone", []any{cert, key}, nil, "www"},
		{"completed", []any{cert, key}, []any{top.cert, sub.cert, low.cert}, "www low sub"},
		{"with a stranger", []any{cert, stranger.cert, low.cert, key}, nil, "www low"},
	}
	for _, tt := range tests {
		s := conf.TLS{Certs: []string{put(t, filepath.Join(dir, "www.pem"), encode(t, tt.file...))}}
		if tt.ca != nil {
			s.Client.CAFile = put(t, filepath.Join(dir, "ca.pem"), encode(t, tt.ca...))
		}
		var names []string
		for _, c := range newFront(t, s).Certificates()[0].list {
			names = append(names, c.Subject.CommonName)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
