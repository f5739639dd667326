package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// stream is one connection that a script leads step by step: a client's, or one that a backend of kind listen accepted.
type stream struct {
	conn net.Conn
	r    *bufio.Reader
}

func newStream(c net.Conn) *stream { return &stream{conn: c, r: bufio.NewReaderSize(c, chunk)} }

// dial NAME ADDR [FROM] opens a connection.
func dial(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: dial NAME ADDR [FROM]")
	}
	c, err := connect(args[1], strings.Join(args[2:], ""))
	if err != nil {
		return "", err
	}
	sc.streams[args[0]] = newStream(c)
	return "", nil
}

// accept NAME BACKEND takes the next connection of a backend of kind listen and prints the address of its other end.
func acceptFrom(sc *scenario, args []string) (string, error) {
	if len(args) != 2 {
		return "", errors.New("usage: accept NAME BACKEND")
	}
	all, err := sc.backendsOf(args[1:])
	if err != nil {
		return "", err
	}
	select {
	case c := <-all[0].queue:
		sc.streams[args[0]] = newStream(c)
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		return host + "\n", nil
	case <-time.After(patience):
		return "", fmt.Errorf("no connection came to %s", args[1])
	}
}

// stream returns the one that args name, with the rest of the arguments.
func (sc *scenario) stream(args []string) (*stream, []string, error) {
	if len(args) == 0 {
		return nil, nil, errors.New("the name of a connection is missing")
	}
	s := sc.streams[args[0]]
	if s == nil {
		return nil, nil, fmt.Errorf("no connection %q", args[0])
	}
	s.conn.SetDeadline(time.Now().Add(patience))
	return s, args[1:], nil
}

// text joins the words and resolves \r, \n and the like.
func text(words []string) (string, error) {
	return strconv.Unquote(`"` + strings.ReplaceAll(strings.Join(words, " "), `"`, `\"`) + `"`)
}

// send NAME TEXT... writes text, with \r and \n as in Go; send NAME -pattern N writes N bytes of a pattern.
func send(sc *scenario, args []string) (string, error) {
	s, rest, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	if len(rest) == 2 && rest[0] == "-pattern" {
		n, err := strconv.ParseInt(rest[1], 10, 64)
		if err == nil {
			err = emit(s.conn, seedPut, n, 0)
		}
		return "", err
	}
	t, err := text(rest)
	if err == nil {
		_, err = io.WriteString(s.conn, t)
	}
	return "", err
}

// recv NAME TEXT... requires that this text comes next; recv NAME -pattern N that what send -pattern N writes does.
func recv(sc *scenario, args []string) (string, error) {
	s, rest, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	if len(rest) == 2 && rest[0] == "-pattern" {
		n, err := strconv.ParseInt(rest[1], 10, 64)
		if err == nil {
			err = receive(s.r, seedPut, n, 0)
		}
		return "", err
	}
	want, err := text(rest)
	if err != nil {
		return "", err
	}
	got := make([]byte, len(want))
	n, err := io.ReadFull(s.r, got)
	if err != nil || string(got) != want {
		return "", fmt.Errorf("got %q (%v), want %q", got[:n], err, want)
	}
	return "", nil
}

// line NAME prints the next line.
func line(sc *scenario, args []string) (string, error) {
	s, _, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	return s.r.ReadString('\n')
}

// half NAME ends the sending side.
func half(sc *scenario, args []string) (string, error) {
	s, _, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	h, ok := s.conn.(interface{ CloseWrite() error })
	if !ok {
		return "", fmt.Errorf("%T has no halves", s.conn)
	}
	return "", h.CloseWrite()
}

// eof NAME requires that nothing more comes but the orderly end.
func eof(sc *scenario, args []string) (string, error) {
	s, _, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	if rest, err := io.ReadAll(s.r); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("got %.200q and %v, want the end", rest, err)
	}
	return "", nil
}

// gone NAME requires that the other side has closed or reset the connection; what it sent before does not matter.
func gone(sc *scenario, args []string) (string, error) {
	s, _, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, s.r); err != nil && failure(err) == "timeout" {
		return "", err
	}
	return "", nil
}

// silent NAME DURATION requires that for so long nothing comes, not even the end.
func silent(sc *scenario, args []string) (string, error) {
	s, rest, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	d, err := time.ParseDuration(strings.Join(rest, ""))
	if err != nil {
		return "", err
	}
	s.conn.SetReadDeadline(time.Now().Add(d))
	if b, err := s.r.Peek(1); err == nil || failure(err) != "timeout" {
		return "", fmt.Errorf("got %q and %v, want silence", b, err)
	}
	s.r.Reset(s.conn) // forget the timeout
	return "", nil
}

// shut NAME... closes connections.
func shut(sc *scenario, args []string) (string, error) {
	var all error
	for _, name := range args {
		s, _, err := sc.stream([]string{name})
		if err == nil {
			err = s.conn.Close()
		}
		all = errors.Join(all, err)
	}
	return "", all
}

// reset NAME closes a connection with a RST.
func reset(sc *scenario, args []string) (string, error) {
	s, _, err := sc.stream(args)
	if err != nil {
		return "", err
	}
	if t, ok := s.conn.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	return "", s.conn.Close()
}
