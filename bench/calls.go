//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls are counted by the kernel's tracepoint at their beginning, as `perf stat -e raw_syscalls:sys_enter` does
// it. That makes every system call of the machine somewhat slower, so it is done after the measured time, for a moment.

// callCounters are descriptors of perf events, one for each thread.
type callCounters []int

// countCalls begins to count the system calls of all threads of the processes.
func countCalls(pids []int) (callCounters, error) {
	tracepoint, err := enterTracepoint()
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: tracepoint}
	var c callCounters
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, thread := range threads {
			tid, err := strconv.Atoi(filepath.Base(thread))
			if err != nil {
				continue
			}
			fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
			if err != nil {
				c.close()
				return nil, fmt.Errorf("perf event: %w", err)
			}
			c = append(c, fd)
		}
	}
	return c, nil
}

// sum returns the calls since the beginning.
func (c callCounters) sum() (total int64, err error) {
	var count [8]byte
	for _, fd := range c {
		if _, err := unix.Read(fd, count[:]); err != nil {
			return 0, fmt.Errorf("perf event: %w", err)
		}
		total += int64(*(*uint64)(unsafe.Pointer(&count)))
	}
	return total, nil
}

func (c callCounters) close() {
	for _, fd := range c {
		unix.Close(fd)
	}
}

// enterTracepoint returns the number of raw_syscalls:sys_enter.
func enterTracepoint() (id uint64, err error) {
	for _, root := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		var text []byte
		if text, err = os.ReadFile(root + "/events/raw_syscalls/sys_enter/id"); err == nil {
			return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		}
	}
	if pathError, ok := err.(*fs.PathError); ok {
		err = pathError.Err
	}
	return 0, fmt.Errorf("tracepoint of system calls: %w", err)
}

// callsTime is for how long system calls are counted at most, after the measured time.
const callsTime = 200 * time.Millisecond

// countCalls counts the proxy's system calls for a moment.
func (l *load) countCalls() (c Calls) {
	if l.ProxyPID == 0 {
		return c
	}
	counters, err := countCalls(family(l.ProxyPID))
	if err != nil {
		c.Why = err.Error()
		return c
	}
	defer counters.close()
	l.mu.Lock()
	requests := l.requests
	l.mu.Unlock()
	l.setMeasuring(true)
	bytes := l.bytes.Load()
	before, err := counters.sum()
	time.Sleep(min(callsTime, l.Duration))
	after, err2 := counters.sum()
	c.Bytes = l.bytes.Load() - bytes
	l.setMeasuring(false)
	if err = errors.Join(err, err2); err != nil {
		c.Why = err.Error()
		return c
	}
	c.Calls = after - before
	l.mu.Lock()
	c.Requests = l.requests - requests
	l.mu.Unlock()
	return c
}
