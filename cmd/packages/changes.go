package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"time"
)

// changesPath is the change log, in the form that Debian has for it. Its first entry says which release comes next.
const changesPath = "conf/etc/packages/changelog"

var (
	entryHead = regexp.MustCompile(`\Apen \(([^)]+)\)`)
	entryTail = regexp.MustCompile(`(?m)^ -- (.*>)  (.*)$`)
)

// changes is the change log and what its first entry says.
type changes struct {
	text       []byte
	version    string
	maintainer string
	time       time.Time
}

func readChanges(path string) (changes, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return changes{}, err
	}
	c, err := parseChanges(text)
	if err != nil {
		return changes{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseChanges(text []byte) (changes, error) {
	head, tail := entryHead.FindSubmatch(text), entryTail.FindSubmatch(text)
	if head == nil || tail == nil {
		return changes{}, fmt.Errorf("want a first line %q and a last line %q of the entry", "pen (VERSION) …", " -- NAME <MAIL>  DATE")
	}
	at, err := time.Parse(time.RFC1123Z, string(tail[2]))
	if err != nil {
		return changes{}, err
	}
	return changes{text, string(head[1]), string(tail[1]), at.UTC()}, nil
}

// of returns the text for packages of a version and a time, which are on the way to the release of the first entry.
func (c changes) of(version string, at time.Time) []byte {
	text := entryHead.ReplaceAll(c.text, []byte("pen ("+version+")"))
	first := entryTail.FindIndex(text)
	tail := fmt.Sprintf(" -- %s  %s", c.maintainer, at.Format(time.RFC1123Z))
	return bytes.Join([][]byte{text[:first[0]], []byte(tail), text[first[1]:]}, nil)
}
