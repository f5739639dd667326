package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a program takes of the machine, as /proc/PID shows it.
type usage struct {
	fds int
	rss int // kB of its own memory; pages of the program's file, of which more are read in with time, are not its own
}

func (p *program) usage() (usage, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return usage{}, err
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var rss int
	if _, err := fmt.Sscan(rest, &rss); err != nil {
		return usage{}, fmt.Errorf("RssAnon in /proc/%d/status: %w", p.pid, err)
	}
	return usage{fds: len(entries), rss: rss}, nil
}

// mark NAME remembers what the program takes now.
func mark(sc *scenario, args []string) (string, error) {
	p, _, err := sc.find(args)
	if err != nil {
		return "", err
	}
	p.marked, err = p.usage()
	return "", err
}

// grown NAME fds|rss MAX prints by how many descriptors or kB the program has grown since mark, and fails above MAX.
func grown(sc *scenario, args []string) (string, error) {
	p, rest, err := sc.find(args)
	if err != nil {
		return "", err
	}
	if len(rest) != 2 {
		return "", errors.New("usage: grown NAME fds|rss MAX")
	}
	limit, err := strconv.Atoi(rest[1])
	if err != nil {
		return "", err
	}
	now, err := p.usage()
	if err != nil {
		return "", err
	}
	growth := map[string]int{"fds": now.fds - p.marked.fds, "rss": now.rss - p.marked.rss}[rest[0]]
	if growth > limit {
		return "", fmt.Errorf("%s grew by %d %s, more than %d", p.name, growth, rest[0], limit)
	}
	sc.tb.Logf("%s grew by %d %s (at most %d)", p.name, growth, rest[0], limit)
	return "", nil
}

// ticksPerSecond is the unit of the times in /proc/PID/stat, USER_HZ, fixed by Linux for all programs.
const ticksPerSecond = 100

// cpu NAME DURATION PERCENT fails if the program uses more than that share of one processor while DURATION passes. It
// counts processor time, so that a busy machine does not matter.
func cpu(sc *scenario, args []string) (string, error) {
	p, rest, err := sc.find(args)
	if err != nil {
		return "", err
	}
	if len(rest) != 2 {
		return "", errors.New("usage: cpu NAME DURATION PERCENT")
	}
	window, err := time.ParseDuration(rest[0])
	if err != nil {
		return "", err
	}
	limit, err := strconv.Atoi(strings.TrimSuffix(rest[1], "%"))
	if err != nil {
		return "", err
	}
	before, err := p.cpuTime()
	if err != nil {
		return "", err
	}
	time.Sleep(window) // the thing measured is what happens meanwhile
	after, err := p.cpuTime()
	if err != nil {
		return "", err
	}
	if share := int(100 * (after - before) / window); share > limit {
		return "", fmt.Errorf("%s used %d %% of a processor, more than %d %%", p.name, share, limit)
	}
	return "", nil
}

// cpuTime is what the program has used so far.
func (p *program) cpuTime() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name of the program may contain blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", p.pid, text)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(err1, err2)
}

// listening reports whether a TCP or Unix socket listens on the address, or takes datagrams there. It asks the kernel's tables: a connection made
// to find out would take part in the round robin.
func listening(addr string) bool {
	if strings.Contains(addr, "/") {
		return inTable("/proc/net/unix", func(f []string) bool { return len(f) == 8 && (f[3] == "00010000" || f[4] == "0002") && f[7] == addr })
	}
	port, err := strconv.Atoi(addr[strings.LastIndex(addr, ":")+1:])
	if err != nil {
		return false
	}
	suffix := fmt.Sprintf(":%04X", port)
	open := func(f []string) bool { return len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], suffix) }
	unconnected := func(f []string) bool { return len(f) > 3 && f[3] == "07" && strings.HasSuffix(f[1], suffix) }
	return inTable("/proc/net/tcp", open) || inTable("/proc/net/tcp6", open) ||
		inTable("/proc/net/udp", unconnected) || inTable("/proc/net/udp6", unconnected)
}

// inTable reports whether a line of the file satisfies f.
func inTable(file string, f func(fields []string) bool) bool {
	r, err := os.Open(file)
	if err != nil {
		return false
	}
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if f(strings.Fields(lines.Text())) {
			return true
		}
	}
	return false
}
