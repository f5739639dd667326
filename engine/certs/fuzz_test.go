package certs

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"pen/conf"
)

// FuzzFile takes any text as the file of a certificate: it is used whole, or refused with an error that names the file.
func FuzzFile(f *testing.F) {
	top := root(f, "root")
	key := newKeyOf(f, "ecdsa")
	cert := top.issue(f, "www.example", key, nil)
	f.Add(encode(f, cert, top.cert, key))
	f.Add(encode(f, key, top.cert))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nDEK-Info: x\n\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "x.pem")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		front, err := NewFront(&conf.TLS{Certs: []string{file}}, nil, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), file) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		c := front.Certificates()[0]
		if len(c.list) == 0 || len(c.list) > maxChain || c.current.Load().PrivateKey == nil {
			t.Errorf("got a chain of %d", len(c.list))
		}
	})
}

// FuzzLists takes any text as revocation lists and OCSP responses.
func FuzzLists(f *testing.F) {
	top := root(f, "root")
	key := newKeyOf(f, "ecdsa")
	c := &Certificate{}
	c.list = append(c.list, top.issue(f, "www.example", key, nil))
	c.issuer = top.cert
	f.Add(top.list(f, time.Now().Add(time.Hour), c.leaf()))
	f.Add(top.firstList(f, time.Now().Add(time.Hour), c.leaf()))
	f.Add(top.word(f, c.leaf(), nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		lists, err := parseLists(text)
		if (err == nil) == (len(lists) == 0) {
			t.Errorf("got %d lists and the error %v", len(lists), err)
		}
		if r, err := ocsp.ParseResponse(text, nil); err == nil {
			_ = c.good(r, text, time.Now())
		}
	})
}

// FuzzNames takes any name of a file, and any name that a client asks for: a client finds what the file is for, and never
// anything by a name that is none.
func FuzzNames(f *testing.F) {
	f.Add("www.example.crt", "www.example")
	f.Add("_.example.crt", "a.example")
	f.Add("*.example.rsa.crt", "A.EXAMPLE")
	f.Add(".crt", "")
	f.Add("..crt", "..")
	f.Add("a/b.crt", "a/b")
	c := &Certificate{}
	c.current.Store(&tls.Certificate{})
	f.Fuzz(func(t *testing.T, file, asked string) {
		name := nameOf(file)
		if name == "" {
			return
		}
		n := names{exact: map[string][]*Certificate{}, wild: map[string][]*Certificate{}}
		n.add(name, c)
		found := n.choose(&tls.ClientHelloInfo{ServerName: asked}) != nil
		_, rest, dot := strings.Cut(strings.ToLower(asked), ".")
		wild, isWild := strings.CutPrefix(name, "*.")
		want := strings.ToLower(asked) == name && !isWild || isWild && dot && rest == wild
		if found != want {
			t.Errorf("file %q, asked for %q: found %t, want %t", file, asked, found, want)
		}
	})
}
