package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Restrict makes the restriction true for the process, for good, by unveil(2).
func (s Sandbox) Restrict() error {
	for _, list := range []struct {
		paths []string
		may   string
	}{{s.Read, "rx"}, {s.Write, "rwxc"}, {[]string{"/dev/null"}, "rw"}} {
		for _, path := range list.paths {
			if err := unix.Unveil(path, list.may); err != nil && err != unix.ENOENT {
				return fmt.Errorf("sandbox: unveil %s: %w", path, err)
			}
		}
	}
	if err := unix.UnveilBlock(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
