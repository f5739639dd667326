package control

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"testing"
)

func TestLog(t *testing.T) {
	for _, tt := range []struct {
		name  string
		debug int
		log   func(l *Log)
		want  string // without the time; "" = nothing
	}{
		{"message", 0, func(l *Log) { l.Info("servers:") }, "servers:"},
		{"blanks at the start", 0, func(l *Log) { l.Info(" 0 127.0.0.1:80:0:0:0:0") }, " 0 127.0.0.1:80:0:0:0:0"},
		{"values", 0, func(l *Log) { l.Warn("lost", "client", "::1", "n", 3) }, "lost client=::1 n=3"},
		{"quoted", 0, func(l *Log) { l.Error("lost", "err", errors.New("a \"b\"\nc"), "empty", "") }, `lost err="a \"b\"\nc" empty=""`},
		{"with", 0, func(l *Log) { l.With("server", 1).WithGroup("g").Info("up", "n", 2) }, "up server=1 g.n=2"},
		{"group", 0, func(l *Log) { l.Info("up", slog.Group("g", "a", 1, "b", 2)) }, "up g.a=1 g.b=2"},
		{"debug off", 0, func(l *Log) { l.Debug("x") }, ""},
		{"debug on", 1, func(l *Log) { l.Debug("x") }, "x"},
		{"level 2 off", 1, func(l *Log) { l.Log(t.Context(), debugLevel(2), "x") }, ""},
		{"level 2 on", 2, func(l *Log) { l.Log(t.Context(), debugLevel(2), "x") }, "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			l := NewLog(&b)
			l.SetDebug(tt.debug)
			tt.log(l)
			line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (.*)\n$`).FindStringSubmatch(b.String())
			switch {
			case tt.want == "" && b.Len() > 0:
				t.Errorf("got %q, want nothing", b.String())
			case tt.want != "" && (line == nil || line[1] != tt.want):
				t.Errorf("got %q, want a time and %q", b.String(), tt.want)
			}
		})
	}
}

// Dumps have no time, as pen's have none.
func TestDump(t *testing.T) {
	var b bytes.Buffer
	l := NewLog(&b)
	l.SetDebug(dumpLevel)
	l.Log(t.Context(), debugLevel(dumpLevel), "3: 61 62 63 ")
	if got, want := b.String(), "3: 61 62 63 \n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDebugCostsNothingWhenOff(t *testing.T) {
	l := NewLog(new(bytes.Buffer))
	if got := testing.AllocsPerRun(100, func() { l.Debug("accepted", "client", "192.0.2.1") }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
