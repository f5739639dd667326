package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"pen/conf"
	"pen/engine"
)

// The logs of requests and connections: where they go is decided here, what is in them by the engine. A goroutine for
// each log of each service writes what the reactors hand over, so that a slow disk holds up nobody.

// flushDelay is how long a line may stay in memory.
const flushDelay = time.Second / 2

// target is where a log goes. Its owner is the goroutine that writes.
type target interface {
	io.Writer
	Flush() error
	Close() error
}

// logs are the logs of all services.
type logs struct {
	log      *Log
	services map[string]*serviceLogs
}

type serviceLogs struct {
	requests *logWriter[byte]
	access   *logWriter[engine.AccessRecord]
	was      conf.Service // by whose settings the targets were opened
}

func newLogs(log *Log) *logs { return &logs{log: log, services: map[string]*serviceLogs{}} }

// opened are the targets that a change of settings needs; nil means none.
type opened struct {
	service          conf.Service
	requests, access target
	newRequests      bool // else the one in use stays
	newAccess        bool
}

// open opens the targets that s needs and that are not open yet; with again, all of them, as the files may have been
// renamed. After an error nothing is open and nothing has changed.
func (l *logs) open(s *conf.Settings, again bool) (list []opened, err error) {
	defer func() {
		if err != nil {
			drop(list)
			list = nil
		}
	}()
	for _, v := range s.Services {
		var was conf.Service
		if w := l.services[v.Name]; w != nil {
			was = w.was
		}
		o := opened{service: *v, newRequests: again || v.Log != was.Log, newAccess: again || v.AccessLog != was.AccessLog}
		if o.newRequests {
			if o.requests, err = openRequests(v.Log); err != nil {
				return list, err
			}
		}
		if o.newAccess {
			if o.access, err = openAccess(v.AccessLog); err != nil {
				return append(list, o), err
			}
		}
		list = append(list, o)
	}
	return list, nil
}

// drop closes what open has opened.
func drop(list []opened) {
	for _, o := range list {
		for _, t := range []target{o.requests, o.access} {
			if t != nil {
				t.Close()
			}
		}
	}
}

// use has the logs go to what open has opened; services that are gone log nothing more. The engine works by the same
// settings already.
func (l *logs) use(e *engine.Engine, list []opened) {
	for _, o := range list {
		w := l.services[o.service.Name]
		if w == nil {
			sinks := e.Logs(o.service.Name)
			w = &serviceLogs{requests: startWriter(sinks.Requests, l.log, writeRequests), access: startWriter(sinks.Access, l.log, writeAccess)}
			l.services[o.service.Name] = w
		}
		if o.newRequests {
			w.requests.turnTo(o.requests)
		}
		if o.newAccess {
			w.access.turnTo(o.access)
		}
		w.was = o.service
	}
	for name, w := range l.services {
		if !slices.ContainsFunc(list, func(o opened) bool { return o.service.Name == name }) {
			w.requests.turnTo(nil)
			w.access.turnTo(nil)
			w.was = conf.Service{}
		}
	}
}

// close writes what is left, after the engine has stopped.
func (l *logs) close() {
	for _, w := range l.services {
		w.requests.stop()
		w.access.stop()
	}
}

// logWriter is the goroutine that writes one log of one service.
type logWriter[T any] struct {
	sink  *engine.Sink[T]
	log   *Log
	write func(target, []T) error
	turns chan turn
	ended chan struct{}
}

// turn is a change of where to write.
type turn struct {
	to   target
	done chan<- struct{}
}

func startWriter[T any](sink *engine.Sink[T], log *Log, write func(target, []T) error) *logWriter[T] {
	w := &logWriter[T]{sink, log, write, make(chan turn), make(chan struct{})}
	go w.run()
	return w
}

// turnTo has the log go to another target. What the reactors hand over after it has returned goes there, what they have
// handed over before does not.
func (w *logWriter[T]) turnTo(to target) {
	done := make(chan struct{})
	w.turns <- turn{to, done}
	<-done
}

// stop ends the goroutine after it has written what is left.
func (w *logWriter[T]) stop() {
	close(w.turns)
	<-w.ended
}

func (w *logWriter[T]) run() {
	defer close(w.ended)
	var to target
	var flush <-chan time.Time
	for {
		select {
		case batch := <-w.sink.Batches():
			if w.put(to, batch); flush == nil {
				flush = time.After(flushDelay)
			}
		case <-flush:
			flush = nil
			w.flush(to)
		case next, more := <-w.turns:
			w.drain(to)
			if to != nil {
				w.check(errors.Join(to.Flush(), to.Close()))
			}
			if !more {
				return
			}
			to, flush = next.to, nil
			close(next.done)
		}
	}
}

// drain writes what has been handed over until now.
func (w *logWriter[T]) drain(to target) {
	for {
		select {
		case batch := <-w.sink.Batches():
			w.put(to, batch)
		default:
			return
		}
	}
}

