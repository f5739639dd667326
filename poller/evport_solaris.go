package poller

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of event ports, for Solaris and illumos, see port_create(3C).
//
// unix.EventPort cannot serve: it drops the events that come together with EINTR, allocates for each call, keeps maps
// under a mutex and has no port_send. So the five functions of libc are imported here in the same way as
// golang.org/x/sys/unix and golang.org/x/net/internal/socket import theirs, without cgo.

//go:cgo_import_dynamic libc_port_create port_create "libc.so"
//go:cgo_import_dynamic libc_port_associate port_associate "libc.so"
//go:cgo_import_dynamic libc_port_dissociate port_dissociate "libc.so"
//go:cgo_import_dynamic libc_port_getn port_getn "libc.so"
//go:cgo_import_dynamic libc_port_send port_send "libc.so"

//go:linkname procPortCreate libc_port_create
//go:linkname procPortAssociate libc_port_associate
//go:linkname procPortDissociate libc_port_dissociate
//go:linkname procPortGetn libc_port_getn
//go:linkname procPortSend libc_port_send

var procPortCreate, procPortAssociate, procPortDissociate, procPortGetn, procPortSend uintptr

// sysvicall6 calls a function of libc; it is the one of package syscall, see evport_solaris_amd64.s.
func sysvicall6(fn, nargs, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, errno syscall.Errno)

const native = "evport"

// port is the descriptor of an event port. count and limit lie here because the kernel writes and reads them.
type port struct {
	fd    int
	count uint32
	limit unix.Timespec
}

func openNative() (Poller, error) {
	fd, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procPortCreate)), 0, 0, 0, 0, 0, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("port_create: %w", errno)
	}
	unix.CloseOnExec(int(fd))
	return &evport{calls: &port{fd: int(fd)}}, nil
}

func (p *port) associate(fd int, events int32, cookie uintptr) error {
	_, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procPortAssociate)), 5, uintptr(p.fd), portSourceFD, uintptr(fd), uintptr(events), cookie, 0)
	return result(errno)
}

func (p *port) dissociate(fd int) error {
	_, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procPortDissociate)), 3, uintptr(p.fd), portSourceFD, uintptr(fd), 0, 0, 0)
	return result(errno)
}

func (p *port) getn(events []portEvent, timeout time.Duration) (int, error) {
	var limit *unix.Timespec
	if timeout >= 0 {
		p.limit = unix.NsecToTimespec(int64(min(timeout, maxWait)))
		limit = &p.limit
	}
	p.count = 1 // in: the least number to wait for; out: the number that came
	_, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procPortGetn)), 5, uintptr(p.fd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(&p.count)), uintptr(unsafe.Pointer(limit)), 0)
	return int(p.count), result(errno)
}

// send makes getn return, by an event of source portSourceUser.
func (p *port) send() error {
	_, _, errno := sysvicall6(uintptr(unsafe.Pointer(&procPortSend)), 3, uintptr(p.fd), 0, 0, 0, 0, 0)
	return result(errno)
}

func (p *port) close() error { return unix.Close(p.fd) }

// result is nil for 0; a nonzero errno is a plain error value.
func result(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
