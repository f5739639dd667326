package daemon

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// WritePidFile writes the process id, in decimal and without a newline, as scripts for the C pen expect it. A file that
// is there is overwritten: one that was left by a crash must not keep a server from starting. The file is the
// caller's to remove, with os.Remove, at the end.
func WritePidFile(path string) error {
	const mode = 0o644 // whoever wants to signal us may look
	if err := os.WriteFile(path, strconv.AppendInt(nil, int64(os.Getpid()), 10), mode); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// RaiseFileLimit raises the limit on open files to the highest value that the process may choose, and returns what the
// limit is now.
func RaiseFileLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit on open files: %w", err)
	}
	if limit.Cur == limit.Max {
		return uint64(limit.Max), nil
	}
	raised := limit
	raised.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		return uint64(limit.Cur), fmt.Errorf("limit on open files: raise %d to %d: %w", limit.Cur, limit.Max, err)
	}
	return uint64(raised.Cur), nil
}
