//go:build !linux && !freebsd

package engine

// balancedDatagrams: here one reactor serves all clients of a service of datagrams.
const balancedDatagrams = false
