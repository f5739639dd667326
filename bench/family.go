//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// family returns a process and all that descend from it: some proxies let a child do the work.
func family(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, list := range lists {
			text, _ := os.ReadFile(list) // gone meanwhile: no children
			for word := range strings.FieldsSeq(string(text)) {
				if child, err := strconv.Atoi(word); err == nil {
					pids = append(pids, child)
				}
			}
		}
	}
	return pids
}

// keepOn puts all threads of the processes on the given cores. What we start is there anyway, but hitch moves its worker
// to the first core of the machine.
func keepOn(onCores []int, pids []int) error {
	set := cpuSet(onCores)
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, thread := range threads {
			tid, err := strconv.Atoi(filepath.Base(thread))
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("pin thread %d to core %s: %w", tid, cores(onCores), err)
			}
		}
	}
	return nil
}

// cpuSet is a list of cores as the system wants it.
func cpuSet(list []int) (set unix.CPUSet) {
	for _, core := range list {
		set.Set(core)
	}
	return set
}

// cpuTimes adds up what the processes have used.
func cpuTimes(pids []int) (total threadTime, err error) {
	for _, pid := range pids {
		t, err := cpuTime(pid)
		if err != nil {
			return total, err
		}
		total.ran += t.ran
		total.waited += t.waited
	}
	return total, nil
}

// memory is what processes hold: all that is resident, and what of it is their own, not pages of program files.
type memory struct{ resident, own int64 } // bytes

func memoryOf(pids []int) (total memory, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return total, err
		}
		for _, field := range []struct {
			name string
			to   *int64
		}{{"VmRSS", &total.resident}, {"RssAnon", &total.own}, {"RssShmem", &total.own}} {
			n, err := parseStatus(text, field.name)
			if err != nil {
				return total, err
			}
			*field.to += n
		}
	}
	return total, nil
}
