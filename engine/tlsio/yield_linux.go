package tlsio

import "syscall"

// lower is by how much the nice value of a signer is above that of pen's other threads: a third of their share, if both want
// the same processor. Not more: where a signer has been interrupted amid Go's own work, sweeping memory for example, other threads of
// Go's go round in circles until it has gone on.
const lower = 5

// yieldToOthers lowers the priority of the calling thread. It may be forbidden, by systemd for example, and is only better.
func yieldToOthers() {
	if p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil { // 20 - nice, getpriority(2)
		syscall.Setpriority(syscall.PRIO_PROCESS, 0, 20-p+lower)
	}
}
