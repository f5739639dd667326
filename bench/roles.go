//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The program starts itself for two ends. "pin" puts a process on its cores and then becomes the program named: after
// the exec a process has one thread, so that all its threads come to life on these cores. "role" plays a part.
const (
	pinCommand  = "pin"
	roleCommand = "role"

	maxCores = 1024 // bits of a unix.CPUSet

	firstPriority = -20 // the highest there is (setpriority(2)); root's to give
	lastPriority  = 19
)

// playPart does what this process has been started for by its own kind, and tells if it was.
func playPart(args []string) (bool, error) {
	switch {
	case len(args) > 1 && args[0] == pinCommand:
		return true, pin(args[1:])
	case len(args) == 2 && args[0] == roleCommand:
		return true, play(args[1])
	}
	return false, nil
}

// pin runs as CORES NOFILE PROGRAM ARGS…: it never returns unless it fails.
func pin(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%s CORES NOFILE PROGRAM ARGS expected; %w", pinCommand, errUsage)
	}
	layout, err := parseLayout(args[0]+":"+args[0], maxCores)
	if err != nil {
		return err
	}
	set := cpuSet(layout.Proxy)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to core %s: %w", args[0], err)
	}
	goFirst()
	files, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return fmt.Errorf("descriptor limit: %w", err)
	}
	if err := limitFiles(files); err != nil {
		return err
	}
	path, err := exec.LookPath(args[2])
	if err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, args[2:], os.Environ()))
}

// goFirst puts this process, and what it becomes, before the rest of the machine if we may: all that is measured alike, and
// what measures it. Where the system schedules sessions before processes (sched(7), autogroup) that takes a session of
// its own.
func goFirst() {
	unix.Setsid()
	prioritize(firstPriority)
}

// prioritize sets the priority of this process, which has a few threads if it is one of ours.
func prioritize(nice int) {
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if tid, err := strconv.Atoi(filepath.Base(thread)); err == nil {
			unix.Setpriority(unix.PRIO_PROCESS, tid, nice)
		}
	}
	os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(nice)), 0)
}

// limitFiles sets the limit on descriptors of this process, and of what it becomes, raising the hard limit if it must and may.
func limitFiles(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("descriptor limit: %w", err)
	}
	limit.Cur = n
	limit.Max = max(n, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("descriptor limit %d: %w", n, err)
	}
	return nil
}

// role is the part that a child plays: exactly one of its fields is set.
type role struct {
	Origin *originRole `json:"origin,omitempty"`
	Load   *loadRole   `json:"load,omitempty"`
	Proxy  *proxyRole  `json:"proxy,omitempty"`
	Fakes  *fakesRole  `json:"fakes,omitempty"`
}

// originRole is the server behind the proxies. It prints the address that it listens on.
type originRole struct {
	Origin
	Certificate certificate `json:"certificate"` // speak TLS; none = plain
}

// loadRole is the load client. It prints a Result as JSON.
type loadRole struct {
	Client
	Origin   Origin        `json:"origin"` // what to expect of it
	Address  string        `json:"address"`
	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"`
	Behind   bool          `json:"behind,omitempty"` // what else runs goes first
	ProxyPID int           `json:"proxy_pid"`        // 0 = none
	OrigPID  int           `json:"origin_pid"`
	Scrape   string        `json:"scrape,omitempty"` // ask there for metrics each second
}

// proxyRole is the proxy built on netpoll.
type proxyRole struct {
	Listen string `json:"listen"`
	Origin string `json:"origin"`
}

// String writes a role as the argument that play reads.
func (r role) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // plain structs always have a form
	}
	return string(b)
}

// play plays the part given as JSON.
func play(text string) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("role: %w", err)
	}
	switch {
	case r.Origin != nil:
		return r.Origin.serve()
	case r.Proxy != nil:
		return r.Proxy.serve()
	case r.Fakes != nil:
		return r.Fakes.serve()
	case r.Load != nil:
		if r.Load.Behind {
			prioritize(lastPriority)
		}
		result, err := r.Load.run()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	return errors.New("role: none given")
}
