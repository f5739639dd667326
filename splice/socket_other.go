//go:build unix && !linux

package splice

import "golang.org/x/sys/unix"

// What is lost against Linux: the scheduler is told of each call, and read and write stand for recv and send, since
// unix.Recvfrom allocates an address for each call. SIGPIPE does no harm: the Go runtime ignores it for any
// descriptor but 1 and 2 (package os/signal, "SIGPIPE").

// recv is read(2).
func recv(fd int32, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

const moreFollows = 0

// send is write(2), which has no flags.
func send(fd int32, p []byte, _ int) (int, error) {
	for {
		n, err := unix.Write(int(fd), p)
		if err != unix.EINTR {
			return n, err
		}
	}
}
