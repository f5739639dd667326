//go:build unix

package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A socket of datagrams is told like a listener: as long as there is one to be read, without Arm, and never for room to
// write; an error, such as a closed port, is told in both directions.
func TestDatagramsAreLevelTriggered(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p := open(t, name)
			a, at := datagramSocket(t)
			b, _ := datagramSocket(t)
			t.Cleanup(func() { unix.Close(b) })
			if err := unix.Connect(b, at); err != nil {
				t.Fatal(err)
			}
			addListener(t, p, a)
			addListener(t, p, b)
			mustNotReport(t, p, a)
			for range 2 {
				if _, err := unix.Write(b, []byte("datagram")); err != nil {
					t.Fatal(err)
				}
			}
			mustNotReport(t, p, b)
			for range 2 {
				for range 3 {
					await(t, p, a, Readable)
				}
				if _, err := unix.Read(a, make([]byte, 10)); err != nil {
					t.Fatal(err)
				}
			}
			mustNotReport(t, p, a)
			remove(t, p, a)
			unix.Close(a)
			if _, err := unix.Write(b, nil); err != nil {
				t.Fatal(err)
			}
			await(t, p, b, Readable)
			if _, err := unix.Read(b, make([]byte, 10)); err != unix.ECONNREFUSED {
				t.Errorf("after the port was closed: got %v, want %v", err, unix.ECONNREFUSED)
			}
			mustNotReport(t, p, b)
		})
	}
}

// datagramSocket returns a UDP socket on a port of its own; the caller closes it.
func datagramSocket(t *testing.T) (int, unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, at
}
