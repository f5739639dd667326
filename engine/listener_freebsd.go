package engine

import "golang.org/x/sys/unix"

// Each reactor has its own socket on the port, and the kernel spreads new connections over them: SO_REUSEPORT_LB,
// which plain SO_REUSEPORT does not do here (setsockopt(2)).
const (
	balancedPorts = true
	reusePort     = unix.SO_REUSEPORT_LB
)
