//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseSchedstat(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     threadTime
		bad      bool
	}{
		{"usual", "268999 107550 2\n", threadTime{268999, 107550}, false},
		{"new thread", "0 0 0\n", threadTime{}, false},
		{"empty", "", threadTime{}, true},
		{"two fields", "1 2\n", threadTime{}, true},
		{"no number", "x 2 3\n", threadTime{}, true},
		{"no number of waiting", "1 x 3\n", threadTime{}, true},
		{"below zero", "-1 2 3\n", threadTime{}, true},
	} {
		got, err := parseSchedstat([]byte(tt.in))
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s: %v, %v; want %v, error %v", tt.name, got, err, tt.want, tt.bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	const status = "Name:\tpen\nVmPeak:\t    9000 kB\nVmRSS:\t    4750 kB\nThreads:\t3\n"
	for _, tt := range []struct {
		name, in, field string
		want            int64
		bad             bool
	}{
		{"usual", status, "VmRSS", 4750 << 10, false},
		{"first of two alike", "VmRSS:\t1 kB\nVmRSS:\t2 kB\n", "VmRSS", 1 << 10, false},
		{"missing", status, "VmSwap", 0, true},
		{"a part of a name", status, "Vm", 0, true},
		{"no size", status, "Threads", 0, true},
		{"no number", "VmRSS:\tmuch kB\n", "VmRSS", 0, true},
	} {
		got, err := parseStatus([]byte(tt.in), tt.field)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%s: %v, %v; want %v, error %v", tt.name, got, err, tt.want, tt.bad)
		}
	}
}

func FuzzParseProc(f *testing.F) {
	f.Add("268999 107550 2\n")
	f.Add("VmRSS:\t    4750 kB\n")
	f.Add("model name\t: Some CPU\n")
	f.Fuzz(func(t *testing.T, text string) {
		if used, err := parseSchedstat([]byte(text)); err == nil && (used.ran < 0 || used.waited < 0) {
			t.Errorf("parseSchedstat(%q) = %v, below zero", text, used)
		}
		parseStatus([]byte(text), "VmRSS")
		if model := parseCPUModel([]byte(text)); model != strings.TrimSpace(model) {
			t.Errorf("parseCPUModel(%q) = %q with blanks", text, model)
		}
	})
}

func TestParseCPUModel(t *testing.T) {
	const info = "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some CPU: fast\n\nmodel name\t: Another\n"
	if got, want := parseCPUModel([]byte(info)), "Some CPU: fast"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := parseCPUModel(nil); got != "" {
		t.Errorf("of nothing: %q, want none", got)
	}
}

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     time.Duration
		bad      bool
	}{
		{"usual", "cpu  1 2 3 400 500 6 7 8 9 10\ncpu0 1 2 3 4\n", 270 * time.Millisecond, false},
		{"too short", "cpu  1 2 3 4\n", 0, true},
		{"one processor", "cpu0 1 2 3 4 5 6 7 8\n", 0, true},
		{"no number", "cpu  1 2 x 4 5 6 7 8\n", 0, true},
		{"nothing", "", 0, true},
	} {
		if got, err := parseStat([]byte(tt.in)); got != tt.want && err == nil || (err != nil) != tt.bad {
			t.Errorf("%s: %v, %v; want %v, error %v", tt.name, got, err, tt.want, tt.bad)
		}
	}
}

// The kernel must give what the parsers expect: this process has used some CPU and some memory.
func TestOwnCosts(t *testing.T) {
	used, err := cpuTime(os.Getpid())
	if err != nil || used.ran <= 0 {
		t.Errorf("cpuTime of ourselves: %v, %v; want some", used, err)
	}
	held, err := memoryOf([]int{os.Getpid()})
	if err != nil || held.own <= 0 || held.resident <= held.own {
		t.Errorf("memoryOf ourselves: %+v, %v; want some of our own, and our program beside it", held, err)
	}
	if busy, err := machineTime(); err != nil || busy < used.ran {
		t.Errorf("machineTime: %v, %v; want more than we have used, %v", busy, err, used.ran)
	}
	const nobody = 1 << 30 // above pid_max
	if _, err := cpuTime(nobody); err == nil {
		t.Error("cpuTime of a process that is not there: no error")
	}
}
