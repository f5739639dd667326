package engine

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// helloFor is the ClientHello of a client that asks for a name and protocols, in one record.
func helloFor(t testing.TB, name string, protocols ...string) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go tls.Client(theirs, &tls.Config{ServerName: name, NextProtos: protocols, InsecureSkipVerify: true}).Handshake()
	b := make([]byte, maxHello)
	n, err := io.ReadAtLeast(ours, b, recordHeader)
	if err == nil {
		var m int
		m, err = io.ReadFull(ours, b[n:recordHeader+int(binary.BigEndian.Uint16(b[3:]))])
		n += m
	}
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// fragmented spreads the handshake message of one record over records of n bytes each.
func fragmented(record []byte, n int) (b []byte) {
	for chunk := range slices.Chunk(record[recordHeader:], n) {
		b = append(append(b, record[0], record[1], record[2], byte(len(chunk)>>8), byte(len(chunk))), chunk...)
	}
	return b
}

func TestHelloSize(t *testing.T) {
	whole := helloFor(t, "www.example")
	in := func(change func([]byte)) []byte {
		b := slices.Clone(whole)
		change(b)
		return b
	}
	tests := []struct {
		name string
		in   []byte
		want int
		ok   bool
	}{
		{"whole", whole, len(whole), true},
		{"and more", append(slices.Clone(whole), "more"...), len(whole), true},
		{"in records of 100 bytes", fragmented(whole, 100), len(fragmented(whole, 100)), true},
		{"in records of 1 byte", fragmented(whole, 1), len(fragmented(whole, 1)), true},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), 0, false},
		{"an alert", in(func(b []byte) { b[0] = 21 }), 0, false},
		{"SSL 2", in(func(b []byte) { b[1] = 2 }), 0, false},
		{"a ServerHello", in(func(b []byte) { b[recordHeader] = 2 }), 0, false},
		{"an empty record", in(func(b []byte) { b[3], b[4] = 0, 0 }), 0, false},
		{"a huge record", in(func(b []byte) { b[3], b[4] = 0xff, 0xff }), 0, false},
		{"a huge message", in(func(b []byte) { b[recordHeader+1] = 0xff }), 0, true}, // as far as one can tell
	}
	for _, tt := range tests {
		if got, err := helloSize(tt.in); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: got %d, %v, want %d, %t", tt.name, got, err, tt.want, tt.ok)
		}
	}
	for _, b := range [][]byte{whole, fragmented(whole, 3)} {
		for n := range len(b) {
			if got, err := helloSize(b[:n]); got != 0 || err != nil {
				t.Errorf("%d bytes: got %d, %v, want to be told to wait", n, got, err)
			}
		}
	}
}

