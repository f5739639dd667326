package engine

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Knocks are connections of the control plane under way, made only to see whether a server answers. One goroutine has
// hundreds of them under way, and looks after all with one system call; a goroutine and a net.Conn for each cost four
// times as much. The zero value has none. What is done with it is done by one goroutine.
type Knocks struct {
	fds []unix.PollFd
}

// Begin begins to connect, from an address of ours if from is valid. The number names the knock until its end.
func (k *Knocks) Begin(to netip.AddrPort, from netip.Addr) (fd int, err error) {
	a := newAddress(to)
	if fd, err = newSocket(a.family(), unix.SOCK_STREAM); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if from.IsValid() {
		if err = bindLate(fd); err == nil {
			err = unix.Bind(fd, newAddress(netip.AddrPortFrom(from, 0)).sockaddr())
		}
		if err != nil {
			closeSocket(fd)
			return -1, os.NewSyscallError("bind", err)
		}
	}
	if err = connect(fd, a); err != nil && err != unix.EINPROGRESS {
		closeSocket(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	k.fds = append(k.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
	return fd, nil
}

// Look ends the knocks that have an answer and calls done for each; nil means that somebody is there.
func (k *Knocks) Look(done func(fd int, err error)) {
	if len(k.fds) == 0 {
		return
	}
	if n, err := unix.Poll(k.fds, 0); n <= 0 || err != nil {
		return // nothing yet, or a signal
	}
	for i := len(k.fds) - 1; i >= 0; i-- {
		if k.fds[i].Revents == 0 {
			continue
		}
		fd := int(k.fds[i].Fd)
		e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && e != 0 {
			err = os.NewSyscallError("connect", unix.Errno(e))
		}
		k.end(i)
		done(fd, err)
	}
}

// GiveUp ends a knock that has no answer.
func (k *Knocks) GiveUp(fd int) {
	for i := range k.fds {
		if int(k.fds[i].Fd) == fd {
			k.end(i)
			return
		}
	}
}

// Close ends all.
func (k *Knocks) Close() {
	for len(k.fds) > 0 {
		k.end(len(k.fds) - 1)
	}
}

// end closes the connection by a reset, which leaves nothing behind on either side: thousands of probes a second would
// else leave as many ports in TIME_WAIT for minutes.
func (k *Knocks) end(i int) {
	fd := int(k.fds[i].Fd)
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	closeSocket(fd)
	last := len(k.fds) - 1
	k.fds[i] = k.fds[last]
	k.fds = k.fds[:last]
}
