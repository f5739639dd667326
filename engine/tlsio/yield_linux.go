package tlsio

import "syscall"

// lower is the nice value of a signer: a tenth of the share of a thread at 0, if both want the same processor.
const lower = 10

// yieldToOthers lowers the priority of the calling thread. It may be forbidden, by systemd for example, and is only better.
func yieldToOthers() { syscall.Setpriority(syscall.PRIO_PROCESS, 0, lower) }
