package http1

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// wire feeds a Conn as a flow does: what was not taken comes again with more behind it.
type wire struct {
	t          *testing.T
	c          *Conn
	up, down   string // pending
	sent       strings.Builder
	answered   strings.Builder
	clientEnds bool
}

func newWire(t *testing.T, rules *Rules, client Client) *wire {
	w := &wire{t: t, c: &Conn{}}
	w.c.Reset(rules, client)
	return w
}

var testRules = &Rules{MaxHead: 1000}

var testClient = Client{Addr: netip.MustParseAddr("192.0.2.1")}

// client sends a piece.
func (w *wire) client(piece string) {
	w.up += piece
	w.flush()
}

// end is the end of what the client sends.
func (w *wire) end() {
	w.clientEnds = true
	w.flush()
}

// flush goes on with what the client has sent, also when something has come from the server.
func (w *wire) flush() {
	q := w.c.Requests()
	for {
		before := len(w.up)
		if pass := q.Pass(); pass < 0 {
			return
		} else if n := min(pass, int64(len(w.up))); n > 0 {
			w.sent.WriteString(w.up[:n])
			w.up = w.up[n:]
			q.Passed(n)
		}
		edited, taken := q.Edit(nil, []byte(w.up), w.clientEnds)
		if edited == nil {
			edited = []byte(w.up[:taken])
		}
		w.sent.Write(edited)
		if w.up = w.up[taken:]; len(w.up) == before || len(w.up) == 0 {
			break
		}
	}
	if w.clientEnds && w.up != "" && q.Pass() >= 0 {
		w.t.Errorf("%q is left at the end", w.up)
	}
}

// server sends a piece.
func (w *wire) server(piece string, last ...bool) {
	w.down += piece
	p := w.c.Responses()
	if n := min(p.Pass(), int64(len(w.down))); n > 0 {
		w.answered.WriteString(w.down[:n])
		w.down = w.down[n:]
		p.Passed(n)
	}
	edited, taken := p.Edit(nil, []byte(w.down), len(last) > 0)
	if edited != nil {
		w.t.Errorf("a response was edited: %q", edited)
	}
	w.answered.WriteString(w.down[:taken])
	w.down = w.down[taken:]
	w.flush()
}

const ok200 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

const added = "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1"

// +++ in a text stands for what is added.
func expand(s string) string { return strings.ReplaceAll(s, "+++", added) }