func TestReadHello(t *testing.T) {
	for _, size := range []int{1, 50, maxHello} {
		h := readHello(fragmented(helloFor(t, "WWW.example", "h2", "http/1.1"), size))
		if h == nil || h.name != "www.example" || strings.Join(h.protocols, " ") != "h2 http/1.1" {
			t.Errorf("records of %d bytes: got %+v", size, h)
		}
	}
	if h := readHello([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")); h != nil {
		t.Errorf("got %+v out of nonsense", h)
	}
}

func TestRouteFits(t *testing.T) {
	tests := []struct {
		kind  conf.RouteKind
		name  string
		asked *asked
		want  bool
	}{
		{conf.RouteSNI, "a.example", &asked{name: "a.example"}, true},
		{conf.RouteSNI, "a.example", &asked{name: "b.example"}, false},
		{conf.RouteSNI, "*.example", &asked{name: "a.example"}, true},
		{conf.RouteSNI, "*.example", &asked{name: "b.a.example"}, false},
		{conf.RouteSNI, "*.example", &asked{name: "example"}, false},
		{conf.RouteSNI, "a.example", &asked{}, false},
		{conf.RouteSNI, "a.example", nil, false},
		{conf.RouteALPN, "h2", &asked{protocols: []string{"http/1.1", "h2"}}, true},
		{conf.RouteALPN, "h2", &asked{protocols: []string{"http/1.1"}}, false},
		{conf.RouteALPN, "h2", nil, false},
		{conf.RouteDefault, "", nil, true},
	}
	for _, tt := range tests {
		r := route{Route: conf.Route{Kind: tt.kind, Name: tt.name}}
		if got := r.fits(tt.asked); got != tt.want {
			t.Errorf("%s %s, %+v: got %t", tt.kind, tt.name, tt.asked, got)
		}
	}
}

// counting is a server that answers its name and the length of each hello, or of each line of whatever else it gets.
func counting(t *testing.T, name string) conf.Server {
	return backend(t, func(c *net.TCPConn) {
		b := make([]byte, maxHello)
		for n := 0; ; {
			m, err := c.Read(b[n:])
			if n += m; err != nil {
				return
			}
			if size, err := helloSize(b[:n]); size > 0 || err != nil && b[n-1] == '\n' {
				fmt.Fprintf(c, "%s %d", name, n)
				n = 0
			}
		}
	})
}

func routed(t *testing.T, change func(*conf.Service)) *Engine {
	return start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{counting(t, "0"), counting(t, "1"), counting(t, "2"), counting(t, "3"), counting(t, "4")}
		v.Routes = []conf.Route{
			{Kind: conf.RouteSNI, Name: "a.example", Servers: []int{1}},
			{Kind: conf.RouteSNI, Name: "*.example", Servers: []int{2, 3}},
			{Kind: conf.RouteALPN, Name: "h2", Servers: []int{0}},
		}
		change(v)
	})
}

// Each client gets to the servers of the first route that fits, with every byte of its hello.
func TestRoutes(t *testing.T) {
	e := routed(t, func(*conf.Service) {})
	a, other, h2, plain := helloFor(t, "a.example", "h2"), helloFor(t, "b.example"), helloFor(t, "elsewhere", "h2"), []byte("GET / HTTP/1.1\r\n")
	tests := []struct {
		name string
		from string
		say  []byte
		want string
	}{
		{"the name", "127.0.0.1", a, "1"},
		{"a name in the domain", "127.0.0.1", other, "3"},
		{"the same client has its server", "127.0.0.1", other, "3"},
		{"another client has the next one", "127.0.0.2", other, "2"},
		{"it is remembered apart from other routes", "127.0.0.1", a, "1"},
		{"and still has its server", "127.0.0.1", other, "3"},
		{"the protocol", "127.0.0.1", h2, "0"},
		{"in small records", "127.0.0.1", fragmented(a, 10), "1"},
		{"not TLS", "127.0.0.1", plain, "4"},
	}
	for _, tt := range tests {
		c := dialFrom(t, e, tt.from)
		c.Write(tt.say[:1])
		c.Write(tt.say[1:])
		b := make([]byte, 64)
		if n, err := c.Read(b); string(b[:n]) != fmt.Sprint(tt.want, " ", len(tt.say)) {
			t.Errorf("%s: got %q, %v, want server %s and %d bytes", tt.name, b[:n], err, tt.want, len(tt.say))
		}
		c.Close()
	}
	if got, want := len(e.Clients("default", time.Hour)), 5; got != want { // one in three routes and beside them, the other in one
		t.Errorf("got %d clients, want %d", got, want)
	}
}

// A route with no server that works closes its clients; those of others don't notice.
func TestRouteWithoutServers(t *testing.T) {
	e := routed(t, func(v *conf.Service) { v.Servers[1] = refusing(t) })
	c := dial(t, e)
	c.Write(helloFor(t, "a.example"))
	if b, err := io.ReadAll(c); len(b) > 0 {
		t.Errorf("got %q, %v, want to be closed", b, err)
	}
	c = dial(t, e)
	c.Write(helloFor(t, "b.example"))
	b := make([]byte, 64)
	if n, err := c.Read(b); !strings.HasPrefix(string(b[:n]), "3 ") {
		t.Errorf("got %q, %v, want an answer of server 3", b[:n], err)
	}
}

