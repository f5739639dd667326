package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Some of the tests are about packages that are made already: make test-packages makes them and runs these tests with
// $PEN_PACKAGES. The others are of make test.

func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil { // as make runs the program
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// made returns the one package whose name fits the pattern; without packages it skips the test.
func made(t *testing.T, pattern string) string {
	t.Helper()
	dir := os.Getenv("PEN_PACKAGES")
	if dir == "" {
		t.Skip("there are no packages to look at: make test-packages")
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("got packages %q for %s, want one", found, pattern)
	}
	return found[0]
}

// want skips the test if a program is missing or the user is not root, and says so where make shows it.
func want(t *testing.T, root bool, programs ...string) {
	t.Helper()
	var why string
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			why = name + " is not installed"
		}
	}
	if root && os.Geteuid() != 0 {
		why = "only root may do this"
	}
	if why == "" {
		return
	}
	if name := os.Getenv("PEN_SKIPPED"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "skipped %s: %s\n", t.Name(), why)
		f.Close()
	}
	t.Skip(why)
}

// output runs a program that must succeed, and returns what it printed on both outputs.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, b.String())
	}
	return b.String()
}
