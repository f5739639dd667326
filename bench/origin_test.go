//go:build linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

func TestReplyText(t *testing.T) {
	for _, size := range []int{smallReply, bulkReply, 64 * kilobyte, megabyte} {
		text := replyText(size)
		if len(text) != size {
			t.Errorf("reply of %d bytes has %d", size, len(text))
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if err != nil {
			t.Errorf("reply of %d bytes: %v", size, err)
			continue
		}
		if body, err := io.ReadAll(resp.Body); err != nil || int64(len(body)) != resp.ContentLength {
			t.Errorf("reply of %d bytes: body %d, %v; want %d", size, len(body), err, resp.ContentLength)
		}
	}
	if got := replyText(0); !bytes.HasSuffix(got, headEnd) {
		t.Errorf("reply of no size: %q, want a head", got)
	}
}

func TestRequestText(t *testing.T) {
	if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte(requestText)))); err != nil {
		t.Errorf("%q: %v", requestText, err)
	}
}

func TestHeads(t *testing.T) {
	const plain, through = "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n"
	for _, tt := range []struct {
		name, in  string
		n, length int
		forwarded bool
	}{
		{"nothing", "", 0, 0, false},
		{"a part", plain[:len(plain)-1], 0, 0, false},
		{"one", plain, 1, len(plain), false},
		{"one and a part", plain + "GET /", 1, len(plain), false},
		{"two", plain + plain, 2, 2 * len(plain), false},
		{"forwarded", through, 1, len(through), true},
		{"forwarded, small letters", "GET / HTTP/1.1\r\nx-forwarded-for: 1\r\n\r\n", 1, 38, true},
		{"one of two forwarded", through + plain, 2, len(through) + len(plain), false},
	} {
		n, length, forwarded := heads([]byte(tt.in))
		if n != tt.n || length != tt.length || forwarded != tt.forwarded {
			t.Errorf("%s: %d %d %v, want %d %d %v", tt.name, n, length, forwarded, tt.n, tt.length, tt.forwarded)
		}
	}
}

// However a stream of requests is cut, the same requests must come out of it.
func FuzzHeads(f *testing.F) {
	f.Add([]byte(requestText+requestText), 10)
	f.Add([]byte("\r\n\r\n\r\n\r\n"), 3)
	f.Add([]byte("a\r\n\r\nb"), 4)
	f.Add([]byte("0000\r\n\r\n\r\n"), 8)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		_, length, _ := heads(in)
		if length > len(in) || (length > 0 && !bytes.HasSuffix(in[:length], headEnd)) {
			t.Fatalf("heads(%q): length %d", in, length)
		}
		if cut < 0 || cut > len(in) {
			return
		}
		_, first, _ := heads(in[:cut])
		_, rest, _ := heads(in[first:])
		if first+rest != length {
			t.Errorf("heads(%q) cut at %d: %d + %d bytes, want %d", in, cut, first, rest, length)
		}
	})
}
