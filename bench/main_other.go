//go:build !linux

// Bench measures the built pen side by side with other proxies. It runs on Linux only: it pins processes to cores
// and reads their costs from /proc, and the library that carries its load does not build everywhere.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: runs on Linux only")
	os.Exit(1)
}
