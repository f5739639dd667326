package engine

import "golang.org/x/sys/unix"

// Each reactor has its own socket on the port, and the kernel spreads new connections over them (socket(7)).
const (
	balancedPorts = true
	reusePort     = unix.SO_REUSEPORT
)
