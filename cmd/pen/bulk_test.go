package main_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// order is what the client of a bulk transfer asks for in its first line. Both directions run at the same time.
type order struct {
	put, get   int64 // bytes from the client, from the server
	serverPace int64 // bytes per second that the server reads and writes at most; 0 = no limit
}

const (
	orderFormat = "put %d get %d pace %d\n"
	chunk       = 64 << 10 // bytes handled at once
	seedPut     = 1
	seedGet     = 2
)

// pattern returns an endless stream that both ends can make for themselves.
func pattern(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// emit writes n bytes of the pattern.
func emit(w io.Writer, seed byte, n, pace int64) error {
	src, p := pattern(seed), newPacer(pace)
	buf := make([]byte, chunk)
	for n > 0 {
		b := buf[:min(n, chunk)]
		src.Read(b)
		if _, err := w.Write(b); err != nil {
			return err
		}
		n -= int64(len(b))
		p.wait(len(b))
	}
	return nil
}

// receive reads n bytes, which must be the pattern.
func receive(r io.Reader, seed byte, n, pace int64) error {
	src, p := pattern(seed), newPacer(pace)
	got, want := make([]byte, chunk), make([]byte, chunk)
	for at := int64(0); at < n; {
		b := got[:min(n-at, chunk)]
		m, err := r.Read(b)
		src.Read(want[:m])
		if !bytes.Equal(b[:m], want[:m]) {
			return fmt.Errorf("damaged between byte %d and %d of %d", at, at+int64(m), n)
		}
		if at += int64(m); err != nil && at < n {
			return fmt.Errorf("ends after %d bytes of %d: %w", at, n, err)
		}
		p.wait(m)
	}
	return nil
}

// pacer makes its user slow.
type pacer struct {
	pace  int64 // bytes per second; 0 = no limit
	moved int64
	since time.Time
}

func newPacer(pace int64) *pacer { return &pacer{pace: pace, since: time.Now()} }

// wait sleeps until n more bytes are due.
func (p *pacer) wait(n int) {
	if p.pace == 0 {
		return
	}
	p.moved += int64(n)
	time.Sleep(time.Duration(float64(p.moved)/float64(p.pace)*float64(time.Second)) - time.Since(p.since))
}

// transfer [-put MB] [-get MB] [-pace MB/s] [-server-pace MB/s] [-n N] ADDR moves bytes both ways at once over N
// connections to a backend of kind bulk, and requires that all arrive as they were sent.
func transfer(sc *scenario, args []string) (string, error) {
	var o order
	f := flag.NewFlagSet("transfer", flag.ContinueOnError)
	put := f.Float64("put", 0, "MB to send")
	gets := f.Float64("get", 0, "MB to receive")
	pace := f.Float64("pace", 0, "MB/s of the client")
	serverPace := f.Float64("server-pace", 0, "MB/s of the server")
	n := f.Int("n", 1, "connections at once")
	if err := f.Parse(args); err != nil {
		return "", err
	}
	o.put, o.get, o.serverPace = int64(*put*1e6), int64(*gets*1e6), int64(*serverPace*1e6)
	errs := make(chan error, *n)
	for range *n {
		go func() { errs <- o.run(f.Arg(0), int64(*pace*1e6)) }()
	}
	var err error
	for range *n {
		err = errors.Join(err, <-errs)
	}
	return "", err
}

// run does the client's half.
func (o order) run(addr string, pace int64) error {
	c, err := connect(addr, "")
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * patience))
	fmt.Fprintf(c, orderFormat, o.put, o.get, o.serverPace)
	sent := make(chan error, 1)
	go func() {
		err := emit(c, seedPut, o.put, pace)
		if half, ok := c.(interface{ CloseWrite() error }); ok && err == nil {
			err = half.CloseWrite()
		}
		sent <- err
	}()
	if err := receive(c, seedGet, o.get, pace); err != nil {
		return fmt.Errorf("the answer is %w", err)
	}
	verdict, err := io.ReadAll(c)
	if err == nil && string(verdict) != "intact\n" {
		err = fmt.Errorf("the server says of what it got: %q", verdict)
	}
	return errors.Join(err, <-sent)
}
