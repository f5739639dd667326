package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWritePidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for _, before := range []string{"", "99999999 and more"} {
		if before != "" {
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := WritePidFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := fmt.Sprint(os.Getpid()); err != nil || string(got) != want {
			t.Errorf("over %q: got %q, %v, want %q", before, got, err, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing", "pid")
	if err := WritePidFile(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want an error that names %s", err, missing)
	}
}

func TestRaiseFileLimit(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	lower := before
	lower.Cur = min(lower.Cur, 256)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	got, err := RaiseFileLimit()
	if want := uint64(before.Max); err != nil || got != want {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
	var after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &after); err != nil || uint64(after.Cur) != got {
		t.Errorf("the limit is %d, %v, want %d", after.Cur, err, got)
	}
}
