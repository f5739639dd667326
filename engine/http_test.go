package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// A dialogue is a script of lines about a client and a server with pen between them:
//
//	C> TEXT    the client sends, S> the server
//	S< TEXT    the server gets exactly this, C< the client
//	S<| or C<| gets the end of the stream, C>| or S>| ends its own
//
// + in a text stands for the fields that pen adds.
type dialogue struct {
	t              *testing.T
	engine         *Engine
	client, server *net.TCPConn
	servers        chan *net.TCPConn
}

const addedByHTTP = "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 127.0.0.1"

func startDialogue(t *testing.T, change func(*conf.Service)) *dialogue {
	d := &dialogue{t: t, servers: make(chan *net.TCPConn, 1)}
	over := make(chan struct{})
	e := start(t, func(_ *conf.Settings, v *conf.Service) {
		v.HTTP.On = true
		if change != nil {
			change(v)
		}
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
			c.SetDeadline(time.Now().Add(patient))
			d.servers <- c
			<-over
		})}
	})
	t.Cleanup(func() { close(over) })
	d.engine, d.client = e, dial(t, e)
	return d
}

func (d *dialogue) conn(who byte) *net.TCPConn {
	if who == 'C' {
		return d.client
	}
	if d.server == nil {
		d.server = <-d.servers
	}
	return d.server
}

func (d *dialogue) play(lines ...string) {
	d.t.Helper()
	for _, line := range lines {
		c, text := d.conn(line[0]), strings.TrimPrefix(line[2:], " ")
		text = strings.ReplaceAll(text, "+", addedByHTTP)
		switch end := text == "|"; {
		case line[1] == '>' && end:
			c.CloseWrite()
		case line[1] == '>':
			if _, err := io.WriteString(c, text); err != nil {
				d.t.Fatalf("%s: %v", line, err)
			}
		case end:
			if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
				d.t.Fatalf("%s: got %q, %v; want the end", line, b, err)
			}
		default:
			b := make([]byte, len(text))
			if n, err := io.ReadFull(c, b); string(b[:n]) != text {
				d.t.Fatalf("%q: got %q, %v", line, b[:n], err)
			}
		}
	}
}

const (
	httpOK  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	http101 = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
)

func refusalText(status string) string {
	code := status[:3]
	for _, r := range []struct{ code, rest string }{
		{"400", "the request line is malformed\n"}, {"408", "the head of the request took too long\n"},
		{"431", "the head of the request is too large\n"}, {"40c", "a chunk of the body is malformed\n"},
	} {
		if r.code == code {
			text := strings.Replace(status, "40c", "400", 1) + ": " + r.rest
			return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
				strings.Replace(status, "40c", "400", 1), len(text), text)
		}
	}
	panic(status)
}