// A silent client is closed by handshake_timeout, half a hello or none.
func TestRouteOfSilentClients(t *testing.T) {
	e := routed(t, func(v *conf.Service) { v.Timeout.Handshake = 50 * time.Millisecond })
	for _, n := range []int{0, 1, 100} {
		c := dial(t, e)
		c.Write(helloFor(t, "a.example")[:n])
		if b, err := io.ReadAll(c); len(b) > 0 {
			t.Errorf("after %d bytes: got %q, %v, want to be closed", n, b, err)
		}
	}
}

// A session goes on by its route under a new plan.
func TestRouteSurvivesAPlan(t *testing.T) {
	e := routed(t, func(*conf.Service) {})
	c := dial(t, e)
	ask := func() {
		t.Helper()
		c.Write(helloFor(t, "b.example"))
		b := make([]byte, 64)
		if n, err := c.Read(b); !strings.HasPrefix(string(b[:n]), "3 ") {
			t.Errorf("got %q, %v, want an answer of server 3", b[:n], err)
		}
	}
	ask()
	s := e.plan.Load().settings.Clone()
	s.Services[0].Timeout.Idle = time.Hour
	if err := e.Publish(s); err != nil {
		t.Fatal(err)
	}
	ask()
	c.Close()
	eventually(t, "the connection has ended", func() bool { n, _ := e.connections.count(); return n == 0 })
	if got := e.Clients("default", time.Hour)[0]; got.Sent == 0 {
		t.Errorf("got %+v, want its bytes", got)
	}
}

// A place that becomes free goes to a client that waits for that route, not to one of another.
func TestRouteInLine(t *testing.T) {
	e := routed(t, func(v *conf.Service) {
		v.Servers[1].Max, v.Servers[0].Max = 1, 1
		v.Limit.Queue, v.Limit.QueueTime = 10, time.Minute
	})
	say := func(name string, protocols ...string) net.Conn {
		c := dial(t, e)
		c.Write(helloFor(t, name, protocols...))
		return c
	}
	hears := func(c net.Conn, server string) {
		t.Helper()
		b := make([]byte, 64)
		if n, err := c.Read(b); !strings.HasPrefix(string(b[:n]), server+" ") {
			t.Errorf("got %q, %v, want an answer of server %s", b[:n], err, server)
		}
	}
	h2, a := say("elsewhere", "h2"), say("a.example")
	hears(h2, "0")
	hears(a, "1")
	waitsForH2 := say("elsewhere", "h2")
	eventually(t, "one waits", func() bool { return e.Queued("default") == 1 })
	waitsForA := say("a.example")
	eventually(t, "two wait", func() bool { return e.Queued("default") == 2 })
	a.Close()
	hears(waitsForA, "1")
	if e.Queued("default") != 1 {
		t.Errorf("got %d in line, want the one that another route's place is no good for", e.Queued("default"))
	}
	h2.Close()
	hears(waitsForH2, "0")
}

func TestRouteToNoServer(t *testing.T) {
	s := conf.Default()
	s.Services[0].Servers = []conf.Server{{Address: "127.0.0.1", Port: 1}}
	s.Services[0].Routes = []conf.Route{{Kind: conf.RouteSNI, Name: "a.example", Servers: []int{1}}}
	if err := Check(s); err == nil || err.Error() != "route sni a.example: there is no server 1" {
		t.Errorf("got %v", err)
	}
}

func FuzzHello(f *testing.F) {
	whole := helloFor(f, "www.example", "h2")
	f.Add(whole)
	f.Add(fragmented(whole, 7))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxHello {
			b = b[:maxHello]
		}
		n, err := helloSize(b)
		if n > len(b) || n > 0 && err != nil {
			t.Fatalf("%d bytes: got %d, %v", len(b), n, err)
		}
		if n == 0 {
			return
		}
		readHello(b[:n])
		for i := range min(n, 500) { // no prefix is whole
			if m, err := helloSize(b[:i]); m != 0 || err != nil {
				t.Fatalf("%d of %d bytes: got %d, %v", i, n, m, err)
			}
		}
	})
}
