//go:build !linux

package engine

// comeSoon does nothing: elsewhere a thread has no say in that.
func comeSoon() {}
