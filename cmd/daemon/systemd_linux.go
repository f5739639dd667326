package daemon

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Sockets returns the sockets that systemd has opened for the program, by their names (sd_listen_fds(3)); none if
// somebody else has started it.
func Sockets() []*os.File { return activation.Files(true) }

// Notify tells systemd how the program is, by lines like READY=1 (sd_notify(3)). Where nobody wants to know, it does
// nothing.
func Notify(lines ...string) error {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Watchdog returns how long the program may be silent before systemd takes it for dead; 0 = forever.
func Watchdog() (time.Duration, error) {
	limit, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return 0, fmt.Errorf("watchdog of systemd: %w", err)
	}
	return limit, nil
}

// Now returns the line that says since when the program reloads: systemd wants to know with RELOADING=1.
func Now() string { return strings.TrimSuffix(daemon.SdNotifyMonotonicUsec(), "\n") }
