//go:build linux

package main

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gcTrace makes a Go program tell of each garbage collection on stderr (package runtime). Nobody else heeds it.
const gcTrace = "GODEBUG=gctrace=1"

// Collections are the garbage collections of the proxy, as far as it is a Go program, while it was under load.
type Collections struct {
	Count   int           `json:"count"`
	Longest time.Duration `json:"longest_ns"` // that the program stood still at a time
	Total   time.Duration `json:"total_ns"`   // that it stood still
}

// parseCollection reads how long a program stood still at the beginning and at the end of a collection from a line like
//
//	gc 7 @1.2s 0%: 0.018+1.1+0.003 ms clock, 0.036+0.2/0.5/0.1+0.006 ms cpu, 4->4->1 MB, …
func parseCollection(line string) (pauses [2]time.Duration, ok bool) {
	rest, ok := strings.CutPrefix(line, "gc ")
	if !ok {
		return pauses, false
	}
	_, rest, ok = strings.Cut(rest, "%: ")
	if !ok {
		return pauses, false
	}
	clock, _, ok := strings.Cut(rest, " ms clock")
	phases := strings.Split(clock, "+")
	if !ok || len(phases) != 3 {
		return pauses, false
	}
	for i, phase := range []string{phases[0], phases[2]} {
		ms, err := strconv.ParseFloat(phase, 64)
		if err != nil || ms < 0 || ms > maxPause.Seconds()*kilo {
			return pauses, false
		}
		pauses[i] = time.Duration(ms * float64(time.Millisecond))
	}
	return pauses, true
}

const maxPause = time.Hour // longer ones are no figures

// complaints is what a program writes to stderr: collections are counted, of the rest the end is kept.
type complaints struct {
	rest tail

	mu      sync.Mutex
	line    []byte // begun, not complete
	counted Collections
}

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = append(c.line, p...)
	for {
		i := bytes.IndexByte(c.line, '\n')
		if i < 0 {
			break
		}
		c.take(c.line[:i+1])
		c.line = c.line[i+1:]
	}
	if len(c.line) > complaint {
		c.take(c.line)
		c.line = nil
	}
	return len(p), nil
}

// take sorts a line.
func (c *complaints) take(line []byte) {
	pauses, ok := parseCollection(string(line))
	if !ok {
		c.rest.Write(line)
		return
	}
	c.counted.Count++
	for _, pause := range pauses {
		c.counted.Total += pause
		c.counted.Longest = max(c.counted.Longest, pause)
	}
}

// collections returns what was counted since it was asked last.
func (c *complaints) collections() Collections {
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := c.counted
	c.counted = Collections{}
	return counted
}

// String returns the end of what was written.
func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(c.rest.String() + "\n" + string(c.line))
}
