package engine

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"pen/conf"
)

// header makes a PROXY header for a client and whom it has connected to.
func header(t testing.TB, version conf.ProxyVersion, from, to string) string {
	t.Helper()
	b, err := newProxyHeader(version, netip.MustParseAddrPort(from), netip.MustParseAddrPort(to), false).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProxySize(t *testing.T) {
	v1 := "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n"
	v2 := header(t, conf.ProxyV2, "192.0.2.1:1000", "192.0.2.2:80")
	tests := []struct {
		name, in string
		want     int
		err      string
	}{
		{"text", v1, len(v1), ""},
		{"text and more", v1 + "GET /\r\n", len(v1), ""},
		{"binary", v2, len(v2), ""},
		{"binary and more", v2 + "GET /", len(v2), ""},
		{"something else", "GET / HTTP/1.1\r\n\r\n", 0, "no PROXY header"},
		{"almost text", "PROXYX", 0, "no PROXY header"},
		{"text without an end", v1[:6] + strings.Repeat("x", 101), 0, "no PROXY header"},
		{"a long one", v2[:14] + "\xff\xff", 0, "a PROXY header of 65551 bytes, of at most 4096"},
	}
	for _, tt := range tests {
		got, err := proxySize([]byte(tt.in))
		if got != tt.want || fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
			t.Errorf("%s: got %d, %v, want %d, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
	for _, whole := range []string{v1, v2} {
		for n := range len(whole) {
			if got, err := proxySize([]byte(whole[:n])); got != 0 || err != nil {
				t.Errorf("%q: got %d, %v, want to be told to wait", whole[:n], got, err)
			}
		}
	}
}

func TestNewProxyHeader(t *testing.T) {
	tests := []struct {
		name     string
		version  conf.ProxyVersion
		from, to string
		want     string
	}{
		{"v1", conf.ProxyV1, "192.0.2.1:1000", "192.0.2.2:80", "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n"},
		{"v1, IPv6", conf.ProxyV1, "[2001:db8::1]:1000", "[2001:db8::2]:80", "PROXY TCP6 2001:db8::1 2001:db8::2 1000 80\r\n"},
		{"v1, both families", conf.ProxyV1, "192.0.2.1:1000", "[2001:db8::2]:80", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1000 80\r\n"},
		{"v1, no address", conf.ProxyV1, "", "", "PROXY UNKNOWN\r\n"},
		{"v2", conf.ProxyV2, "192.0.2.1:1000", "192.0.2.2:80", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x03\xe8\x00\x50"},
		{"v2, no address", conf.ProxyV2, "", "", "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"},
	}
	for _, tt := range tests {
		from, _ := netip.ParseAddrPort(tt.from)
		to, _ := netip.ParseAddrPort(tt.to)
		if got, err := newProxyHeader(tt.version, from, to, false).Format(); err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestAddFacts(t *testing.T) {
	h := newProxyHeader(conf.ProxyV2, netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:80"), false)
	if err := addFacts(h, tlsFacts{version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", protocol: "h2", name: "www.example", client: "joe", verified: true}); err != nil {
		t.Fatal(err)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	again, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := again.TLVs()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range list[:len(list)-1] {
		got = append(got, fmt.Sprintf("%#x=%s", byte(v.Type), v.Value))
	}
	secure, ok := tlvparse.FindSSL(list)
	version, _ := secure.SSLVersion()
	cipher, _ := secure.SSLCipher()
	name, _ := secure.ClientCN()
	got = append(got, fmt.Sprint(ok, secure.Verified(), secure.ClientCertConn()), version, cipher, name)
	if g, want := strings.Join(got, " "), "0x1=h2 0x2=www.example true true true TLSv1.3 TLS_AES_128_GCM_SHA256 joe"; g != want {
		t.Errorf("got %s, want %s", g, want)
	}
}

// telling is a server that wants a PROXY header and answers with the client that it names.
func telling(t *testing.T, version conf.ProxyVersion) conf.Server {
	s := backend(t, func(c *net.TCPConn) {
		b := bufio.NewReader(c)
		h, err := proxyproto.Read(b)
		if err != nil {
			fmt.Fprintf(c, "%v", err)
			return
		}
		line, _ := b.ReadString('\n')
		fmt.Fprintf(c, "v%d %v %v %s", h.Version, h.SourceAddr, h.DestinationAddr, line)
	})
	s.Proxy = version
	return s
}

// A client that a trusted proxy names is the one that servers are told of, in one piece or many.
func TestProxyBothWays(t *testing.T) {
	const from, to = "192.0.2.1:1000", "192.0.2.2:80"
	for _, in := range []conf.ProxyVersion{conf.ProxyV1, conf.ProxyV2} {
		for _, out := range []conf.ProxyVersion{conf.ProxyV1, conf.ProxyV2} {
			for _, pieces := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s to %s, pieces %t", in, out, pieces), func(t *testing.T) {
					e := start(t, func(s *conf.Settings, v *conf.Service) {
						v.Proxy = conf.Proxy{Accept: true}
						v.Servers = []conf.Server{telling(t, out)}
					})
					c := dial(t, e)
					said := header(t, in, from, to) + "hello\n"
					if !pieces {
						io.WriteString(c, said)
					} else {
						for i := range len(said) {
							io.WriteString(c, said[i:i+1])
						}
					}
					got, err := io.ReadAll(c)
					if want := fmt.Sprintf("v%d %s %s hello\n", out, from, to); string(got) != want || err != nil {
						t.Errorf("got %q, %v, want %q", got, err, want)
					}
				})
			}
		}
	}
}

// A server is told of the client itself where nobody spoke for it: no header was expected, its peer is not trusted, or
// the proxy spoke of itself.
func TestProxyOfPlainClients(t *testing.T) {
	tests := []struct {
		name   string
		change func(*conf.Settings, *conf.Service)
		say    string
	}{
		{"none expected", func(*conf.Settings, *conf.Service) {}, ""},
		{"not trusted", func(s *conf.Settings, v *conf.Service) {
			v.Proxy = conf.Proxy{Accept: true, ACL: 1}
			s.ACL[1] = conf.ACL{{Permit: true, Addr: netip.MustParseAddr("192.0.2.9"), Bits: 32}}
		}, ""},
		{"local", func(s *conf.Settings, v *conf.Service) { v.Proxy.Accept = true }, "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				tt.change(s, v)
				v.Servers = []conf.Server{telling(t, conf.ProxyV2)}
			})
			c := dial(t, e)
			io.WriteString(c, tt.say+"hello\n")
			got, err := io.ReadAll(c)
			if want := fmt.Sprintf("v2 %v %v hello\n", c.LocalAddr(), c.RemoteAddr()); string(got) != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

// The client that is named is the one that counts: for access lists, tracking and reports.
func TestProxyClientCounts(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Proxy = conf.Proxy{Accept: true, ACL: 1}
		s.ACL[0] = conf.ACL{{Addr: netip.MustParseAddr("192.0.2.66"), Bits: 32}}
		v.Servers = []conf.Server{named(t, "a"), named(t, "b")}
	})
	version := conf.ProxyV1
	ask := func(client string) string {
		c := dial(t, e)
		defer c.Close()
		version = 3 - version // one and the other in turn
		io.WriteString(c, header(t, version, client+":1000", "192.0.2.2:80"))
		return answer(t, c)
	}
	for _, tt := range []struct{ client, want string }{
		{"192.0.2.1", "b"}, {"192.0.2.2", "a"}, {"192.0.2.1", "b"}, {"192.0.2.2", "a"}, {"192.0.2.2", "a"}, {"192.0.2.66", "closed"}, {"192.0.2.66", "closed"},
	} {
		if got := ask(tt.client); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.client, got, tt.want)
		}
	}
	var clients []string
	for _, c := range e.Clients("default", time.Hour) {
		clients = append(clients, c.Address)
	}
	if got, want := strings.Join(clients, " "), "192.0.2.1 192.0.2.2"; got != want {
		t.Errorf("got clients %s, want %s", got, want)
	}
}

// A trusted peer that does not keep to the protocol is closed, and nothing reaches a server.
func TestProxyRefused(t *testing.T) {
	tests := []struct{ name, say string }{
		{"no header", "GET / HTTP/1.1\r\n\r\n"},
		{"not an address", "PROXY TCP4 192.0.2.x 192.0.2.2 1000 80\r\n"},
		{"half a header, then silence", "PROXY TCP4 192"},
		{"nothing", ""},
		{"an unknown version", "\r\n\r\n\x00\r\nQUIT\n\x31\x00\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				v.Proxy.Accept = true
				v.Timeout.Handshake = 50 * time.Millisecond
				v.Servers = []conf.Server{named(t, "a")}
			})
			c := dial(t, e)
			io.WriteString(c, tt.say)
			if b, err := io.ReadAll(c); len(b) > 0 {
				t.Errorf("got %q, %v, want to be closed", b, err)
			}
			if got := e.Servers("default")[0].Sent; got != 0 {
				t.Errorf("the server got %d bytes", got)
			}
		})
	}
}

func FuzzProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n"))
	f.Add([]byte(header(f, conf.ProxyV2, "[2001:db8::1]:1000", "[2001:db8::2]:80")))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := proxySize(b)
		if err != nil || n == 0 {
			return
		}
		p, err := parseProxy(b[:n])
		if err != nil || p.local || !p.from.IsValid() {
			return
		}
		again, err := newProxyHeader(conf.ProxyV2, p.from, p.to, false).Format()
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if p2, err := parseProxy(again); err != nil || !sameEnd(p.from, p2.from) || !sameEnd(p.to, p2.to) {
			t.Errorf("%q: got %+v, %v, want %+v", bytes.Clone(b), p2, err, p)
		}
	})
}

