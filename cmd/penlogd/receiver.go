package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"pen/engine/logline"
)

const (
	flushInterval = time.Second            // for how long a line may wait in the buffer
	lastCall      = 100 * time.Millisecond // for reading what had arrived before TERM
	datagramMax   = 1 << 16                // bytes
)

// receiver turns datagrams into the merged log. Everything belongs to the goroutine that calls run; signals reach it by a
// read deadline that is suddenly over.
type receiver struct {
	conn    *net.UDPConn
	out     *output
	entries *entries
	names   *names
	logger  *slog.Logger
	failing bool // the last write failed: say it once
}

// watchSignals asks for the signals. It is called first of all, so that none of them ends us half-way.
func watchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	return signals
}

// run receives until TERM or INT, and then what had arrived before.
func (r *receiver) run(signals <-chan os.Signal) error {
	var hup, term atomic.Bool // written by the goroutine for signals
	done := make(chan struct{})
	defer close(done)
	go r.interrupt(signals, &hup, &term, done)

	buf := make([]byte, datagramMax)
	dirty := time.Time{} // when the oldest line came into the buffer; zero if it is empty
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		now := time.Now()
		if err == nil && r.handle(buf[:n], from.Addr().Unmap()) && dirty.IsZero() {
			dirty = now
			r.conn.SetReadDeadline(now.Add(flushInterval))
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("receive: %w", err)
		}
		if term.Load() {
			return r.finish(buf)
		}
		if hup.Swap(false) {
			r.names.forget()
			r.check(r.out.reopen())
			r.logger.Debug("log opened again", "log", r.out.path)
			dirty = time.Time{}
		}
		if !dirty.IsZero() && now.Sub(dirty) >= flushInterval {
			r.check(r.out.flush())
			dirty = time.Time{}
		}
		if err != nil { // the deadline is over, set the next one
			r.setDeadline(dirty, &hup, &term)
		}
	}
}

// setDeadline makes the next read end when the buffer must be flushed, or at once if a signal came in between.
func (r *receiver) setDeadline(dirty time.Time, hup, term *atomic.Bool) {
	deadline := dirty
	if !dirty.IsZero() {
		deadline = dirty.Add(flushInterval)
	}
	r.conn.SetReadDeadline(deadline)
	if hup.Load() || term.Load() {
		r.conn.SetReadDeadline(time.Now())
	}
}

// interrupt notes signals and ends the read that is going on.
func (r *receiver) interrupt(signals <-chan os.Signal, hup, term *atomic.Bool, done <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGHUP {
				hup.Store(true)
			} else {
				term.Store(true)
			}
			r.conn.SetReadDeadline(time.Now())
		case <-done:
			return
		}
	}
}

// finish reads what has arrived already, but not for long.
func (r *receiver) finish(buf []byte) error {
	r.conn.SetReadDeadline(time.Now().Add(lastCall))
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return nil // close flushes
		}
		r.handle(buf[:n], from.Addr().Unmap())
	}
}

// handle takes one datagram. It tells whether something was written.
func (r *receiver) handle(datagram []byte, from netip.Addr) bool {
	if len(datagram) > 0 && datagram[0] == '+' {
		r.remember(datagram)
		return false
	}
	return r.merge(datagram, from)
}

// remember takes a line of pen.
func (r *receiver) remember(datagram []byte) {
	line, err := logline.ParseNet(datagram[:min(logline.DatagramMax, len(datagram))])
	if err == nil && len(line.Text) == 0 {
		err = logline.ErrShort // an empty request would match any
	}
	if err != nil {
		r.logger.Debug("discarding bogus pen line", "line", string(datagram), "err", err)
		return
	}
	server, ok := r.names.address(line.Server)
	if !ok {
		r.logger.Debug("discarding pen line of unknown server", "server", string(line.Server))
		return
	}
	r.entries.add(string(line.Client), server, line.Text)
}

// merge writes a line of the web server from. It tells whether it did: lines without a quoted request are dropped.
func (r *receiver) merge(line []byte, from netip.Addr) bool {
	_, request, _ := bytes.Cut(line, []byte{'"'})
	request, _, quoted := bytes.Cut(request, []byte{'"'})
	if !quoted {
		r.logger.Debug("bogus web line", "line", string(line), "server", from)
		return false
	}
	client, ok := r.entries.find(from, request)
	blank := bytes.IndexByte(line, ' ')
	if !ok || blank < 0 {
		r.check(r.out.write(line))
		return true
	}
	r.check(r.out.write([]byte(client), line[blank:]))
	return true
}

// check reports an error in writing the log, once until it works again.
func (r *receiver) check(err error) {
	if err != nil && !r.failing {
		r.logger.Error("log", "err", err)
	}
	r.failing = err != nil
}
