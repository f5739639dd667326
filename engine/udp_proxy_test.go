package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"pen/conf"
)

// spokenFor makes a datagram of a proxy that speaks for a client.
func spokenFor(t testing.TB, client, text string) string {
	t.Helper()
	b, err := newProxyHeader(conf.ProxyV2, netip.MustParseAddrPort(client), netip.MustParseAddrPort("192.0.2.2:53"), true).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + text
}

// Clients that one proxy names from one port have flows of their own, and answers go to the proxy.
func TestDatagramsOfProxies(t *testing.T) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		v.Proxy = conf.Proxy{Accept: true, ACL: 1}
		s.ACL[0] = conf.ACL{{Addr: netip.MustParseAddr("192.0.2.66"), Bits: 32}}
	}, a, b)
	proxy := udpClient(t, e)
	for _, tt := range []struct{ client, text, want string }{
		{"192.0.2.1:1000", "one", "b one"}, {"192.0.2.3:1000", "two", "a two"}, {"192.0.2.1:1000", "three", "b three"},
		{"192.0.2.3:1000", "", "a "}, {"192.0.2.1:2000", "four", "b four"}, // the same client from another port
	} {
		if got := askUDP(t, proxy, spokenFor(t, tt.client, tt.text)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.client, got, tt.want)
		}
	}
	proxy.Write([]byte("no header"))
	proxy.Write([]byte(spokenFor(t, "192.0.2.66:1", "denied")))
	proxy.Write([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00for itself"))
	if got := readUDP(t, proxy); !strings.HasSuffix(got, " for itself") {
		t.Errorf("got %q, want the answer to what the proxy says for itself", got)
	}
	if h, d := dropped(e, dropHeader), dropped(e, dropDenied); h != 1 || d != 1 {
		t.Errorf("got %d dropped for their header and %d denied, want 1 and 1", h, d)
	}
	if got := e.Datagrams("default").Flows.Active; got != 4 {
		t.Errorf("got %d flows, want 4", got)
	}
}

// A server that wants headers gets one with each datagram, also what came in one piece from the kernel.
func TestDatagramsToldOfTheClient(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprint("by a proxy: ", told), func(t *testing.T) {
			a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
			e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
				v.Proxy.Accept = told
				v.Servers[0].Proxy = conf.ProxyV2
			}, a)
			c := udpClient(t, e)
			for _, text := range []string{"one", "", strings.Repeat("x", 40000)} {
				from, to, said := c.LocalAddr().String(), c.RemoteAddr().String(), text
				if told {
					from, to = "192.0.2.1:1000", "192.0.2.2:53"
					said = spokenFor(t, from, text)
				}
				if got := askUDP(t, c, said); !strings.HasSuffix(got, text) {
					t.Errorf("got an answer of %d bytes, want one that ends in %.20q", len(got), text)
				}
				h, rest, err := proxyproto.ParseUDPDatagram([]byte(<-a.got))
				if err != nil {
					t.Fatal(err)
				}
				if h.SourceAddr.String() != from || h.DestinationAddr.String() != to || string(rest) != text {
					t.Errorf("got %v to %v and %d bytes, want %s to %s and %d", h.SourceAddr, h.DestinationAddr, len(rest), from, to, len(text))
				}
			}
		})
	}
}

// What a dead server that was to get headers has not got goes to the next one, with one header.
func TestDatagramsToldAfterAFailure(t *testing.T) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers[0].Proxy, v.Servers[1].Proxy = conf.ProxyV2, conf.ProxyV2
	}, a, b)
	b.conn.Close()
	c := udpClient(t, e)
	got := askUDP(t, c, "hello")
	if _, rest, err := proxyproto.ParseUDPDatagram([]byte(strings.TrimPrefix(got, "a "))); err != nil || string(rest) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A server's setting may change while it has flows.
func TestDatagramsToldFromNowOn(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, nil, a)
	c := udpClient(t, e)
	if got := askUDP(t, c, "plain"); got != "a plain" {
		t.Errorf("got %q", got)
	}
	for _, version := range []conf.ProxyVersion{conf.ProxyV2, conf.ProxyNone} {
		s := e.plan.Load().settings.Clone()
		s.Services[0].Servers[0].Proxy = version
		if err := e.Publish(s); err != nil {
			t.Fatal(err)
		}
		got := askUDP(t, c, "hello")
		if want := len("a hello") + map[bool]int{true: 28}[version == conf.ProxyV2]; len(got) != want {
			t.Errorf("%s: got an answer of %d bytes, want %d", version, len(got), want)
		}
	}
	if got := len(e.Clients("default", time.Hour)); got != 1 {
		t.Errorf("got %d clients, want 1", got)
	}
}
