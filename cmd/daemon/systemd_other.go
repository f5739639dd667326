//go:build !linux

package daemon

import (
	"os"
	"time"
)

// There is no systemd here: nobody has opened sockets, and nobody wants to know. (go-systemd does not build on NetBSD.)

// Sockets returns nothing.
func Sockets() []*os.File { return nil }

// Notify does nothing.
func Notify(...string) error { return nil }

// Watchdog returns 0: pen may be silent for ever.
func Watchdog() (time.Duration, error) { return 0, nil }

// Now returns nothing.
func Now() string { return "" }
