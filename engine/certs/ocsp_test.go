package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"pen/conf"
)

// word makes an OCSP response; change may be nil.
func (a *ca) word(t testing.TB, of *x509.Certificate, change func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: of.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	if change != nil {
		change(&r)
	}
	der, err := ocsp.CreateResponse(a.cert, a.cert, r, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A response from a file is stapled if it is good, and left out with a notice if not.
func TestOCSPFile(t *testing.T) {
	dir := t.TempDir()
	top, stranger := root(t, "root"), root(t, "root")
	key := newKeyOf(t, "ecdsa")
	cert := top.issue(t, "www.example", key, nil)
	other := top.issue(t, "www.example", key, nil)
	file := put(t, filepath.Join(dir, "www.pem"), encode(t, cert, top.cert, key))
	tests := []struct {
		name, want string // notice; "" = it is stapled
		der        []byte
	}{
		{"good", "", top.word(t, cert, nil)},
		{"for ever", "", top.word(t, cert, func(r *ocsp.Response) { r.NextUpdate = time.Time{} })},
		{"old", "it is out of date since", top.word(t, cert, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-time.Minute) })},
		{"not yet", "it is not valid before", top.word(t, cert, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(30 * time.Minute) })},
		{"revoked", "the certificate has been revoked on", top.word(t, cert, func(r *ocsp.Response) { r.Status = ocsp.Revoked; r.RevokedAt = time.Now() })},
		{"unknown", "the CA does not know the certificate", top.word(t, cert, func(r *ocsp.Response) { r.Status = ocsp.Unknown })},
		{"another certificate", "no response matching", top.word(t, other, nil)},
		{"a stranger", "bad OCSP signature", stranger.word(t, cert, nil)},
	}
	for _, tt := range tests {
		s := conf.TLS{Certs: []string{file}, OCSP: conf.OCSP{Response: put(t, filepath.Join(dir, "ocsp"), tt.der)}}
		f := newFront(t, s)
		_, peer, err := handshake(f, trust(top, "www.example"))
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Join(f.Notices(), "\n")
		if stapled := len(peer.OCSPResponse) > 0; stapled != (tt.want == "") || !strings.Contains(n, tt.want) || tt.want == "" && n != "" {
			t.Errorf("%s: stapled %t, notices %q, want %q", tt.name, stapled, n, tt.want)
		}
	}
	f := newFront(t, conf.TLS{Certs: []string{file}, OCSP: conf.OCSP{Response: put(t, filepath.Join(dir, "ocsp"), tests[0].der)}})
	c := f.Certificates()[0]
	if c.Expire(time.Now()) || c.Stapled() == nil {
		t.Error("a good response has expired")
	}
	if !c.Expire(time.Now().Add(2*time.Hour)) || c.Stapled() != nil || c.current.Load().OCSPStaple != nil {
		t.Error("an old response has not expired")
	}
}

