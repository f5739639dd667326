package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"

	"pen/conf"
	"pen/engine"
)

// Owner is the account that pen will run as: it owns a Unix control socket. The zero value leaves the socket with the
// account that makes it.
type Owner struct {
	Change   bool
	UID, GID int
}

// place is where a socket of the control plane listens: what decides whether a new configuration needs a new one.
type place struct {
	network string // unix, tcp or tcp4; "" = there is no control socket
	address string // for package net
}

// placeOf returns where the control socket of s belongs. A port without an address means this machine only, until
// entries in the list of control_acl say who else may come.
func placeOf(s *conf.Settings) (place, error) {
	host := "127.0.0.1"
	if len(s.ACL[s.Control.ACL]) > 0 {
		host = "0.0.0.0"
	}
	return parsePlace("control", s.Control.Listen, host)
}

// parsePlace returns where a socket belongs that a command puts at an address; host stands in if it names none.
func parsePlace(command, address, host string) (place, error) {
	if address == "" {
		return place{}, nil
	}
	at, err := conf.ParseListen(address, "tcp")
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", command, err)
	}
	if at.Path != "" {
		return place{"unix", at.Path}, nil
	}
	if at.Host == "" {
		at.Host = host
	}
	network := "tcp"
	if ip, err := netip.ParseAddr(at.Host); err == nil && ip.Is4() {
		network = "tcp4" // or else 0.0.0.0 would be taken for all of IPv6 as well
	}
	return place{network, net.JoinHostPort(at.Host, strconv.Itoa(at.Port))}, nil
}

// open makes the socket, or returns nil if there is to be none. name is the command, for the error.
func (p place) open(owner Owner, name string) (ln net.Listener, err error) {
	switch p.network {
	case "":
		return nil, nil
	case "unix":
		ln, err = openUnix(p.address, owner)
	default:
		ln, err = net.Listen(p.network, p.address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, p.address, reason(err))
	}
	return ln, nil
}

// remove removes the name of a Unix socket.
func (p place) remove() {
	if p.network == "unix" {
		os.Remove(p.address) // if it cannot be removed, the next one to listen there takes it over
	}
}

// reason drops the words that package net puts in front of the system's, which repeat the address.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// umask guards the file mode mask of the process, which belongs to all of it.
var umask sync.Mutex

// openUnix makes a socket that nobody but its owner can connect to. The mask sees to that before the mode could: it is
// there when the name appears. As in pen the name stays when pen ends; a name that nobody listens to is taken over.
func openUnix(path string, owner Owner) (net.Listener, error) {
	if err := engine.RemoveStale("unix", path); err != nil {
		return nil, err
	}
	umask.Lock()
	old := syscall.Umask(0o177)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	umask.Unlock()
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	if owner.Change {
		if err := os.Lchown(path, owner.UID, owner.GID); err != nil {
			ln.Close()
			os.Remove(path)
			return nil, err
		}
	}
	return ln, nil
}
