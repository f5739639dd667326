package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The programs of this module that the scenarios run.
var programs = []string{"pen", "penctl", "penlog", "penlogd", "mergelogs"}

// TestMain lets the test binary be a program of its own as well: thousands of backends or clients have a descriptor
// table to themselves that way.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == helperArg {
		os.Exit(runHelper(os.Args[2:]))
	}
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// buildDir is where binaries put the programs; "" = nothing was built.
var buildDir string

// binaries returns the directory of the programs under test: $PEN_BIN, or else a temporary one into which they are
// built, once, as `make build` does.
var binaries = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("PEN_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "pen-bin")
	if err != nil {
		return "", err
	}
	buildDir = dir
	args := []string{"build", "-trimpath", "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, "pen/cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return dir, nil
})
