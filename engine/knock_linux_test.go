package engine

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// knockOn knocks once and returns the descriptor by which it did, and the answer.
func knockOn(t *testing.T, k *Knocks, to *address, from netip.Addr) (fd int, answer error) {
	t.Helper()
	begun, err := k.Begin(to.ip, from)
	if err != nil {
		t.Fatal(err)
	}
	fd = -1
	for fd < 0 {
		k.Look(func(ended int, err error) { fd, answer = ended, err })
	}
	if fd != begun {
		t.Errorf("knock %d began, %d ended", begun, fd)
	}
	return fd, answer
}

// A server's system answers a knock, and its program does not hear of it, whether the socket is new, has been used before,
// or is bound to an address of ours. What has failed is not used again.
func TestKnocksAreNotHeard(t *testing.T) {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(server)
	if err := errors.Join(unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(server, 8)); err != nil {
		t.Fatal(err)
	}
	open, err := localAddress(server)
	if err != nil {
		t.Fatal(err)
	}
	shut := newAddress(netip.MustParseAddrPort("127.0.0.2:1")) // nobody listens on tcpmux
	var k Knocks
	for _, tt := range []struct {
		name  string
		to    *address
		from  netip.Addr
		want  error
		spare int // sockets after it
	}{
		{"a new socket", open, netip.Addr{}, nil, 1},
		{"used again", open, netip.Addr{}, nil, 1},
		{"bound", open, netip.MustParseAddr("127.0.0.1"), nil, 0},
		{"refused", shut, netip.Addr{}, unix.ECONNREFUSED, 0},
		{"after a refusal", open, netip.Addr{}, nil, 1},
		{"refused, by one that was used before", shut, netip.Addr{}, unix.ECONNREFUSED, 0},
	} {
		if _, err := knockOn(t, &k, tt.to, tt.from); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if n := len(k.spare[unix.AF_INET]); n != tt.spare {
			t.Errorf("%s: %d sockets to be used again, want %d", tt.name, n, tt.spare)
		}
		if fd, _, err := unix.Accept(server); err != unix.EAGAIN {
			unix.Close(fd)
			t.Errorf("%s: accept: %v, want nobody", tt.name, err)
		}
	}
	fd, _ := knockOn(t, &k, open, netip.Addr{})
	k.Close()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("after Close the descriptor is still there: %v", err)
	}
}
