package engine

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Knocks are connections of the control plane under way, made only to see whether a server answers: on Linux it is the server's
// system that does, and its program does not hear of them. One goroutine has hundreds of them under way, and looks after all
// with one system call; a goroutine and a net.Conn for each cost four times as much. The zero value has none. What is done
// with it is done by one goroutine.
type Knocks struct {
	fds      []unix.PollFd
	families []int         // of their sockets; 0 = bound, and not used again
	spare    map[int][]int // by family: sockets that have had their answer; a new one costs more than the knock's packets
}

const maxSpare = 16 // of a family

// Begin begins to connect, from an address of ours if from is valid. The number names the knock until its end.
func (k *Knocks) Begin(to netip.AddrPort, from netip.Addr) (fd int, err error) {
	a := newAddress(to)
	family := a.family()
	if fd, err = k.socket(family); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if from.IsValid() {
		family = 0
		if err = bindLate(fd); err == nil {
			err = unix.Bind(fd, newAddress(netip.AddrPortFrom(from, 0)).sockaddr())
		}
		if err != nil {
			closeSocket(fd)
			return -1, os.NewSyscallError("bind", err)
		}
	}
	connectHalf(fd)
	if err = connect(fd, a); err != nil && err != unix.EINPROGRESS {
		closeSocket(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	k.fds = append(k.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
	k.families = append(k.families, family)
	return fd, nil
}

// socket returns a socket that is not connected.
func (k *Knocks) socket(family int) (fd int, err error) {
	spare := k.spare[family]
	if len(spare) == 0 {
		return newSocket(family, unix.SOCK_STREAM)
	}
	last := len(spare) - 1
	k.spare[family] = spare[:last]
	return spare[last], nil
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
		k.end(i, err == nil)
		done(fd, err)
	}
}

// GiveUp ends a knock that has no answer.
func (k *Knocks) GiveUp(fd int) {
	for i := range k.fds {
		if int(k.fds[i].Fd) == fd {
			k.end(i, false)
			return
		}
	}
}

// Close ends all.
func (k *Knocks) Close() {
	for len(k.fds) > 0 {
		k.end(len(k.fds)-1, false)
	}
	for _, spare := range k.spare {
		for _, fd := range spare {
			closeSocket(fd)
		}
	}
	k.spare = nil
}

// end ends the connection by a reset, which leaves nothing behind on either side: thousands of probes a second would
// else leave as many ports in TIME_WAIT for minutes. A socket that is connected can be used again.
func (k *Knocks) end(i int, connected bool) {
	fd, family := int(k.fds[i].Fd), k.families[i]
	if connected && family != 0 && len(k.spare[family]) < maxSpare && disconnect(fd) == nil {
		if k.spare == nil {
			k.spare = map[int][]int{}
		}
		k.spare[family] = append(k.spare[family], fd)
	} else {
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		closeSocket(fd)
	}
	last := len(k.fds) - 1
	k.fds[i], k.families[i] = k.fds[last], k.families[last]
	k.fds, k.families = k.fds[:last], k.families[:last]
}
