package engine

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"pen/conf"
)

// lowerLimit takes descriptors away from the process until the test ends.
func lowerLimit(t *testing.T, n uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
}

// Without descriptors for the server's side a client waits for one.
func TestOutOfDescriptors(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors, s.Limits.Connections = 1, 1000
		v.Servers = []conf.Server{named(t, "0")}
	})
	first := dial(t, e)
	answer(t, first)
	second := dial(t, e) // its socket exists; what is lowered now keeps pen from taking it or from serving it
	open, _ := os.ReadDir("/proc/self/fd")
	lowerLimit(t, uint64(len(open)))
	io.WriteString(second, "hello\n")
	b := make([]byte, 8)
	time.AfterFunc(50*time.Millisecond, func() { first.Close() })
	if n, err := second.Read(b); string(b[:n]) != "0" {
		t.Errorf("got %q, %v, want server 0 after a while", b[:n], err)
	}
}
