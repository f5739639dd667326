package control

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"pen/conf"
	"pen/engine"
	"pen/engine/certs"
)

// listen serves each connection with f until the end of the test, and returns the address.
func listen(t *testing.T, network string, f func(net.Conn)) string {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func silent(c net.Conn) { io.Copy(io.Discard, c) }

// says sends a text and reads on.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		silent(c)
	}
}

// dialogue answers each line that begins with a key.
func dialogue(banner string, answers ...string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, banner)
		for lines := bufio.NewScanner(c); lines.Scan(); {
			for i := 0; i < len(answers); i += 2 {
				if strings.HasPrefix(lines.Text(), answers[i]) {
					io.WriteString(c, answers[i+1])
				}
			}
		}
	}
}

// try probes an address and returns "" or the cause as it is shown.
func try(t *testing.T, line, addr string, change func(*subject)) string {
	t.Helper()
	d := conf.NewDraft(conf.Default(), conf.Offline{})
	if err := d.Exec("probe "+line, io.Discard); err != nil {
		t.Fatal(err)
	}
	s := &subject{Target: engine.Target{Network: "tcp", Address: addr}, service: "web", probe: d.Settings().Services[0].Health.Probe}
	if strings.HasPrefix(addr, "/") {
		s.Network = "unix"
	}
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.probe.Timeout)
	defer cancel()
	return cause(probeKinds[s.probe.Kind](ctx, s), s.probe)
}

const long, short = " timeout 20", " timeout 0.2" // of probes that must end before, and that must end by it

