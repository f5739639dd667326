package main_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connect opens a connection to pen. An address is a port of 127.0.0.1, host:port or a path,
// with tls: or tls1.2: in front if the connection is to be encrypted; from is the client's own
// address, with or without a port, or empty.
func connect(addr, from string) (net.Conn, error) {
	if version, rest, ok := encrypted(addr); ok {
		c, err := connect(rest, from)
		if err != nil {
			return nil, err
		}
		return encrypt(c, version)
	}
	d := net.Dialer{Timeout: patience}
	if strings.Contains(addr, "/") {
		return d.Dial("unix", addr)
	}
	if from != "" {
		if _, _, err := net.SplitHostPort(from); err != nil {
			from = net.JoinHostPort(from, "0")
		}
		local, err := net.ResolveTCPAddr("tcp", from)
		if err != nil {
			return nil, err
		}
		d.LocalAddr, d.Control = local, reuseAddr
	}
	return d.Dial("tcp", reachable(addr))
}

// reuseAddr lets a client use the port of one that has just ended.
func reuseAddr(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); e != nil {
		return e
	}
	return err
}

// clientAddr is the address of the i-th client of many.
func clientAddr(i int) string { return fmt.Sprintf("127.0.%d.%d", 1+i/250, 1+i%250) }

// getter is what the options of get say.
type getter struct {
	n, clients  int
	from, path  string
	count, body bool
	keep        bool
	post        int
}

// get [-n N] [-from IP[:PORT]] [-clients N] [-keep] [-count] [-body] [-path P] [-post N] ADDR sends N requests, each on
// a connection of its own or, with -keep, all on one, and prints the names of the servers that answered; with -count
// how often each did; with -body the answers. -clients repeats it from as many addresses. A request without an answer
// prints "refused", "closed" or "timeout" and makes the command fail.
func get(sc *scenario, args []string) (string, error) {
	var g getter
	f := flag.NewFlagSet("get", flag.ContinueOnError)
	f.IntVar(&g.n, "n", 1, "requests")
	f.IntVar(&g.clients, "clients", 0, "client addresses")
	f.StringVar(&g.from, "from", "", "client address")
	f.StringVar(&g.path, "path", "/", "path of the request")
	f.BoolVar(&g.count, "count", false, "count the answers of each server")
	f.BoolVar(&g.body, "body", false, "print the bodies")
	f.BoolVar(&g.keep, "keep", false, "all requests on one connection")
	f.IntVar(&g.post, "post", -1, "send a body of that many bytes")
	if err := f.Parse(args); err != nil {
		return "", err
	}
	froms := []string{g.from}
	if g.clients > 0 {
		froms = nil
		for i := range g.clients {
			froms = append(froms, clientAddr(i))
		}
	}
	var words []string
	var err error
	for _, from := range froms {
		got, e := g.requests(f.Arg(0), from)
		words = append(words, got...)
		err = errors.Join(err, e)
	}
	if g.count {
		words = tally(words)
	}
	return strings.Join(words, " ") + "\n", err
}

// tally turns words into "word number" pairs, sorted.
func tally(words []string) []string {
	counts := make(map[string]int)
	for _, w := range words {
		counts[w]++
	}
	var out []string
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, w, strconv.Itoa(counts[w]))
	}
	return out
}

// requests sends the requests of one client.
func (g *getter) requests(addr, from string) (words []string, err error) {
	var c net.Conn
	var r *bufio.Reader
	for i := range g.n {
		if c == nil {
			var e error
			if c, e = connect(addr, from); e != nil {
				words, err = append(words, failure(e)), e
				continue
			}
			c.SetDeadline(time.Now().Add(patience))
			r = bufio.NewReader(c)
		}
		word, e := g.request(c, r, !g.keep || i == g.n-1)
		if e != nil {
			word, err = failure(e), fmt.Errorf("%s from %q: %w", addr, from, e)
		}
		words = append(words, word)
		if !g.keep || e != nil {
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
	return words, err
}

// request sends one request and returns the name of the server, or the body.
func (g *getter) request(c net.Conn, r *bufio.Reader, last bool) (string, error) {
	method, extra := "GET", ""
	if g.post >= 0 {
		method, extra = "POST", fmt.Sprintf("Content-Length: %d\r\n", g.post)
	}
	if last {
		extra += "Connection: close\r\n"
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: pen.test\r\n%s\r\n", method, g.path, extra)
	if _, err := io.WriteString(c, head+strings.Repeat("b", max(0, g.post))); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if g.body {
		return strings.TrimSpace(string(body)), err
	}
	return resp.Header.Get("X-Backend"), err
}

// failure is the word for an error of a client. A close and a reset are the same to it: which one a client sees of a
// connection that is refused after all is a matter of timing.
func failure(err error) string {
	var t interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "refused"
	case errors.As(err, &t) && t.Timeout():
		return "timeout"
	}
	return "closed"
}

// held are idle connections.
type held struct {
	conns  []net.Conn
	helper *helper // holds them in a process of its own; nil = here
}

func (h *held) close() {
	if h.helper != nil {
		h.helper.stop()
	}
	for _, c := range h.conns {
		c.Close()
	}
	h.conns = nil
}

// hold [-own] NAME N ADDR [FROM] opens N connections that stay idle until release. With -own another process has them.
func hold(sc *scenario, args []string) (string, error) {
	own := len(args) > 0 && args[0] == "-own"
	if own {
		args = args[1:]
	}
	if len(args) < 3 {
		return "", errors.New("usage: hold [-own] NAME N ADDR [FROM]")
	}
	h := &held{}
	sc.held[args[0]] = h
	var err error
	if own {
		h.helper, err = startHelper(append([]string{"hold"}, args[1:]...)...)
		return "", err
	}
	h.conns, err = connectMany(args[1:])
	return "", err
}

// connectMany opens connections as hold N ADDR [FROM] says.
func connectMany(args []string) ([]net.Conn, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	var conns []net.Conn
	for range n {
		c, err := connect(args[1], strings.Join(args[2:], ""))
		if err != nil {
			return conns, fmt.Errorf("connection %d: %w", len(conns), err)
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// release NAME... closes the connections of hold.
func release(sc *scenario, args []string) (string, error) {
	for _, name := range args {
		h := sc.held[name]
		if h == nil {
			return "", fmt.Errorf("nothing held as %q", name)
		}
		h.close()
	}
	return "", nil
}
