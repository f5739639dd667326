package tlsio

import (
	"syscall"
	"time"
)

// lower is by how much the nice value of a signer is above that of pen's other threads: a seventieth of their weight. A reactor that has
// just worked on a handshake is in the scheduler's debt, and can't interrupt a signer before that has had its share; with so
// little weight that takes some microseconds. Where a processor is never idle a signer still gets some, and then for as long as
// a signature takes.
const lower = 19

// headStart is the time that others have before a signer that had nothing to do begins. The job has been passed on by two or
// three threads of Go's, and whoever wakes up beside them may be put off until the signer is done.
const headStart = 100 * time.Microsecond

// yieldToOthers lowers the priority of the calling thread. It may be forbidden, by systemd for example, and is only better.
func yieldToOthers() {
	if p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil { // 20 - nice, getpriority(2)
		syscall.Setpriority(syscall.PRIO_PROCESS, 0, 20-p+lower) // 19 at most, whatever is asked
	}
}

// letOthersGo waits for the head start of the others, without Go's scheduler, which would wake threads for that.
func letOthersGo() {
	t := syscall.NsecToTimespec(int64(headStart))
	syscall.Nanosleep(&t, nil)
}
