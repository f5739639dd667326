package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// timeFormat is how pen shows a time, in the local zone: in diagnostics and on the status page.
const timeFormat = "2006-01-02 15:04:05"

// Log takes pen's diagnostics. Its level follows the debug command (see [Log.SetDebug]).
type Log struct {
	*slog.Logger
	level *slog.LevelVar
}

// dumpLevel is the debug level of dumps of what is forwarded. They have no time in front, in pen as here.
const dumpLevel = 3

// NewLog returns a Log that writes lines "YYYY-MM-DD HH:MM:SS: text key=value…" to w: standard error in the foreground.
func NewLog(w io.Writer) *Log {
	var mu sync.Mutex
	return newLog(func(r slog.Record, text string) error {
		mu.Lock()
		defer mu.Unlock()
		if r.Level != debugLevel(dumpLevel) {
			text = r.Time.Format(timeFormat) + ": " + text
		}
		_, err := fmt.Fprintf(w, "%s\n", text)
		return err
	})
}

// NewSyslog returns a Log that writes to the system's log as ident pen, facility user: for the background. Systems
// whose log is no Unix socket (Solaris and illumos) are reached over UDP on this machine.
func NewSyslog() (*Log, error) {
	w, err := dialSyslog()
	if err != nil {
		return nil, err
	}
	return newLog(func(r slog.Record, text string) error { return writeSyslog(w, r.Level, text) }), nil
}

func dialSyslog() (*syslog.Writer, error) {
	const priority = syslog.LOG_USER | syslog.LOG_INFO
	w, err := syslog.New(priority, "pen")
	if err != nil {
		w, err = syslog.Dial("udp", "127.0.0.1:syslog", priority, "pen")
	}
	if err != nil {
		return nil, fmt.Errorf("syslog: %w", err)
	}
	return w, nil
}

func newLog(emit func(slog.Record, string) error) *Log {
	level := new(slog.LevelVar)
	return &Log{slog.New(&handler{level: level, emit: emit}), level}
}

// SetDebug lets messages of pen's debug levels up to n through: 0 for none.
func (l *Log) SetDebug(n int) { l.level.Set(debugLevel(n)) }

// debugLevel is the slog level of pen's debug level n: Info for 0, Debug for 1, and as far apart below.
func debugLevel(n int) slog.Level {
	return slog.LevelInfo + slog.Level(n)*(slog.LevelDebug-slog.LevelInfo)
}

// writeSyslog writes a message a line: syslog knows no longer ones.
func writeSyslog(w *syslog.Writer, level slog.Level, text string) error {
	write := w.Err
	switch {
	case level < slog.LevelInfo:
		write = w.Debug
	case level < slog.LevelWarn:
		write = w.Info
	case level < slog.LevelError:
		write = w.Warning
	}
	for line := range strings.Lines(text) {
		if err := write(strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// handler turns records to text and leaves time, severity and destination to emit, which several goroutines may call.
type handler struct {
	level *slog.LevelVar
	emit  func(r slog.Record, text string) error
	attrs string // of WithAttrs, each with a blank in front
	group string // of WithGroup: prefix of the keys, with its dot
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// Handle implements [slog.Handler].
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	text := []byte(r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		text = appendAttr(text, h.group, a)
		return true
	})
	return h.emit(r, string(text))
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var text []byte
	for _, a := range attrs {
		text = appendAttr(text, h.group, a)
	}
	with := *h
	with.attrs += string(text)
	return &with
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	with := *h
	with.group += name + "."
	return &with
}

// appendAttr appends " key=value"; a value that is not one plain word is quoted.
func appendAttr(text []byte, group string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return text
	}
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, member := range value.Group() {
			text = appendAttr(text, group, member)
		}
		return text
	}
	text = append(text, ' ')
	text = append(text, group...)
	text = append(text, a.Key...)
	text = append(text, '=')
	word := value.String()
	if word == "" || strings.ContainsAny(word, " \"\\=") || strings.ContainsFunc(word, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return strconv.AppendQuote(text, word)
	}
	return append(text, word...)
}
