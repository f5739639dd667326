//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// threadTime is how long threads have been on a CPU, and how long they were ready to run but had to wait for one.
type threadTime struct{ ran, waited time.Duration }

// cpuTime returns the user and system time that all threads of a process have used, to the nanosecond. Time in
// softirqs that ran on top of them is included unless the kernel accounts it apart (CONFIG_IRQ_TIME_ACCOUNTING).
// Threads that have ended are not seen: none of the programs here ends threads under load.
func cpuTime(pid int) (threadTime, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(paths) == 0 {
		return threadTime{}, fmt.Errorf("process %d has ended", pid)
	}
	var total threadTime
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return threadTime{}, err
		}
		t, err := parseSchedstat(text)
		if err != nil {
			return threadTime{}, fmt.Errorf("%s: %w", path, err)
		}
		total.ran += t.ran
		total.waited += t.waited
	}
	return total, nil
}

// parseSchedstat reads the first two of three fields (Documentation/scheduler/sched-stats.rst).
func parseSchedstat(text []byte) (threadTime, error) {
	fields := bytes.Fields(text)
	if len(fields) != 3 {
		return threadTime{}, fmt.Errorf("%d fields, expected 3", len(fields))
	}
	var t threadTime
	for i, to := range []*time.Duration{&t.ran, &t.waited} {
		ns, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil || ns < 0 {
			return threadTime{}, fmt.Errorf("time %q is not a number of nanoseconds", fields[i])
		}
		*to = time.Duration(ns)
	}
	return t, nil
}

// machineTime returns how long all processors of the machine have been busy with anything, to the tick.
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseStat(text)
}

const userTick = 10 * time.Millisecond // of USER_HZ, which is 100 on all that Go runs on

// parseStat reads the first line: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). What the hypervisor took
// from us is as good as busy.
func parseStat(text []byte) (busy time.Duration, err error) {
	const idle, iowait, last = 4, 5, 8
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) <= last || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("%q is not the time of all processors", line)
	}
	for i, field := range fields[1 : last+1] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a number of ticks", field)
		}
		if i+1 != idle && i+1 != iowait {
			busy += time.Duration(n) * userTick
		}
	}
	return busy, nil
}

var errNoField = errors.New("no such field")

// parseStatus reads a size in kB from /proc/PID/status or /proc/meminfo and returns bytes.
func parseStatus(text []byte, field string) (int64, error) {
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, field+":")
		if !ok {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || unit != "kB" {
			return 0, fmt.Errorf("%s %q is not a size in kB", field, strings.TrimSpace(rest))
		}
		return n * kilobyte, nil
	}
	return 0, fmt.Errorf("%s: %w", field, errNoField)
}

// parseCPUModel finds the name of the first processor in /proc/cpuinfo, empty if it has none.
func parseCPUModel(text []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