// sameEnd compares two addresses; one of IPv4 may be written as one of IPv6.
func sameEnd(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap() == b.Addr().Unmap()
}

// A client that a proxy speaks for and that speaks TLS with us: the server hears of both.
func TestProxyAndTLS(t *testing.T) {
	facts := backend(t, func(c *net.TCPConn) {
		b := bufio.NewReader(c)
		h, err := proxyproto.Read(b)
		if err != nil {
			fmt.Fprintf(c, "%v\n", err)
			return
		}
		list, _ := h.TLVs()
		secure, _ := tlvparse.FindSSL(list)
		version, _ := secure.SSLVersion()
		line, _ := b.ReadString('\n')
		fmt.Fprintf(c, "%v %s %s %s", h.SourceAddr, list[0].Value, version, line)
	})
	facts.Proxy = conf.ProxyV2
	e, a := startTLS(t, ecdsaKey, func(_ *conf.Settings, v *conf.Service) {
		v.Proxy.Accept = true
		v.Servers = []conf.Server{facts}
	})
	plain := dial(t, e)
	io.WriteString(plain, header(t, conf.ProxyV1, "192.0.2.1:1000", "192.0.2.2:443"))
	c := tls.Client(plain, a.client())
	io.WriteString(c, "hello\n")
	got, err := bufio.NewReader(c).ReadString('\n')
	if want := "192.0.2.1:1000 pen.test TLSv1.3 hello\n"; got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// A request that came to the proxy by TLS is one of https, whatever the way from there.
func TestProxyTellsOfTLS(t *testing.T) {
	e := start(t, func(_ *conf.Settings, v *conf.Service) {
		v.Proxy.Accept, v.HTTP.On = true, true
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				body := r.Header.Get("X-Forwarded-Proto") + " " + r.Header.Get("X-Forwarded-For")
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		})}
	})
	for _, tt := range []struct {
		name  string
		facts *tlsFacts
		want  string
	}{{"TLS", &tlsFacts{version: "TLSv1.3"}, "https 192.0.2.1"}, {"plain", nil, "http 192.0.2.1"}} {
		h := newProxyHeader(conf.ProxyV2, netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:80"), false)
		if tt.facts != nil {
			if err := addFacts(h, *tt.facts); err != nil {
				t.Fatal(err)
			}
		}
		b, err := h.Format()
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, e)
		c.Write(append(b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"...))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r.Body); string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}
