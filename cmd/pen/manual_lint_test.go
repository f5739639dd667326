package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns the files of the manual pages.
func pages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../conf/man/*.[1-8]")
	if err != nil || len(files) < 6 {
		t.Fatalf("got the manual pages %q, want six (error %v)", files, err)
	}
	return files
}

// TestManualLint wants mandoc to find nothing, not even in style, but for manual pages that are not on this machine.
func TestManualLint(t *testing.T) {
	if err := ensure("mandoc"); err != nil {
		skip(t, err)
	}
	for _, page := range pages(t) {
		var findings bytes.Buffer
		cmd := exec.Command("mandoc", "-Tlint", "-Wstyle", page)
		cmd.Stdout = &findings // standard error is about the data base of this machine's manual
		cmd.Run()              // the status is that of the worst finding
		for line := range strings.Lines(findings.String()) {
			if !strings.Contains(line, "STYLE: referenced manual not found") {
				t.Error(strings.TrimSpace(line))
			}
		}
	}
}

// TestManualHasTheOptions compares the manual pages of the other programs with what these say of themselves. That of pen
// is written from its table.
func TestManualHasTheOptions(t *testing.T) {
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`(?m)^ +(-\w)?(?:, )?(?: +)?(--[a-z-]+)`)
	for _, program := range programs[1:] {
		usage, err := exec.Command(filepath.Join(dir, program), "--help").Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		page, err := os.ReadFile("../../conf/man/" + program + ".1")
		if err != nil {
			t.Fatal(err)
		}
		shown := option.FindAllStringSubmatch(string(usage), -1)
		if len(shown) < 2 {
			t.Errorf("got the options %q of %s, want at least two", shown, program)
		}
		for _, m := range shown {
			want := "\n.It Fl " + strings.TrimPrefix(m[1], "-") + " , " + m[2][1:]
			if m[1] == "" {
				want = "\n.It Fl " + m[2][1:]
			}
			if !bytes.Contains(page, []byte(want)) {
				t.Errorf("%s.1 lacks %q", program, want)
			}
		}
	}
}
