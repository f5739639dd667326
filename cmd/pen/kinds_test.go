package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// kinds are the ways in which a backend treats a connection. The kinds refuse (nobody listens) and full (a connect gets
// no answer) have no connections to treat.
var kinds = map[string]func(b *backend, c net.Conn){
	"http":   serveHTTP,
	"web":    serveWeb,
	"smtp":   serveSMTP,
	"line":   serveLines,
	"echo":   serveEcho,
	"bulk":   serveBulk,
	"hang":   serveHang,
	"agent":  serveAgent,
	"close":  (*backend).leave,
	"reset":  serveReset,
	"listen": func(b *backend, c net.Conn) { b.queue <- c },
}

// serveHTTP answers every request of a connection with the backend's name, what it was asked and by whom:
// "NAME PEER METHOD PATH BODYLENGTH", or with N bytes for /size/N, or with the request's headers for /headers.
func serveHTTP(b *backend, c net.Conn) {
	defer b.leave(c)
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return
		}
		peer, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		body := fmt.Appendf(nil, "%s %s %s %s %d\n", b.name, peer, req.Method, req.URL.Path, n)
		if size, ok := strings.CutPrefix(req.URL.Path, "/size/"); ok {
			n, _ := strconv.Atoi(size)
			body = bytes.Repeat([]byte("x"), n)
		}
		if req.URL.Path == "/headers" {
			var text bytes.Buffer
			req.Header.Write(&text)
			body = text.Bytes()
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Backend: %s\r\nContent-Length: %d\r\n\r\n%s", b.name, len(body), body)
		if req.Close {
			return
		}
	}
}

// serveSMTP speaks first, as mail servers do.
func serveSMTP(b *backend, c net.Conn) {
	defer b.leave(c)
	fmt.Fprintf(c, "220 %s ESMTP\r\n", b.name)
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch verb, _, _ := strings.Cut(lines.Text(), " "); strings.ToUpper(verb) {
		case "EHLO", "HELO":
			fmt.Fprintf(c, "250 %s greets you\r\n", b.name)
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "500 what?\r\n")
		}
	}
}

// serveLines answers each line "DELAY TEXT" after DELAY with "NAME TEXT".
func serveLines(b *backend, c net.Conn) {
	defer b.leave(c)
	for lines := bufio.NewScanner(c); lines.Scan(); {
		delay, text, _ := strings.Cut(lines.Text(), " ")
		b.note(c, visit{question: text})
		if d, err := time.ParseDuration(delay); err == nil {
			time.Sleep(d) // a server that works on its answer
		}
		if _, err := fmt.Fprintf(c, "%s %s\n", b.name, text); err != nil {
			return
		}
		b.note(c, visit{question: text, answered: true})
	}
}

// serveEcho sends everything back, the end included.
func serveEcho(b *backend, c net.Conn) {
	defer b.leave(c)
	io.Copy(c, c)
}

// serveAgent says what the command answer has set, first of all up, and ends the connection.
func serveAgent(b *backend, c net.Conn) {
	defer b.leave(c)
	b.mu.Lock()
	text := b.answer
	b.mu.Unlock()
	fmt.Fprintf(c, "%s\n", text)
}

// serveHang takes the connection and neither reads nor writes.
func serveHang(*backend, net.Conn) {}

// serveReset ends the connection with a RST.
func serveReset(b *backend, c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	b.leave(c)
}

// serveBulk does its half of a transfer; see order.
func serveBulk(b *backend, c net.Conn) {
	defer b.leave(c)
	r := bufio.NewReaderSize(c, chunk)
	head, err := r.ReadString('\n')
	if err != nil {
		return
	}
	var o order
	if _, err := fmt.Sscanf(head, orderFormat, &o.put, &o.get, &o.serverPace); err != nil {
		fmt.Fprintf(c, "bad order %q\n", head)
		return
	}
	verdict := make(chan error, 1)
	go func() { verdict <- receive(r, seedPut, o.put, o.serverPace) }()
	if err := emit(c, seedGet, o.get, o.serverPace); err != nil {
		return
	}
	if err := <-verdict; err != nil {
		fmt.Fprintf(c, "%v\n", err)
		return
	}
	fmt.Fprintln(c, "intact")
}
