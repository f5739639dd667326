package splice

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls are raw, that is, the Go scheduler is not told of them: the sockets are non-blocking, and telling costs
// 6 % of the CPU of a small request. recv and send beat read and write by about as much again.
//
// An error is an unix.Errno below 256, which becomes an error value without allocation.

// recv is recvfrom(2) without an address.
func recv(fd int32, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// moreFollows keeps an incomplete last segment back until more comes, or the end of the stream.
const moreFollows = unix.MSG_MORE

// send is sendto(2) without an address.
func send(fd int32, p []byte, flags int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL|uintptr(flags), 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
