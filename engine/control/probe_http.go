package control

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// probeHTTP sends GET and looks at the status, or for a text in the body. It writes the request itself, as a Transport
// would keep goroutines and connections that nobody needs.
func probeHTTP(ctx context.Context, t *subject) error {
	c, err := t.speak(ctx, "tcp", t.probe.Port)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pen\r\nAccept: */*\r\nConnection: close\r\n\r\n", t.probe.Arg, t.host()); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, maxResponse)), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return expected(t.probe.Expect, r)
}

// maxResponse is how much of a response is read: a text that is expected has to be within.
const maxResponse = 64 << 10 // bytes

// host is the header Host.
func (t *subject) host() string {
	if t.probe.Host != "" {
		return t.probe.Host
	}
	if host, _, err := net.SplitHostPort(t.Address); err == nil {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return "localhost" // of a Unix socket
}

// statusPattern is how a status is expected: 200, 20x or 2xx.
var statusPattern = regexp.MustCompile(`^[1-5]([0-9]{2}|[0-9]x|xx)$`)

// expected compares a response with what is expected of it.
func expected(want string, r *http.Response) error {
	code := strconv.Itoa(r.StatusCode)
	if statusPattern.MatchString(want) {
		if digits := strings.TrimRight(want, "x"); !strings.HasPrefix(code, digits) {
			return fmt.Errorf("status %s, expected %s", code, want)
		}
		return nil
	}
	if r.StatusCode < 200 || r.StatusCode > 399 {
		return fmt.Errorf("status %s, expected 2xx or 3xx", code)
	}
	if want == "" {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if bytes.Contains(body, []byte(want)) {
		return nil
	}
	if err != nil && len(body) == 0 {
		return err
	}
	return fmt.Errorf("the body does not contain %q", want)
}
