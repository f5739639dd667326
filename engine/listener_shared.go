//go:build !linux && !freebsd

package engine

// The reactors watch one socket together: new connections go to whoever is quickest, and some wake up in vain.
const (
	balancedPorts = false
	reusePort     = 0
)
