//go:build unix && !linux

package tlsio

// yieldToOthers does nothing: elsewhere a priority is one of the whole process.
func yieldToOthers() {}

// letOthersGo does nothing, as all have the same priority.
func letOthersGo() {}
