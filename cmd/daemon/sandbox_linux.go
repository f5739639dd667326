package daemon

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Restrict makes the restriction true for all threads of the process and for the programs that they start, for good, by
// Landlock (landlock(7)). Those programs cannot gain privileges either. A kernel that knows less of it restricts less; one
// without it is an error.
func (s Sandbox) Restrict() error {
	if version, err := kernel.LandlockGetABIVersion(); err != nil || version < 1 {
		return errors.New("sandbox: expected a kernel with Landlock, Linux 5.13 or later with landlock in its boot option lsm")
	}
	read, write := landlock.RODirs(s.Read...).IgnoreIfMissing(), landlock.RWDirs(s.Write...).IgnoreIfMissing()
	if err := landlock.V8.BestEffort().RestrictPaths(read, write, landlock.RWFiles("/dev/null")); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
