package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sunEntries are the table's, of files as they are in the sources.
func sunEntries(t *testing.T) (*stage, []entry) {
	t.Helper()
	rows, _, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 26, 9, 5, 0, 0, time.UTC) // a time whose numbers begin with zeros
	s := &stage{release: &release{version: "1.0.0~pre1", time: at}, target: target{"illumos", "amd64"}, dir: t.TempDir()}
	entries, err := s.entries("sun", rows)
	if err != nil {
		t.Fatal(err)
	}
	return s, entries
}

// attribute is a word NAME=VALUE of an action, the value in quotes if it has blanks.
var attribute = regexp.MustCompile(`^ ([a-z._-]+)=("[^"]*"|[^\s"]+)`)

// action takes a line of a manifest apart.
func action(t *testing.T, line string) (kind, payload string, attributes map[string]string) {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	rest = " " + rest
	if kind == "file" || kind == "license" {
		payload, rest, _ = strings.Cut(rest[1:], " ")
		rest = " " + rest
	}
	attributes = map[string]string{}
	for rest != "" {
		m := attribute.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("%q: not an attribute: %q", line, rest)
		}
		attributes[m[1]] = strings.Trim(m[2], `"`)
		rest = rest[len(m[0]):]
	}
	return kind, payload, attributes
}

// The rules are those of pkg(7) and of pkglint that are about what we have in a manifest.
func TestManifestKeepsTheRules(t *testing.T) {
	wanted := map[string][]string{ // which attributes an action must have
		"set": {"name", "value"}, "file": {"path", "owner", "group", "mode"}, "dir": {"path", "owner", "group", "mode"},
		"license": {"license"}, "depend": {"type", "fmri"}, "group": {"groupname"}, "user": {"username", "group"},
	}
	s, entries := sunEntries(t)
	sets, dirs, files := map[string]string{}, map[string]bool{}, map[string]map[string]string{}
	for line := range strings.Lines(string(s.manifest(entries))) {
		kind, payload, attributes := action(t, strings.TrimSuffix(line, "\n"))
		for _, name := range wanted[kind] {
			if attributes[name] == "" {
				t.Errorf("%q: no attribute %s", line, name)
			}
		}
		if strings.HasPrefix(attributes["path"], "/") {
			t.Errorf("%q: a path is relative to the root of the image", line)
		}
		switch kind {
		case "set":
			sets[attributes["name"]] = attributes["value"]
		case "dir":
			dirs[attributes["path"]] = true
		case "file":
			if payload != attributes["path"] {
				t.Errorf("%q: the payload is not at its path", line)
			}
			files[payload] = attributes
		case "license", "depend", "group", "user":
		default:
			t.Errorf("%q: unknown action", line)
		}
	}
	if got, want := sets["pkg.fmri"], "pkg:/network/pen@1.0.0,5.11-0.20261126.905"; got != want {
		t.Errorf("got FMRI %s, want %s: each number of a version begins with another digit than 0", got, want)
	}
	for _, name := range []string{"pkg.summary", "pkg.description", "info.classification", "variant.arch"} {
		if sets[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if strings.HasSuffix(sets["pkg.summary"], ".") || sets["pkg.summary"] == sets["pkg.description"] {
		t.Errorf("pkglint: the summary %q ends with a full stop or is the description", sets["pkg.summary"])
	}
	for path, attributes := range files {
		for dir := filepath.Dir("/" + path); !slices.Contains(systemDirs, dir); dir = filepath.Dir(dir) {
			if !dirs[dir[1:]] {
				t.Errorf("%s: %s is neither of the package nor of the system", path, dir)
			}
		}
		if strings.HasPrefix(path, "etc/pen/") && attributes["preserve"] == "" {
			t.Errorf("%s: an update would overwrite what the operator has changed", path)
		}
		if strings.HasPrefix(path, "lib/svc/manifest/") && attributes["restart_fmri"] != "svc:/system/manifest-import:default" {
			t.Errorf("%s: nobody would import it", path)
		}
	}
	for _, e := range entries {
		if e.kind != kindDir && files[e.path[1:]] == nil {
			t.Errorf("%s is missing", e.path)
		}
	}
}

func TestPrototype(t *testing.T) {
	s, entries := sunEntries(t)
	lines := strings.Split(strings.TrimSpace(string(s.prototype(entries))), "\n")
	form := regexp.MustCompile(`^(?:i (?:pkginfo|copyright|postinstall)|d none /\S+ 0755 root (?:bin|sys|other)|(?:f none|f manifest|e preserve) /\S+ 0[0-7]{3} root (?:bin|sys|other))$`)
	for _, line := range lines {
		if !form.MatchString(line) {
			t.Errorf("not a line of a prototype: %q", line)
		}
	}
	for _, want := range []string{
		"d none /etc/pen 0755 root sys", "e preserve /etc/pen/pen.conf.sample 0644 root sys", "f none /usr/bin/pen 0755 root bin",
		"f none /usr/share/man/man1/pen.1 0644 root bin", "f none /usr/share/doc/pen/copyright 0644 root other",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q", want)
		}
	}
}
