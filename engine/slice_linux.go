package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// slice is the time that a reactor's thread asks the scheduler for at once, less than any thread gets that does not ask
// (0.7 ms and more). Who asks for less comes sooner: it interrupts a longer slice when it wakes up (sched_setattr(2),
// sched_runtime; Linux 6.12 and later), so that clients do not wait for a signature or the garbage collector.
const slice = 500 * time.Microsecond

// comeSoon has the calling thread run soon after it wakes up. It may be forbidden, by systemd for example, and is only better;
// an older kernel takes no notice.
func comeSoon() {
	if a, err := unix.SchedGetAttr(0, 0); err == nil && a.Policy == unix.SCHED_NORMAL { // with others the time means something else
		a.Runtime = uint64(slice)
		unix.SchedSetAttr(0, a, 0)
	}
}