func (w *logWriter[T]) put(to target, batch []T) {
	if to != nil {
		w.check(w.write(to, batch))
	}
	w.sink.Done(batch)
}

func (w *logWriter[T]) flush(to target) {
	if to != nil {
		w.check(to.Flush())
	}
}

func (w *logWriter[T]) check(err error) {
	if err != nil {
		w.log.Error("log", "err", err)
	}
}

// openRequests opens the target of the command log: a file, or a penlogd that gets a datagram for each line.
func openRequests(to string) (target, error) {
	switch _, _, isAddress := conf.LogAddress(to); {
	case to == "":
		return nil, nil
	case isAddress:
		c, err := net.Dial("udp", to)
		if err != nil {
			return nil, fmt.Errorf("can't log to penlogd %s: %w", to, err)
		}
		return datagrams{c}, nil
	}
	return openFile(to)
}

func writeRequests(to target, lines []byte) error {
	_, err := to.Write(lines)
	return err
}

// fileTarget is a log file, or the standard output. A bufio.Writer keeps its first error and refuses all later lines;
// the next lines should be tried anew, as the disk may have room again.
type fileTarget struct {
	*bufio.Writer
	file *os.File
}

func openFile(name string) (target, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("can't open logfile %s: %w", name, errors.Unwrap(err))
	}
	return fileTarget{bufio.NewWriterSize(f, 64<<10), f}, nil
}

func (f fileTarget) Flush() error {
	err := f.Writer.Flush()
	if err != nil {
		f.Writer.Reset(f.file)
	}
	return err
}

func (f fileTarget) Close() error {
	if f.file == os.Stdout {
		return nil
	}
	return f.file.Close()
}

// datagrams sends each line by itself. Nobody may be there to receive it, which is no error of ours.
type datagrams struct{ net.Conn }

func (d datagrams) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		d.Conn.Write(line)
	}
	return len(lines), nil
}

func (datagrams) Flush() error { return nil }

// openAccess opens the target of the command access_log.
func openAccess(a conf.AccessLog) (t target, err error) {
	switch a.To {
	case "":
		return nil, nil
	case "stdout":
		t = fileTarget{bufio.NewWriter(os.Stdout), os.Stdout}
	case "syslog":
		t, err = openSyslog()
	default:
		t, err = openFile(a.To)
	}
	if err != nil {
		return nil, err
	}
	return accessTarget{t, newAccessHandler(t, a.JSON)}, nil
}

// accessTarget formats records with log/slog, as logfmt or JSON, without level and message.
type accessTarget struct {
	target
	handler slog.Handler
}

func newAccessHandler(w io.Writer, json bool) slog.Handler {
	o := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey || a.Key == slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}}
	if json {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

func writeAccess(to target, records []engine.AccessRecord) (err error) {
	for i := range records {
		err = errors.Join(err, to.(accessTarget).record(&records[i]))
	}
	return err
}

// record writes one line. Times are in seconds; what never happened is left out.
func (t accessTarget) record(a *engine.AccessRecord) error {
	r := slog.NewRecord(a.Time, slog.LevelInfo, "", 0)
	r.AddAttrs(slog.String("service", a.Service), slog.String("client", clientAddr(a.Client, a.ClientPort)))
	if a.Server != "" {
		r.AddAttrs(slog.String("server", a.Server))
	}
	r.AddAttrs(slog.Uint64("received", a.Received), slog.Uint64("sent", a.Sent))
	for _, took := range []struct {
		name string
		d    time.Duration
	}{{"connect", a.Connect}, {"first_byte", a.FirstByte}} {
		if took.d != 0 {
			r.AddAttrs(slog.Float64(took.name, took.d.Seconds()))
		}
	}
	if t := a.TLS; t != nil {
		r.AddAttrs(slog.String("tls", t.Version), slog.String("cipher", t.Cipher), slog.Bool("resumed", t.Resumed))
		if t.Name != "" {
			r.AddAttrs(slog.String("name", t.Name))
		}
		if t.Client != "" {
			r.AddAttrs(slog.String("client_cert", t.Client))
		}
	}
	r.AddAttrs(slog.Float64("total", a.Total.Truncate(time.Microsecond).Seconds()), slog.String("end", a.End))
	return t.handler.Handle(context.Background(), r)
}

func clientAddr(a netip.Addr, port uint16) string {
	if !a.IsValid() {
		return "unix"
	}
	return netip.AddrPortFrom(a, port).String()
}

// syslogTarget sends each line as a message of its own.
type syslogTarget struct{ *syslog.Writer }

func openSyslog() (target, error) {
	w, err := dialSyslog()
	if err != nil {
		return nil, err
	}
	return syslogTarget{w}, nil
}

func (syslogTarget) Flush() error { return nil }