func TestHTTPDialogues(t *testing.T) {
	bad, chunk := "C< "+refusalText("400 Bad Request"), "C< "+refusalText("40c Bad Request")
	tests := []struct {
		name   string
		change func(*conf.Service)
		lines  []string
	}{
		{"keep-alive", nil, []string{
			"C> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", "S< GET /1 HTTP/1.1\r\nHost: a+\r\n\r\n", "S> " + httpOK, "C< " + httpOK,
			"C> GET /2 HTTP/1.1\r\n\r\n", "S< GET /2 HTTP/1.1+\r\n\r\n", "S> " + httpOK, "C< " + httpOK, "C>|", "S<|", "S>|", "C<|"}},
		{"a head in pieces", nil, []string{"C> GET / HT", "C> TP/1.1\r\nHost: a\r", "C> \n\r", "C> \n", "S< GET / HTTP/1.1\r\nHost: a+\r\n\r\n"}},
		{"expect", nil, []string{
			"C> PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "S< PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3+\r\n\r\n",
			"S> HTTP/1.1 100 Continue\r\n\r\n", "C< HTTP/1.1 100 Continue\r\n\r\n", "C> abc", "S< abc", "S> " + httpOK, "C< " + httpOK}},
		{"websocket", nil, []string{
			"C> GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", "S< GET / HTTP/1.1\r\nUpgrade: x+\r\n\r\n", "S> " + http101 + "hello", "C< " + http101 + "hello",
			"C> GET / HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1\r\n\r\n", "S> \x00\xff", "C< \x00\xff", "C>|", "S<|", "S> x", "C< x", "S>|", "C<|"}},
		{"the server refuses the upgrade", nil, []string{
			"C> GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1\r\nUpgrade: x+\r\n\r\n", "S> " + httpOK, "C< " + httpOK,
			"S< GET /2 HTTP/1.1+\r\n\r\n"}},
		{"the server ends before it decides", nil, []string{
			"C> GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1\r\nUpgrade: x+\r\n\r\n", "S>|", "C<|", "S< GET /2 HTTP/1.1+\r\n\r\n", "C>|", "S<|"}},
		{"the server speaks first", nil, []string{"S> 220 hello\r\n", "C< 220 hello\r\n", "C> EHLO a\r\n", "S< EHLO a\r\n", "S> 250 a\r\n", "C< 250 a\r\n"}},
		{"bad at once", nil, []string{"C> GET HTTP/1.1\r\n\r\n", bad, "C<|", "S<|"}},
		{"bad in its turn", nil, []string{
			"C> GET / HTTP/1.1\r\n\r\nGET HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1+\r\n\r\n", "S> HTTP/1.1 200 OK\r\nContent-", "C> more", "S> Length: 2\r\n\r\no",
			"C< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", "S> k", "C< k", bad, "C<|", "S<|"}},
		{"bad, and nobody waits for it", nil, []string{
			"C> GET / HTTP/1.1\r\n\r\nGET HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1+\r\n\r\n", "C>|", "S<|", "S> " + httpOK, "C< " + httpOK, bad, "C<|"}},
		{"bad, but the response has no length", nil, []string{
			"C> GET / HTTP/1.1\r\n\r\nGET HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1+\r\n\r\n", "S> HTTP/1.0 200 OK\r\n\r\nabc", "S>|", "C< HTTP/1.0 200 OK\r\n\r\nabc", "C<|", "S<|"}},
		{"torn", nil, []string{
			"C> PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "S< PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+\r\n\r\n1\r\na\r\n",
			"C> x\r\n", chunk, "C<|", "S<|"}},
		{"torn, already answered", nil, []string{
			"C> PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "S< PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+\r\n\r\n",
			"S> " + httpOK, "C< " + httpOK, "C> x\r\n", "C<|", "S<|"}},
		{"large", func(v *conf.Service) { v.HTTP.MaxHead = 1024 }, []string{
			"C> GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 1100), "C< " + refusalText("431 Request Header Fields Too Large"), "C<|", "S<|"}},
		{"slow", func(v *conf.Service) { v.HTTP.Timeout = 50 * time.Millisecond }, []string{
			"C> GET / HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1+\r\n\r\n", "S> " + httpOK, "C< " + httpOK,
			"C> GET / HTTP/1.1\r\nA: b", "C< " + refusalText("408 Request Timeout"), "C<|", "S<|"}},
		{"slow, with a response under way", func(v *conf.Service) { v.HTTP.Timeout = 50 * time.Millisecond }, []string{
			"C> GET / HTTP/1.1\r\n\r\nG", "S< GET / HTTP/1.1+\r\n\r\n", "S> " + httpOK[:len(httpOK)-1], "C< " + httpOK[:len(httpOK)-1], "S> k", "C< k",
			"C< " + refusalText("408 Request Timeout"), "C<|", "S<|"}},
		{"slow, idle_timeout is shorter", func(v *conf.Service) { v.HTTP.Timeout, v.Timeout.Idle = patient, 50*time.Millisecond }, []string{
			"C> GET", "C< " + refusalText("408 Request Timeout"), "C<|", "S<|"}},
		{"only", func(v *conf.Service) { v.HTTP.Only = true }, []string{"C> EHLO a\r\n", "C< HTTP/1.1 400 Bad Request\r\n"}},
		{"believed", func(v *conf.Service) { v.HTTP.Trusts = true }, []string{
			"C> GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", "S< GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { startDialogue(t, tt.change).play(tt.lines...) })
	}
}

func TestHTTPTreats(t *testing.T) {
	s := conf.Default()
	s.ACL[3] = conf.ACL{{Permit: true, Addr: netip.MustParseAddr("127.0.0.1")}}
	p := &plan{settings: s}
	p.matchers[3] = s.ACL[3].Compile(nil)
	tests := []struct {
		name             string
		http             conf.HTTP
		friend, stranger string
	}{
		{"plain", conf.HTTP{}, "keep", "keep"},
		{"append", conf.HTTP{Existing: conf.Append}, "append", "append"},
		{"replace", conf.HTTP{Existing: conf.Replace}, "replace", "replace"},
		{"trusted", conf.HTTP{Trusts: true, Trusted: 3}, "keep", "replace"},
		{"append trusted", conf.HTTP{Existing: conf.Append, Trusts: true, Trusted: 3}, "append", "replace"},
		{"replace trusted", conf.HTTP{Existing: conf.Replace, Trusts: true, Trusted: 3}, "keep", "replace"},
	}
	for _, tt := range tests {
		tt.http.On = true
		h := compileHTTP(p, &tt.http)
		names := [...]string{"keep", "append", "replace"}
		if got := names[h.treats(netip.MustParseAddr("127.0.0.1"))]; got != tt.friend {
			t.Errorf("%s: got %s for a friend, want %s", tt.name, got, tt.friend)
		}
		if got := names[h.treats(netip.MustParseAddr("127.0.0.2"))]; got != tt.stranger {
			t.Errorf("%s: got %s for a stranger, want %s", tt.name, got, tt.stranger)
		}
	}
}

// Real requests and responses of every kind of body go through unharmed, one after the other on one connection.
func TestHTTPBodies(t *testing.T) {
	body := bytes.Repeat([]byte("GET / HTTP/1.1\r\nX-Forwarded-For: a\r\n\r\n"), 60000)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Forwarded-For") != "127.0.0.1" || len(r.Header["X-Forwarded-For"]) != 1 {
			http.Error(w, "no", 500)
		}
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(len(got)))
		}
		w.Write(got)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	e := start(t, func(_ *conf.Settings, v *conf.Service) {
		v.HTTP.On = true
		v.Servers = []conf.Server{serverAt(l.Addr())}
	})
	c := dial(t, e)
	r := bufio.NewReader(c)
	for i, size := range []int{0, 1, 100, 20000, 70000, 130000, 300000, len(body), 5} {
		for _, path := range []string{"/length", "/chunked"} {
			req, _ := http.NewRequest("POST", "http://a"+path, bytes.NewReader(body[:size]))
			if i%2 == 1 {
				req.ContentLength, req.TransferEncoding = -1, []string{"chunked"}
			}
			go req.Write(c)
			resp, err := http.ReadResponse(r, req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !bytes.Equal(got, body[:size]) {
				t.Fatalf("%s, %d bytes: got %d, %d bytes, %v", path, size, resp.StatusCode, len(got), err)
			}
		}
	}
}

// A connection between two requests holds no buffer.
func TestHTTPIdleHoldsNothing(t *testing.T) {
	d := startDialogue(t, nil)
	held := func() (n int) {
		for _, counts := range ask(d.engine, func(r *reactor) []int { return []int{r.pool.Counters().Buffers} }) {
			for _, k := range counts {
				n += k
			}
		}
		return n
	}
	d.play("C> GET / HTTP/1.1\r\n\r\n", "S< GET / HTTP/1.1+\r\n\r\n", "S> "+httpOK, "C< "+httpOK)
	if n := held(); n != 0 {
		t.Errorf("idle: got %d buffers, want none", n)
	}
	d.play("C> GET / HTTP/1.1\r\n")
	eventually(t, "half a head is held", func() bool { return held() == 1 })
	d.play("C> \r\n", "S< GET / HTTP/1.1+\r\n\r\n")
	if n := held(); n != 0 {
		t.Errorf("after the head: got %d buffers, want none", n)
	}
}

func TestHTTPAllocatesNothing(t *testing.T) {
	request := []byte("POST /index.html HTTP/1.1\r\nHost: www.example.com\r\nX-Forwarded-For: 10.0.0.1\r\nContent-Length: 5\r\n\r\nabcde")
	response := []byte(httpOK)
	for _, h := range []conf.HTTP{{}, {Forwarded: true, Existing: conf.Append}, {Existing: conf.Replace}} {
		d := startDialogue(t, func(v *conf.Service) {
			h.On, h.MaxHead, h.Timeout = true, v.HTTP.MaxHead, v.HTTP.Timeout
			v.HTTP = h
		})
		server, b := d.conn('S'), make([]byte, 4096)
		round := func() {
			d.client.Write(request)
			for n := 0; !bytes.HasSuffix(b[:n], request[len(request)-5:]); {
				k, err := server.Read(b[n:])
				if n += k; err != nil {
					t.Fatal(err)
				}
			}
			server.Write(response)
			if _, err := io.ReadFull(d.client, b[:len(httpOK)]); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			round()
		}
		if n := testing.AllocsPerRun(200, round); n != 0 {
			t.Errorf("%+v: %v allocations a request, want 0", h, n)
		}
	}
}

// Connections come and go in the middle of everything; start checks that nothing of them is left.
func TestHTTPCutAnywhere(t *testing.T) {
	script := "GET / HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\n\r\n"
	e := start(t, func(_ *conf.Settings, v *conf.Service) {
		v.HTTP.On = true
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			io.WriteString(c, strings.Repeat(httpOK, 3)[:n%(3*len(httpOK))])
			c.SetLinger(n%2 - 1)
		})}
	})
	for i := range len(script) {
		c := dial(t, e)
		io.WriteString(c, script[:i])
		if i%3 == 0 {
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}
		c.SetLinger(i%2 - 1)
		c.Close()
	}
	eventually(t, "all sessions are over", func() bool { open, _ := e.connections.count(); return open == 0 })
}

// What a connection was is nothing to the one that comes after it.
func TestHTTPConnectionsAreApart(t *testing.T) {
	d := startDialogue(t, nil)
	for range 5 {
		d.play("C> GET / HTTP/1.1\r\nA: b\r\n\r\n", "S< GET / HTTP/1.1\r\nA: b+\r\n\r\n", "S> "+httpOK, "C< "+httpOK, "C>|", "S<|", "S>|", "C<|")
		d.client, d.server = dial(t, d.engine), nil
	}
}
