package http1

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// seeds are whole conversations of a client.
var seeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcdGET / HTTP/1.0\n\n",
	"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n00\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nx-forwarded-proto: 2\r\nForwarded: for=1\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\nUpgrade: h2c, b\n\nabc",
	"\r\n\nGET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nabc",
	preface + "abc", "EHLO a\r\n", "\x16\x03\x01\x02\x00", "GET /\r\n",
	"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET / HTTP/1.1\r\nA: b\n\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n",
}

// send sends pieces as a client, with its end behind them.
func send(t *testing.T, rules *Rules, client Client, pieces []string) *wire {
	w := newWire(t, rules, client)
	for _, piece := range pieces {
		w.client(piece)
	}
	w.end()
	return w
}

// However the bytes come, the same reaches the server: nothing is lost, and no byte but of our fields is added.
func FuzzPieces(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, uint64(i), i%2 == 0, uint8(i))
	}
	f.Fuzz(func(t *testing.T, in string, seed uint64, only bool, existing uint8) {
		rules := &Rules{MaxHead: 256, Forwarded: seed%2 == 0, Only: only}
		client := Client{Addr: testClient.Addr, Existing: Existing(existing % 3)}
		whole := send(t, rules, client, []string{in})
		parts := send(t, rules, client, chop(in, rand.New(rand.NewPCG(seed, 1))))
		if whole.sent.String() != parts.sent.String() || (whole.c.refused == nil) != (parts.c.refused == nil) {
			t.Errorf("whole: %v\n%q; in pieces: %v\n%q", whole.c.refused, whole.sent.String(), parts.c.refused, parts.sent.String())
		}
		if client.Existing == Keep && !only && undone(in, rules, client) == in && !strings.HasPrefix(in, undone(whole.sent.String(), rules, client)) {
			t.Errorf("got\n%q from\n%q", whole.sent.String(), in)
		}
	})
}

// undone takes out what was added to heads that had nothing like it.
func undone(s string, rules *Rules, client Client) string {
	ours := []string{"\r\nX-Forwarded-Proto: http", "\r\nX-Forwarded-For: " + client.Addr.String()}
	if rules.Forwarded {
		ours = append(ours, "\r\nForwarded: for="+client.Addr.String()+";proto=http")
	}
	for _, field := range ours {
		s = strings.ReplaceAll(s, field, "")
	}
	return s
}

// What the parser of a server finds in what it gets are the requests that were let through, and no other: each one says who
// the client is, whatever that has said itself.
func FuzzServer(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		w := send(t, &Rules{MaxHead: 4096, Forwarded: true, Only: true}, Client{Addr: testClient.Addr, Existing: Replace}, []string{in})
		r := bufio.NewReader(strings.NewReader(w.sent.String()))
		for n := uint32(1); ; n++ {
			if n == 1 {
				skipEmptyLines(r)
			}
			req, err := http.ReadRequest(r)
			if err != nil {
				return // there is much that the parser of net/http does not take
			}
			if n > w.c.requests {
				t.Fatalf("the server finds %d requests, %d were let through:\n%q", n, w.c.requests, w.sent.String())
			}
			for name, want := range map[string]string{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http", "Forwarded": "for=192.0.2.1;proto=http"} {
				if got := req.Header.Values(name); !slices.Equal(got, []string{want}) {
					t.Fatalf("%s: got %q, want %q:\n%q", name, got, want, w.sent.String())
				}
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil || req.Trailer.Get("X-Forwarded-For") != "" {
				return
			}
			skipEmptyLines(r)
		}
	})
}

func skipEmptyLines(r *bufio.Reader) {
	for {
		b, _ := r.Peek(2)
		switch {
		case bytes.HasPrefix(b, []byte("\n")):
			r.Discard(1)
		case string(b) == "\r\n":
			r.Discard(2)
		default:
			return
		}
	}
}

// Responses are passed as they are, whatever they are; the same is made of them however they come, and what net/http
// takes for the end of one is its end.
func FuzzResponses(f *testing.F) {
	for i, s := range []string{
		ok200 + ok200, "HTTP/1.1 100 Continue\r\n\r\n" + ok200, "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 No\nContent-Length: 5\n\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n" + ok200, "HTTP/1.0 200 OK\r\n\r\nabc", "220 hello\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	} {
		f.Add(s, uint64(i))
	}
	f.Fuzz(func(t *testing.T, in string, seed uint64) {
		const requests = 8
		answer := func(pieces []string) (*wire, uint8) {
			w := newWire(t, testRules, testClient)
			w.client(strings.Repeat("GET / HTTP/1.1\r\n\r\n", requests))
			for _, piece := range pieces {
				w.server(piece)
			}
			left := w.c.waiting.n
			if w.c.lost || w.c.agreed {
				left = 0xff
			}
			w.server("", true)
			if got := w.answered.String(); got != in {
				t.Fatalf("got\n%q, want\n%q", got, in)
			}
			return w, left
		}
		_, whole := answer([]string{in})
		_, parts := answer(chop(in, rand.New(rand.NewPCG(seed, 1))))
		if whole != parts {
			t.Errorf("whole: %d are not answered; in pieces: %d", whole, parts)
		}
		if whole == 0xff {
			return
		}
		r := bufio.NewReader(strings.NewReader(in))
		for range requests - whole {
			for {
				resp, err := http.ReadResponse(r, &http.Request{Method: "GET"})
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatalf("net/http: %v", err)
				}
				if resp.StatusCode >= 200 {
					break
				}
			}
		}
	})
}
