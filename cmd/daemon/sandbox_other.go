//go:build !linux && !openbsd

package daemon

import (
	"fmt"
	"runtime"
)

// Restrict cannot do it: this system has neither Landlock nor unveil.
func (s Sandbox) Restrict() error {
	return fmt.Errorf("sandbox: expected Linux or OpenBSD, not %s", runtime.GOOS)
}
