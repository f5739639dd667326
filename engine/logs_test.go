package engine

import (
	"testing"

	"pen/conf"
)

func TestDumped(t *testing.T) {
	tests := []struct {
		in    string
		ascii bool
		want  string
	}{
		{"ab\x01c\n\t\xfcz", false, "61 62 01 63 0a 09 fc 7a "},
		{"ab\x01c\n\t\xfcz", true, "ab.c\n\t.z"},
		{"\x00\x08\x09\x0a\x0b\x0c\x0d\x0e\x1f ~\x7f", true, "..\t\n\v\f\r.. ~."},
		{"", true, ""},
	}
	for _, tt := range tests {
		if got := string(dumped([]byte(tt.in), tt.ascii)); got != tt.want {
			t.Errorf("%q, ascii %v: got %q, want %q", tt.in, tt.ascii, got, tt.want)
		}
	}
}

// Entries wait for others, but not for long, and not where there are many or somebody must know at once.
func TestLogsAreHandedOver(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries int
		delay   int64
		turns   []int // batches after the turn at once, one before the time, and one at it
	}{
		{"a few", 3, handDelay, []int{0, 0, 1}},
		{"many", sinkMany, handDelay, []int{1, 1, 1}},
		{"for penlogd", 1, 0, []int{1, 1, 1}},
		{"none", 0, handDelay, []int{0, 0, 0}},
	} {
		r := &reactor{now: 1}
		v := &serviceState{logs: &Logs{newSink[byte](), newSink[AccessRecord]()}}
		b := &r.logsOf(v).requests
		for range tt.entries {
			if b.room() {
				b.set(append(b.content, "a\n"...))
			}
			r.logged(tt.delay)
		}
		for i, now := range []int64{1, handDelay, 1 + handDelay} {
			r.now = now
			r.handLogs()
			if got := len(v.logs.Requests.Batches()); got != tt.turns[i] {
				t.Errorf("%s: %d batches at %d, want %d", tt.name, got, now, tt.turns[i])
			}
		}
		if r.logsDue != 0 {
			t.Errorf("%s: something is still due", tt.name)
		}
	}
}

// Numbers of connections do not drift: a connection after another has the number 0 again, as in pen.
func TestConnectionNumbersStay(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Servers = []conf.Server{named(t, "0")}
	})
	for range 6 {
		c := dial(t, e)
		answer(t, c)
		if list := e.Connections("default"); len(list) != 1 || list[0].Number != 0 {
			t.Errorf("got %+v, want one connection, number 0", list)
		}
		c.Close()
		eventually(t, "it is gone", func() bool { n, _ := e.connections.count(); return n == 0 })
	}
}