// What CAs answer, and what becomes of it.
func TestFetch(t *testing.T) {
	dir := t.TempDir()
	top, stranger := root(t, "root"), root(t, "root")
	var answer func(w http.ResponseWriter, serial *ocsp.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		question, err := ocsp.ParseRequest(body)
		if err != nil {
			t.Errorf("got a question that can't be read: %v", err)
			return
		}
		answer(w, question)
	}))
	defer server.Close()
	mustStaple, _ := asn1.Marshal([]int{statusRequest})
	key := newKeyOf(t, "ecdsa")
	cert := top.issue(t, "www.example", key, func(c *x509.Certificate) {
		c.OCSPServer = []string{"https://ca.example/", server.URL}
		c.ExtraExtensions = []pkix.Extension{{Id: tlsFeature, Value: mustStaple}}
	})
	file := put(t, filepath.Join(dir, "www.pem"), encode(t, cert, top.cert, key))
	f := newFront(t, conf.TLS{Certs: []string{file}, OCSP: conf.OCSP{Fetch: true}})
	c := f.Certificates()[0]
	if c.Responder() != server.URL || !c.MustStaple() || !f.Fetches() {
		t.Fatalf("got the responder %q, must staple %t", c.Responder(), c.MustStaple())
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	der := func(b []byte) func(http.ResponseWriter, *ocsp.Request) {
		return func(w http.ResponseWriter, _ *ocsp.Request) { w.Write(b) }
	}
	tests := []struct {
		name, want string
		answer     func(http.ResponseWriter, *ocsp.Request)
	}{
		{"nothing", "asn1", der(nil)},
		{"garbage", "asn1", der([]byte("<html>"))},
		{"too much", "more than 65536 bytes", der(make([]byte, maxResponse+1))},
		{"an error", "503", func(w http.ResponseWriter, _ *ocsp.Request) { w.WriteHeader(503) }},
		{"elsewhere", "302", func(w http.ResponseWriter, _ *ocsp.Request) {
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(302)
		}},
		{"a stranger", "bad OCSP signature", der(stranger.word(t, cert, nil))},
		{"revoked", "revoked", der(top.word(t, cert, func(r *ocsp.Response) { r.Status = ocsp.Revoked }))},
		{"try later", "try later", der(ocsp.TryLaterErrorResponse)},
		{"good", "", func(w http.ResponseWriter, q *ocsp.Request) {
			if q.SerialNumber.Cmp(cert.SerialNumber) != 0 {
				t.Errorf("asked for %s", q.SerialNumber)
			}
			w.Write(top.word(t, cert, nil))
		}},
		{"bad after good", "503", func(w http.ResponseWriter, _ *ocsp.Request) { w.WriteHeader(503) }},
	}
	for _, tt := range tests {
		answer = tt.answer
		err := c.Fetch(context.Background(), client)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		good := tt.want == "" || tt.name == "bad after good"
		if _, peer, err := handshake(f, trust(top, "www.example")); err != nil || len(peer.OCSPResponse) > 0 != good {
			t.Errorf("%s: stapled %t, %v", tt.name, len(peer.OCSPResponse) > 0, err)
		}
	}
	put(t, file, encode(t, cert, top.cert, key)) // the same again: what was fetched goes on
	look(f)
	if again := f.Certificates()[0]; again == c || again.Stapled() == nil {
		t.Error("a certificate that was read again has lost its response")
	}
	now := time.Now()
	for failures, most := range []time.Duration{time.Hour, 12 * time.Second, 24 * time.Second, 48 * time.Second} {
		if d := c.NextFetch(now, failures); d <= 0 || d > most {
			t.Errorf("after %d failures: asked again in %v, want at most %v", failures, d, most)
		}
	}
	if d := c.NextFetch(now, 1000); d > retryMost*11/10 || d < retryMost*9/10 {
		t.Errorf("after very many failures: asked again in %v", d)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Fetch(cancelled, client); err == nil {
		t.Error("no error for a question that was given up")
	}
}

// TLS to servers: what is checked.
func TestUpstream(t *testing.T) {
	dir := t.TempDir()
	top, stranger := root(t, "root"), root(t, "stranger")
	key := newKeyOf(t, "ecdsa")
	cert := top.issue(t, "www.example", key, func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, []byte{192, 0, 2, 1}) })
	server := newFront(t, conf.TLS{Certs: []string{put(t, filepath.Join(dir, "www.pem"), encode(t, cert, key))}})
	ca := put(t, filepath.Join(dir, "ca.pem"), encode(t, top.cert))
	foreign := put(t, filepath.Join(dir, "foreign.pem"), encode(t, stranger.cert))
	tests := []struct {
		name, host string
		tls        conf.ServerTLS
		sni, want  string
	}{
		{"not checked", "x.example", conf.ServerTLS{On: true}, "x.example", ""},
		{"checked", "www.example", conf.ServerTLS{On: true, Verify: ca}, "www.example", ""},
		{"another name", "x.example", conf.ServerTLS{On: true, Verify: ca}, "x.example", "certificate is valid for www.example"},
		{"named", "x.example", conf.ServerTLS{On: true, Verify: ca, SNI: "www.example"}, "www.example", ""},
		{"by address", "192.0.2.1", conf.ServerTLS{On: true, Verify: ca}, "", ""},
		{"by another address", "192.0.2.2", conf.ServerTLS{On: true, Verify: ca}, "", "certificate is valid for 192.0.2.1"},
		{"by a path", "/run/app", conf.ServerTLS{On: true, Verify: ca, SNI: "www.example"}, "www.example", ""},
		{"by a path, not checked", "/run/app", conf.ServerTLS{On: true}, "", ""},
		{"another CA", "www.example", conf.ServerTLS{On: true, Verify: foreign}, "www.example", "unknown authority"},
	}
	for _, tt := range tests {
		u, err := NewUpstream(tt.tls, tt.host, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s, _, err := handshakeWith(server, u.Config())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err == nil && s.ServerName != tt.sni {
			t.Errorf("%s: asked for %q, want %q", tt.name, s.ServerName, tt.sni)
		}
	}
	if _, err := NewUpstream(conf.ServerTLS{On: true, Verify: ca}, "/run/app", nil); err == nil || !strings.Contains(err.Error(), "expected sni NAME") {
		t.Errorf("a path without a name: got %v", err)
	}
	if _, err := NewUpstream(conf.ServerTLS{On: true, Verify: filepath.Join(dir, "none")}, "a", nil); err == nil || !strings.Contains(err.Error(), "tls verify: ") {
		t.Errorf("no file: got %v", err)
	}
	u, err := NewUpstream(conf.ServerTLS{On: true, Verify: foreign}, "www.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	was := u.Config()
	put(t, foreign, []byte("garbage"))
	if got := shown(append(u.Poll(), u.Poll()...), dir); got != "foreign.pem stays as it was: foreign.pem: expected certificates in PEM format" || u.Config() != was {
		t.Errorf("got %q", got)
	}
	put(t, foreign, encode(t, stranger.cert, top.cert))
	if got := shown(append(u.Poll(), u.Poll()...), dir); got != "foreign.pem has been read anew" {
		t.Errorf("got %q", got)
	}
	if _, _, err := handshakeWith(server, u.Config()); err != nil {
		t.Errorf("with the CA added: %v", err)
	}
}

// handshakeWith is a handshake whose error is the client's.
func handshakeWith(f *Front, client *tls.Config) (server, peer tls.ConnectionState, err error) {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	s := tls.Server(a, f.Config())
	done := make(chan struct{})
	go func() {
		s.Handshake() // what the client has to say is asked of it
		close(done)
	}()
	c := tls.Client(b, client)
	err = c.Handshake()
	<-done
	return s.ConnectionState(), c.ConnectionState(), err
}