func TestProbes(t *testing.T) {
	response := func(status, body string) func(net.Conn) {
		return dialogue("", "GET /ok HTTP/1.1", fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
	}
	smtp := func(banner, ehlo string) func(net.Conn) {
		return dialogue(banner, "EHLO ", ehlo, "QUIT", "221 bye\r\n")
	}
	tests := []struct {
		name  string
		line  string
		serve func(net.Conn) // nil = nobody listens
		want  string
	}{
		{"tcp", "tcp" + long, silent, ""},
		{"tcp refused", "tcp" + long, nil, "tcp: connect: connection refused"},
		{"http", "http /ok" + long, response("200 OK", ""), ""},
		{"http: a redirection", "http /ok" + long, response("302 Found", ""), ""},
		{"http: an error", "http /ok" + long, response("503 Busy", ""), "http: status 503, expected 2xx or 3xx"},
		{"http: class of status", "http /ok expect 2xx" + long, response("302 Found", ""), "http: status 302, expected 2xx"},
		{"http: status", "http /ok expect 503" + long, response("503 Busy", ""), ""},
		{"http: text", "http /ok expect 'all is well'" + long, response("200 OK", "yes, all is well."), ""},
		{"http: no text", "http /ok expect 'all is well'" + long, response("200 OK", "all is lost"), `http: the body does not contain "all is well"`},
		{"http: text in an error", "http /ok expect well" + long, response("500 No", "well"), "http: status 500, expected 2xx or 3xx"},
		{"http: another protocol", "http /ok" + long, says("220 mail ready\r\n"), `http: malformed HTTP status code "mail"`},
		{"http: silence", "http /ok" + short, silent, "http: no answer within 200ms"},
		{"http refused", "http /ok" + long, nil, "http: connect: connection refused"},
		{"smtp", "smtp" + long, smtp("220-mail\r\n220 ready\r\n", "250-mail\r\n250 SIZE 1\r\n"), ""},
		{"smtp: not now", "smtp" + long, smtp("421 too busy\r\n", ""), `smtp: 421 "too busy"`},
		{"smtp: no EHLO", "smtp" + long, smtp("220 ready\r\n", "502 what\r\n"), `smtp: 502 "what"`},
		{"smtp: silence", "smtp" + short, silent, "smtp: no answer within 200ms"},
		{"smtp: the end", "smtp" + long, func(net.Conn) {}, "smtp: EOF"},
		{"tls: not TLS", "tls" + long, says("220 mail ready\r\n"), "tls: tls: first record does not look like a TLS handshake"},
		{"exec", "exec 'test $PEN_SERVICE:$PEN_SERVER:$PEN_ADDRESS = web:0:127.0.0.1 -a -n $PEN_PORT'" + long, silent, ""},
		{"exec: status", "exec 'echo broken; echo more; exit 3'" + long, silent, "exec: exit status 3: broken"},
		{"exec: too long", "exec 'sleep 1000 & sleep 1000'" + short, silent, "exec: no answer within 200ms"},
		{"exec: unknown", "exec '/no/such/command 2>/dev/null'" + long, silent, "exec: exit status 127"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := closed(t)
			if tt.serve != nil {
				addr = listen(t, "tcp", tt.serve)
			}
			if got := try(t, tt.line, addr, nil); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestProbesOfUnixSockets(t *testing.T) {
	web := listen(t, "unix", dialogue("", "GET / ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for _, line := range []string{"tcp", "http /", "tcp port 1"} { // a path has no port
		if got := try(t, line+long, web, nil); got != "" {
			t.Errorf("%s: got %q", line, got)
		}
	}
}

// The port and the source of a probe, and the header Host.
func TestProbeAddresses(t *testing.T) {
	peers := make(chan string, 1)
	addr := listen(t, "tcp", func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		peers <- host + " " + r.Host
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	_, port, _ := net.SplitHostPort(addr)
	tests := []struct {
		line string
		addr string
		from string
		want string
	}{
		{"http /", addr, "", "127.0.0.1 127.0.0.1"},
		{"http / host www.example port " + port, "127.0.0.1:1", "", "127.0.0.1 www.example"},
		{"http /", addr, "127.0.0.9", "127.0.0.9 127.0.0.1"},
	}
	for _, tt := range tests {
		got := try(t, tt.line+long, tt.addr, func(s *subject) {
			if tt.from != "" {
				s.source = mustAddr(tt.from)
			}
		})
		if got != "" {
			t.Errorf("%s from %s: got %q", tt.line, tt.from, got)
			continue
		}
		if got := <-peers; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.line, got, tt.want)
		}
	}
}

func TestProbeTLS(t *testing.T) {
	names := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		names <- h.ServerName
		return nil, nil
	}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it sees the end of a connection that it has not answered yet
	s.StartTLS()
	defer s.Close()
	for _, tt := range []struct{ line, want string }{{"tls", ""}, {"tls host www.example", "www.example"}} {
		if got := try(t, tt.line+long, s.Listener.Addr().String(), nil); got != "" {
			t.Errorf("%s: got %q", tt.line, got)
		}
		if got := <-names; got != tt.want {
			t.Errorf("%s asked for %q, want %q", tt.line, got, tt.want)
		}
	}
}

// nameserver answers over both networks with a code, to a question for www.example only.
func nameserver(t *testing.T, code dnsmessage.RCode, change func(*dnsmessage.Message)) (tcp, udp string) {
	t.Helper()
	answer := func(query []byte) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(query); err != nil || len(m.Questions) != 1 || m.Questions[0].Name.String() != "www.example." {
			t.Errorf("got the query %+v, %v", m, err)
		}
		m.Response, m.RCode = true, code
		if change != nil {
			change(&m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	tcp = listen(t, "tcp", func(c net.Conn) {
		var length [2]byte
		io.ReadFull(c, length[:])
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		io.ReadFull(c, query)
		b := answer(query)
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	})
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			pc.WriteTo(answer(b[:n]), from)
		}
	}()
	return tcp, pc.LocalAddr().String()
}

func TestProbeDNS(t *testing.T) {
	tests := []struct {
		name   string
		code   dnsmessage.RCode
		change func(*dnsmessage.Message)
		want   string
	}{
		{"an answer", dnsmessage.RCodeSuccess, nil, ""},
		{"no such name", dnsmessage.RCodeNameError, nil, "dns: NameError"},
		{"trouble", dnsmessage.RCodeServerFailure, nil, "dns: ServerFailure"},
		{"another answer", dnsmessage.RCodeSuccess, func(m *dnsmessage.Message) { m.ID++ }, "dns: not the answer to the question"},
		{"an echo", dnsmessage.RCodeSuccess, func(m *dnsmessage.Message) { m.Response = false }, "dns: not the answer to the question"},
	}
	for _, tt := range tests {
		tcp, udp := nameserver(t, tt.code, tt.change)
		if got := try(t, "dns www.example"+long, tcp, nil); got != tt.want {
			t.Errorf("%s over tcp: got %q, want %q", tt.name, got, tt.want)
		}
		if got := try(t, "dns www.example"+long, udp, func(s *subject) { s.datagram = true }); got != tt.want {
			t.Errorf("%s over udp: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got, want := try(t, "dns www.example"+long, closed(t), func(s *subject) { s.datagram = true }), "dns: read: connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	garbage := listen(t, "tcp", says("\x00\x03abc"))
	if got := try(t, "dns www.example"+long, garbage, nil); !strings.HasPrefix(got, "dns: not an answer: ") {
		t.Errorf("got %q, want not an answer", got)
	}
}

func FuzzDNSAnswer(f *testing.F) {
	query, err := dnsQuery(7, "www.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(query)
	f.Add([]byte{0, 7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if dnsAnswer(7, answer) == nil && (len(answer) < 12 || answer[0] != 0 || answer[1] != 7) {
			t.Errorf("%x is taken for an answer", answer)
		}
	})
}

func TestProbeUDP(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) == "\x01ping" {
				pc.WriteTo([]byte("a long answer"), from)
			}
		}
	}()
	for _, tt := range []struct{ line, addr, want string }{
		{"udp 0170696e67" + long, pc.LocalAddr().String(), ""},
		{"udp 00" + short, pc.LocalAddr().String(), "udp: no answer within 200ms"},
		{"udp 00" + long, closed(t), "udp: read: connection refused"},
	} {
		if got := try(t, tt.line, tt.addr, nil); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestAskAgent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"a line", says("drain\n"), "{false true 100} <nil>"},
		{"without its end", func(c net.Conn) { io.WriteString(c, "40%") }, "{false false 40} <nil>"},
		{"too long", says(strings.Repeat("up ", 10000)), `expected up, down, drain or NN%, not "u"`},
		{"nothing", func(net.Conn) {}, "the agent said nothing"},
	} {
		_, port, _ := net.SplitHostPort(listen(t, "tcp", tt.serve))
		s := &subject{Target: engine.Target{Network: "tcp", Address: "127.0.0.1:1"}}
		fmt.Sscan(port, &s.agent)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		a, err := askAgent(ctx, s)
		if got := fmt.Sprint(a, " ", err); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// Probes of a server that wants a PROXY header or TLS begin like its clients, unless they ask at another port.
func TestProbesBeginLikeClients(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the probe that is not to be understood
	secure.StartTLS()
	t.Cleanup(secure.Close)
	tlsAddr := secure.Listener.Addr().String()
	up, err := certs.NewUpstream(conf.ServerTLS{On: true}, "127.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	const header = "PROXY UNKNOWN\r\n"
	mail := listen(t, "tcp", func(c net.Conn) {
		b := make([]byte, len(header))
		if _, err := io.ReadFull(c, b); err == nil && string(b) == header {
			dialogue("220 ready\r\n", "EHLO ", "250 mail\r\n", "QUIT", "221 bye\r\n")(c)
		}
	})
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { names.Close() })
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := names.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) == header+"\xab" {
				names.WriteTo(b[:1], from)
			}
		}
	}()
	tests := []struct {
		name, line, addr string
		change           func(*subject)
		want             string
	}{
		{"https", "http / expect 404" + long, tlsAddr, func(s *subject) { s.TLS = up }, ""},
		{"http where https is spoken", "http / expect 404" + long, tlsAddr, nil, "http: status 400, expected 404"},
		{"a header", "smtp" + long, mail, func(s *subject) { s.Header = []byte(header) }, ""},
		{"no header", "smtp" + short, mail, nil, "smtp: no answer within 200ms"},
		{"datagrams", "udp ab" + long, names.LocalAddr().String(), func(s *subject) { s.Header, s.datagram = []byte(header), true }, ""},
		{"datagrams without", "udp ab" + short, names.LocalAddr().String(), nil, "udp: no answer within 200ms"},
	}
	for _, tt := range tests {
		if got := try(t, tt.line, tt.addr, tt.change); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	_, port, _ := net.SplitHostPort(mail)
	if got := try(t, "smtp port "+port+short, "127.0.0.1:1", func(s *subject) { s.Header = []byte(header) }); got != "smtp: no answer within 200ms" {
		t.Errorf("another port: got %q, want nothing to be said", got)
	}
}
