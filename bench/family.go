//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
