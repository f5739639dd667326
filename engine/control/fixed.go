package control

import (
	"fmt"

	"pen/conf"
)

// fixed refuses to change what has been done when pen started and cannot be undone: accounts, directories and files of
// the process. Else a changed line in the file would be taken, shown and written, and have no effect.
func fixed(s, was *conf.Settings) error {
	is, old := s.Process, was.Process
	for _, p := range []struct{ name, is, was string }{
		{"user", is.User, old.User},
		{"chroot", is.Chroot, old.Chroot},
		{"pid_file", is.PidFile, old.PidFile},
		{"foreground", fmt.Sprint(is.Foreground), fmt.Sprint(old.Foreground)},
		{"sandbox", fmt.Sprint(is.Sandbox), fmt.Sprint(old.Sandbox)},
	} {
		if p.is != p.was {
			return fmt.Errorf("%s can't change from '%s' to '%s' while pen runs: restart it", p.name, p.was, p.is)
		}
	}
	return nil
}