func TestRequests(t *testing.T) {
	long := strings.Repeat("x", 2000)
	tests := []struct {
		name string
		in   string // see play
		want string // as it reaches the server
	}{
		{"one", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a+++\r\n\r\n"},
		{"no field", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0+++\r\n\r\n"},
		{"lines with LF", "GET / HTTP/1.0\nHost: a\n\n", "GET / HTTP/1.0\nHost: a+++\n\n"},
		{"any method", "MKCALENDAR /c HTTP/1.1\r\nHost: a\r\n\r\n", "MKCALENDAR /c HTTP/1.1\r\nHost: a+++\r\n\r\n"},
		{"one letter", "x / HTTP/1.1\r\nHost: a\r\n\r\n", "x / HTTP/1.1\r\nHost: a+++\r\n\r\n"},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a+++\r\n\r\n"},
		{"pipelined", "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", "GET /1 HTTP/1.1+++\r\n\r\nGET /2 HTTP/1.1+++\r\n\r\n"},
		{"empty lines before", "\r\n\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\r\n\nGET / HTTP/1.1+++\r\n\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"body", "POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
			"POST / HTTP/1.1\r\nContent-Length: 18+++\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"body with LF heads", "POST / HTTP/1.1\ncontent-length:3 \n\nabcGET / HTTP/1.1\n\n", "POST / HTTP/1.1\ncontent-length:3 +++\n\nabcGET / HTTP/1.1+++\n\n"},
		{"length twice", "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 01\r\n\r\nx", "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 01+++\r\n\r\nx"},
		{"chunked", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nGET /\r\nA0 ;x\r\n" + long[:160] + "\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
			"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n5;a=\"b\"\r\nGET /\r\nA0 ;x\r\n" + long[:160] + "\r\n0\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"trailer", "PUT / HTTP/1.1\r\nTransfer-Encoding: CHUNKED \r\n\r\n00\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n",
			"PUT / HTTP/1.1\r\nTransfer-Encoding: CHUNKED +++\r\n\r\n00\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"the name in a body", "POST / HTTP/1.1\r\nContent-Length: 21\r\n\r\n\r\nX-Forwarded-For: a\r\nGET / HTTP/1.1\r\n\r\n",
			"POST / HTTP/1.1\r\nContent-Length: 21+++\r\n\r\n\r\nX-Forwarded-For: a\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"has both", "GET / HTTP/1.1\r\nx-forwarded-FOR: 10.0.0.1\r\nX-FORWARDED-PROTO:ftp\r\n\r\n", "GET / HTTP/1.1\r\nx-forwarded-FOR: 10.0.0.1\r\nX-FORWARDED-PROTO:ftp\r\n\r\n"},
		{"has one", "GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nB: c\r\n\r\n", "GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nB: c\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"},
		{"has the other", "GET / HTTP/1.1\r\nX-Forwarded-For: 1\r\nB: c\r\n\r\n", "GET / HTTP/1.1\r\nX-Forwarded-For: 1\r\nB: c\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"odd but right", "GET http://a/\xff?[|] HTTP/1.1\r\n!#$%&'*+-.^_`|~9: \t a\x80\tb \t\r\nEmpty:\r\n\r\n", "GET http://a/\xff?[|] HTTP/1.1\r\n!#$%&'*+-.^_`|~9: \t a\x80\tb \t\r\nEmpty:+++\r\n\r\n"},

		{"upgrade", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n‖101‖\x81\x05GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: websocket+++\r\n\r\n\x81\x05GET / HTTP/1.1\r\n\r\n"},
		{"upgrade declined", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n‖200‖GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: websocket+++\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"upgrade, early bytes", "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\n\r\n‖101‖", "GET / HTTP/1.1\r\nUpgrade: x+++\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
		{"upgrade, body", "PUT / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc‖100‖101‖GET / HTTP/1.1\r\n\r\n", "PUT / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 3+++\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"},
		{"upgrade agreed in the body", "PUT / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\na‖101‖bcGET / HTTP/1.1\r\n\r\n", "PUT / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 3+++\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"},
		{"upgrade, not decided", "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n\r\n‖100‖", "GET / HTTP/1.1\r\nUpgrade: x+++\r\n\r\n"},
		{"upgrade behind another", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x\r\n\r\nAB‖200‖101‖C", "GET / HTTP/1.1+++\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x+++\r\n\r\nABC"},
		{"upgrade, the server is gone", "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\n\r\n‖end‖", "GET / HTTP/1.1\r\nUpgrade: x+++\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},
		{"connect", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n‖200‖GET / HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1+++\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
		{"connect declined", "CONNECT a:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n‖404‖", "CONNECT a:1 HTTP/1.1+++\r\n\r\nGET / HTTP/1.1+++\r\n\r\n"},

		{"HTTP/2", preface + "\x00\x00", preface + "\x00\x00"},
		{"TLS", "\x16\x03\x01GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01GET / HTTP/1.1\r\n\r\n"},
		{"SMTP", "EHLO a\r\nGET / HTTP/1.1\r\n\r\n", "EHLO a\r\nGET / HTTP/1.1\r\n\r\n"},
		{"one word", "QUIT\r\n", "QUIT\r\n"},
		{"HTTP/0.9", "GET /\r\n", "GET /\r\n"},
		{"a path with http", "GET /http/ \r\n", "GET /http/ \r\n"},
		{"RESP", "*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n"},
		{"token and zero", "H\x00\x00\x01", "H\x00\x00\x01"},
		{"a long word", long, long},
		{"cut short", "EHLO a", "EHLO a"},
		{"a word cut short", "PR", "PR"},
		{"server speaks first", "‖greeting‖EHLO a\r\n", "EHLO a\r\n"},
	}
	for _, tt := range tests {
		for _, size := range []int{math.MaxInt, 7, 1} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWire(t, testRules, testClient)
				w.play(tt.in, size)
				if r := w.c.Refused(); r != nil {
					t.Fatalf("refused: %d %s", r.Status, r.Why)
				}
				if got := w.sent.String(); got != expand(tt.want) {
					t.Errorf("pieces of %d: got\n%q, want\n%q", size, got, expand(tt.want))
				}
			})
		}
	}
}

// bar is around what comes from the server in a script: one of answers.
const bar = "‖"

// answers are what the server may send.
var answers = map[string]string{
	"100": "HTTP/1.1 100 Continue\r\n\r\n", "101": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
	"200": ok200, "404": "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "greeting": "220 hello\r\n", "end": "",
}

// play sends the parts of a script, those between bars from the server.
func (w *wire) play(script string, size int) {
	for i, part := range strings.Split(script, bar) {
		answer, fromServer := answers[part]
		send := w.client
		if fromServer && i > 0 {
			part, send = answer, func(s string) { w.server(s) }
			if answer == "" {
				w.server("", true)
			}
		}
		for len(part) > 0 {
			n := min(size, len(part))
			send(part[:n])
			part = part[n:]
		}
	}
	if !strings.Contains(script, "Upgrade") {
		w.end()
	}
}

func TestRefused(t *testing.T) {
	const get = "GET / HTTP/1.1\r\n"
	const put = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name   string
		in     string
		status int
		want   string // what still reaches the server
	}{
		{"two lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400, ""},
		{"length and coding", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"coding and length", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, ""},
		{"list of lengths", "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nabcde", 400, ""},
		{"signed length", "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde", 400, ""},
		{"negative length", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nabcde", 400, ""},
		{"hexadecimal length", "POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\nabcde", 400, ""},
		{"no length", "POST / HTTP/1.1\r\nContent-Length: \r\n\r\nabcde", 400, ""},
		{"long length", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551621\r\n\r\nabcde", 400, ""},
		{"blank before the colon", "POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\nabcde", 400, ""},
		{"blank before the name", get + " Content-Length: 5\r\n\r\nabcde", 400, ""},
		{"folded", get + "A: b\r\n c\r\n\r\n", 400, ""},
		{"folded with a tab", get + "A: b\r\n\tc\r\n\r\n", 400, ""},
		{"folded coding", "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 501, ""},
		{"other coding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, ""},
		{"list of codings", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, ""},
		{"two codings", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501, ""},
		{"twice chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501, ""},
		{"coding, vertical tab", "POST / HTTP/1.1\r\nTransfer-Encoding: \vchunked\r\n\r\n", 400, ""},
		{"coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"connect with a body", "CONNECT a:1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", 400, ""},
		{"bare CR", get + "A: b\rTransfer-Encoding: chunked\r\n\r\n", 400, ""},
		{"CR at the end", get + "A: b\r\r\n\r\n", 400, ""},
		{"zero", get + "A: b\x00\r\n\r\n", 400, ""},
		{"delete", get + "A: b\x7f\r\n\r\n", 400, ""},
		{"no colon", get + "A\r\n\r\n", 400, ""},
		{"no name", get + ": a\r\n\r\n", 400, ""},
		{"name with a blank", get + "A B: c\r\n\r\n", 400, ""},
		{"name with a letter of Latin-1", get + "\xc4: c\r\n\r\n", 400, ""},
		{"LF among CRLF", get + "A: b\nTransfer-Encoding: chunked\r\n\r\n", 400, ""},
		{"CRLF among LF", "GET / HTTP/1.1\nA: b\r\n\n", 400, ""},
		{"empty line with LF", get + "A: b\r\n\n", 400, ""},
		{"empty line with CRLF", "GET / HTTP/1.1\nA: b\n\r\n", 400, ""},

		{"two blanks", "GET  / HTTP/1.1\r\n\r\n", 400, ""},
		{"two blanks before the version", "GET /  HTTP/1.1\r\n\r\n", 400, ""},
		{"blank at the end", "GET / HTTP/1.1 \r\n\r\n", 400, ""},
		{"blank in front", " GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"tabs", "GET\t/\tHTTP/1.1\r\n\r\n", 400, ""},
		{"blank in the target", "GET /a b HTTP/1.1\r\n\r\n", 400, ""},
		{"no target", "GET HTTP/1.1\r\n\r\n", 400, ""},
		{"small letters", "get / http/1.1\r\n\r\n", 400, ""},
		{"long version", "GET / HTTP/1.10\r\n\r\n", 400, ""},
		{"version 2", "GET / HTTP/2.0\r\n\r\n", 505, ""},
		{"version 0.9", "GET / HTTP/0.9\r\n\r\n", 505, ""},
		{"half a preface", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", 505, ""},
		{"cut short", "GET / HTTP/1.1\r\nHost: a", 400, ""},
		{"cut short in the line", "GET / HTTP/1.1", 400, ""},
		{"HTTP/0.9 later", "GET / HTTP/1.1\r\n\r\nGET /\r\n", 400, "GET / HTTP/1.1+++\r\n\r\n"},
		{"nonsense later", "GET / HTTP/1.1\r\n\r\n\x16\x03\x01", 400, "GET / HTTP/1.1+++\r\n\r\n"},
		{"preface later", "GET / HTTP/1.1\r\n\r\n" + preface, 505, "GET / HTTP/1.1+++\r\n\r\n"},

		{"large head", get + "A: " + strings.Repeat("x", 1000) + "\r\n\r\n", 431, ""},
		{"large head without an end", get + "A: " + strings.Repeat("x", 2000), 431, ""},
		{"large line", "GET /" + strings.Repeat("x", 2000), 431, ""},
		{"many fields", get + strings.Repeat("A: b\r\n", 200) + "\r\n", 431, ""},

		{"chunk without a size", put + "\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"chunk with LF", put + "5\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"chunk in a strange number", put + "0x5\r\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"chunk below zero", put + "-5\r\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"huge chunk", put + "fffffffffffffff0\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"overflowing chunk", put + "10000000000000005\r\nabcde", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"extension without a semicolon", put + "5 a\r\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"CR in an extension", put + "5;a\rb\r\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"LF in an extension", put + "5;a\n\r\nabcde\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"long extension", put + "5;" + strings.Repeat("x", 5000), 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n"},
		{"long chunk", put + "5\r\nabcdef\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n5\r\nabcde"},
		{"length in the trailer", put + "0\r\nContent-Length: 5\r\n\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n0\r\n"},
		{"client in the trailer", put + "0\r\nX_Forwarded_For: 5\r\n\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n0\r\n"},
		{"LF in the trailer", put + "0\r\nA: b\n\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n0\r\n"},
		{"large trailer", put + "0\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", 400, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked+++\r\n\r\n0\r\n"},
	}
	for _, tt := range tests {
		for _, size := range []int{math.MaxInt, 7, 1} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWire(t, testRules, testClient)
				w.play(tt.in, size)
				r := w.c.Refused()
				if r == nil {
					t.Fatalf("pieces of %d: let through: %q", size, w.sent.String())
				}
				if r.Status != tt.status || !strings.HasPrefix(string(r.Reply()), "HTTP/1.1 ") {
					t.Errorf("pieces of %d: got %d %s, want %d", size, r.Status, r.Why, tt.status)
				}
				if got := w.sent.String(); got != expand(tt.want) {
					t.Errorf("pieces of %d: got\n%q, want\n%q", size, got, expand(tt.want))
				}
			})
		}
	}
}

func TestOnly(t *testing.T) {
	rules := &Rules{MaxHead: 1000, Only: true}
	tests := []struct {
		name, in string
		status   int
		want     string
	}{
		{"HTTP/2", preface, 400, ""},
		{"TLS", "\x16\x03", 400, ""},
		{"SMTP", "EHLO a\r\n", 400, ""},
		{"HTTP/0.9", "GET /\r\n", 400, ""},
		{"cut short", "GET", 400, ""},
		{"offer of HTTP/2", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: a, H2C\r\nUpgrade: b\r\n\r\n", 0, "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: b+++\r\n\r\n"},
		{"the only field", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", 0, "GET / HTTP/1.1+++\r\n\r\n"},
		{"WebSocket", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n‖101‖abc", 0, "GET / HTTP/1.1\r\nUpgrade: websocket+++\r\n\r\nabc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, rules, testClient)
			w.play(tt.in, 5)
			status := 0
			if r := w.c.Refused(); r != nil {
				status = r.Status
			}
			if got := w.sent.String(); status != tt.status || got != expand(tt.want) {
				t.Errorf("got %d,\n%q; want %d,\n%q", status, got, tt.status, expand(tt.want))
			}
		})
	}
}

func TestFields(t *testing.T) {
	v4, v6, mapped := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")
	const none, listed = "A: b\r\n", "A: b\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nx-forwarded-for: 10.0.0.2 \r\nForwarded: for=a\r\nForwarded: for=b\r\nC: d\r\n"
	tests := []struct {
		name      string
		forwarded bool
		client    Client
		in, want  string
	}{
		{"IPv6", false, Client{Addr: v6}, none, "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 2001:db8::1\r\n"},
		{"IPv4 on an IPv6 listener", false, Client{Addr: mapped}, none, "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"with a zone", false, Client{Addr: netip.MustParseAddr("fe80::1%eth0")}, none, "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: fe80::1\r\n"},
		{"TLS", false, Client{Addr: v4, TLS: true}, none, "A: b\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"no address", false, Client{}, none, "A: b\r\nX-Forwarded-Proto: http\r\n"},
		{"forwarded", true, Client{Addr: v4}, none, "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=http\r\n"},
		{"forwarded, IPv6, TLS", true, Client{Addr: v6, TLS: true}, none, "A: b\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 2001:db8::1\r\nForwarded: for=\"[2001:db8::1]\";proto=https\r\n"},
		{"forwarded, no address", true, Client{}, none, "A: b\r\nX-Forwarded-Proto: http\r\nForwarded: for=unknown;proto=http\r\n"},
		{"keep", true, Client{Addr: v4}, listed, listed},
		{"append", false, Client{Addr: v4, Existing: Append}, listed, strings.Replace(listed, "10.0.0.2", "10.0.0.2, 192.0.2.1", 1)},
		{"append both", true, Client{Addr: v4, Existing: Append}, listed, strings.NewReplacer("10.0.0.2", "10.0.0.2, 192.0.2.1", "for=b", "for=b, for=192.0.2.1;proto=http").Replace(listed)},
		{"append, the other order", true, Client{Addr: v4, Existing: Append}, "Forwarded: for=b\r\nX-Forwarded-For: c\r\n", "Forwarded: for=b, for=192.0.2.1;proto=http\r\nX-Forwarded-For: c, 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"},
		{"append to nothing", false, Client{Addr: v4, Existing: Append}, none, "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"append to an empty one", false, Client{Addr: v4, Existing: Append}, "X-Forwarded-For: \r\n", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"},
		{"append no address", true, Client{Existing: Append}, "X-Forwarded-For: a\r\nForwarded: for=a\r\n", "X-Forwarded-For: a\r\nForwarded: for=a, for=unknown;proto=http\r\nX-Forwarded-Proto: http\r\n"},
		{"replace", false, Client{Addr: v4, Existing: Replace}, listed, "A: b\r\nC: d\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"replace both", true, Client{Addr: v4, Existing: Replace}, listed, "A: b\r\nC: d\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=http\r\n"},
		{"replace the last", false, Client{Addr: v4, Existing: Replace}, "A: b\r\nX-Forwarded-For: a\r\n", "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"replace the only", false, Client{Addr: v4, Existing: Replace}, "x-forwarded-for: a\r\n", "X-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"replace what looks like it", false, Client{Addr: v4, Existing: Replace}, "X_FORWARDED-For: a\r\nX_Forwarded_Proto: a\r\nA: b\r\n", "A: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
		{"replace with no address", false, Client{Existing: Replace}, "X-Forwarded-For: a\r\n", "X-Forwarded-Proto: http\r\n"},
		{"keep what looks like it", false, Client{Addr: v4}, "X_Forwarded_For: a\r\n", "X_Forwarded_For: a\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.1\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, &Rules{MaxHead: 1000, Forwarded: tt.forwarded}, tt.client)
			const line = "GET / HTTP/1.1\r\n"
			w.client(line + tt.in + "\r\n" + line + tt.in + "\r\n")
			want := line + tt.want + "\r\n" + line + tt.want + "\r\n"
			if got := w.sent.String(); got != want {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestResponses(t *testing.T) {
	const get, headRequest = "GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n"
	const bad = "GET HTTP/1.1\r\n\r\n"
	tests := []struct {
		name             string
		requests, server string
		now, reply       bool
		lost             bool
	}{
		{"nothing asked", bad, "", true, true, false},
		{"not answered", get + bad, "", false, false, false},
		{"answered", get + bad, ok200, true, true, false},
		{"answered in part", get + bad, ok200[:len(ok200)-1], false, false, false},
		{"head in part", get + bad, "HTTP/1.1 200 OK\r\nA", false, false, false},
		{"interim", get + bad, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", false, false, false},
		{"interim, final", get + bad, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\n" + ok200, true, true, false},
		{"one of two", get + get + bad, ok200, false, false, false},
		{"both", get + get + bad, ok200 + ok200, true, true, false},
		{"HEAD", headRequest + get + bad, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + ok200, true, true, false},
		{"204", get + get + bad, "HTTP/1.1 204 No Content\r\n\r\n" + ok200, true, true, false},
		{"304", get + get + bad, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n" + ok200, true, true, false},
		{"chunked", get + get + bad, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n3;a\r\nabc\r\n0\r\nA: b\r\n\r\n" + ok200, true, true, false},
		{"LF", get + bad, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", true, true, false},
		{"no phrase", get + bad, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true, true, false},
		{"until the end", get + bad, "HTTP/1.0 200 OK\r\n\r\nabc", false, false, true},
		{"other coding", get + bad, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", false, false, true},
		{"two lengths", get + bad, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", false, false, true},
		{"no HTTP", get + bad, "ICY 200 OK\r\n\r\n", false, false, true},
		{"bad chunk", get + bad, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, false, true},
		{"without being asked", bad, ok200, false, false, true},
		{"long head", get + bad, "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", maxResponseHead), false, false, true},
		{"torn", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "", true, true, false},
		{"torn, interim", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 100 Continue\r\n\r\n", true, true, false},
		{"torn, a response has begun", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 Bad", false, false, false},
		{"torn, a response is under way", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ok200[:len(ok200)-1], false, false, false},
		{"torn, responded to", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ok200, true, false, false},
		{"torn behind another", get + "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "", false, false, false},
		{"torn behind another that is answered", get + "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ok200, true, true, false},
	}
	for _, tt := range tests {
		for _, size := range []int{math.MaxInt, 7, 1} {
			t.Run(tt.name, func(t *testing.T) {
				if len(tt.server) > 1000 && size < 1000 {
					size *= 1000
				}
				w := newWire(t, testRules, testClient)
				w.client(tt.requests)
				for rest := tt.server; rest != ""; {
					n := min(size, len(rest))
					w.server(rest[:n])
					rest = rest[n:]
				}
				if w.c.Refused() == nil {
					t.Fatal("not refused")
				}
				now, reply := w.c.Due()
				if now != tt.now || reply != tt.reply || w.c.lost != tt.lost {
					t.Errorf("pieces of %d: got due %v, reply %v, lost %v; want %v, %v, %v", size, now, reply, w.c.lost, tt.now, tt.reply, tt.lost)
				}
				if got := w.answered.String() + w.down; got != tt.server {
					t.Errorf("pieces of %d: got\n%q, want\n%q", size, got, tt.server)
				}
			})
		}
	}
}

// Who sends requests without reading responses is read no further.
func TestBound(t *testing.T) {
	w := newWire(t, testRules, testClient)
	const get = "GET / HTTP/1.1\r\n\r\n"
	w.client(strings.Repeat(get, maxQueue+2))
	if got := strings.Count(w.sent.String(), get[:14]); got != maxQueue || w.up != get+get || w.c.Requests().Pass() >= 0 {
		t.Errorf("got %d requests, %q left, pass %d; want %d, two, below 0", got, w.up, w.c.Requests().Pass(), maxQueue)
	}
	w.server(ok200)
	w.server(ok200 + ok200)
	if got := strings.Count(w.sent.String(), get[:14]); got != maxQueue+2 || w.up != "" {
		t.Errorf("got %d requests, %q left; want %d", got, w.up, maxQueue+2)
	}
}

func TestReading(t *testing.T) {
	w := newWire(t, testRules, testClient)
	steps := []struct {
		client, server string
		want           uint32
	}{
		{"", "", 0},
		{"\r\n", "", 0},
		{"G", "", 1},
		{"ET / HTTP/1.1\r\nA: b", "", 1},
		{"\r\n\r\n", "", 0},
		{"GET / HTTP/1.1\r\n\r\nGET", "", 3},
		{" / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET", "", 0},
		{"", ok200 + ok200 + ok200, 4},
		{" / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", "", 0},
		{"de", "", 0},
		{"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", "", 0}, // there may be many of them, at any pace
		{"\r\nabcde\r\n0\r\nA", "", 6},
		{": b\r\n\r\nx", "", 6},
	}
	for i, s := range steps {
		w.client(s.client)
		w.server(s.server)
		if got := w.c.Reading(); got != s.want {
			t.Errorf("step %d: got %d, want %d", i, got, s.want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	c := &Conn{}
	c.Reset(&Rules{MaxHead: 1000, Forwarded: true}, Client{Addr: netip.MustParseAddr("2001:db8::1"), Existing: Append})
	in := []byte(strings.Repeat(benchRequest, 3))
	response := []byte(strings.Repeat(ok200, 3))
	out := make([]byte, 0, 4096)
	round := func() {
		if _, n := c.Requests().Edit(out, in, false); n != len(in) {
			t.Fatalf("%d taken, want %d", n, len(in))
		}
		if _, n := c.Responses().Edit(nil, response, false); n != len(response) || c.waiting.n != 0 || c.lost {
			t.Fatalf("%d taken, %d wait, lost %v", n, c.waiting.n, c.lost)
		}
	}
	round()
	if got := testing.AllocsPerRun(100, round); got != 0 {
		t.Errorf("%v allocations a round, want 0", got)
	}
}

const benchRequest = "GET /index.html?a=b&c=d HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n\r\n"

func BenchmarkRequest(b *testing.B) {
	c := &Conn{}
	c.Reset(&Rules{MaxHead: 32 << 10}, testClient)
	in, out := []byte(benchRequest), make([]byte, 0, 4096)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c.Requests().Edit(out, in, false)
		c.waiting = queue{}
	}
}

func BenchmarkResponse(b *testing.B) {
	c := &Conn{}
	c.Reset(&Rules{MaxHead: 32 << 10}, testClient)
	in := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c.waiting = queue{n: 1}
		c.Responses().Edit(nil, in, false)
	}
}

// chop cuts s into pieces of random sizes.
func chop(s string, rng *rand.Rand) []string {
	var pieces []string
	for s != "" {
		n := min(len(s), 1+rng.IntN(1+rng.IntN(64)))
		pieces = append(pieces, s[:n])
		s = s[n:]
	}
	return pieces
}
