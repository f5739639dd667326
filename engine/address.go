package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"pen/conf"
)

// resolveTimeout bounds the wait for a name server. Only the control goroutine resolves names.
const resolveTimeout = 5 * time.Second

// address is where a server is or where a service listens: an IP address and port, or the path of a Unix socket.
// It does not change once it has been made.
type address struct {
	ip   netip.AddrPort
	path string // not "" = Unix socket
	raw  rawAddress
	host string // as pen shows it: without the port, or the path
	text string // with the port, or the path
}

func (a *address) String() string { return a.text }

// family is the domain argument of socket(2).
func (a *address) family() int {
	switch {
	case a.path != "":
		return unix.AF_UNIX
	case a.ip.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func newAddress(ip netip.AddrPort) *address {
	a := &address{ip: ip, host: ip.Addr().String(), text: ip.String()}
	a.raw = a.encode()
	return a
}

func newPath(path string) (*address, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("path %q of a Unix socket is longer than %d bytes", path, maxPath)
	}
	a := &address{path: path, host: path, text: path}
	a.raw = a.encode()
	return a, nil
}

// maxPath is the room in sun_path on every system here, less the terminating zero (104 on BSD, 108 elsewhere).
const maxPath = 103

// sockaddr converts to what the portable calls of x/sys/unix take.
func (a *address) sockaddr() unix.Sockaddr {
	ip := a.ip.Addr()
	switch a.family() {
	case unix.AF_UNIX:
		return &unix.SockaddrUnix{Name: a.path}
	case unix.AF_INET:
		return &unix.SockaddrInet4{Addr: ip.As4(), Port: int(a.ip.Port())}
	}
	return &unix.SockaddrInet6{Addr: ip.As16(), Port: int(a.ip.Port()), ZoneId: zoneID(ip.Zone())}
}

func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// resolver turns names into addresses and remembers the answers: a change of an unrelated setting asks nobody.
type resolver struct {
	known map[string]netip.Addr
	stale bool // answers are asked for once more, and kept when nobody answers
	fresh map[string]bool
}

// forget makes the next look-ups ask again (after HUP).
func (r *resolver) forget() {
	r.stale = true
	r.fresh = map[string]bool{}
}

// lookup resolves a host; IPv4 is preferred where a name has both.
func (r *resolver) lookup(host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, nil
	}
	old, ok := r.known[host]
	if ok && (!r.stale || r.fresh[host]) {
		return old, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		if ok {
			return old, nil
		}
		return netip.Addr{}, fmt.Errorf("unknown or invalid address [%s]: expected an IP address, a path or a name that resolves", host)
	}
	best := ips[0].Unmap()
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			best = ip.Unmap()
			break
		}
	}
	if r.known == nil {
		r.known = map[string]netip.Addr{}
	}
	r.known[host] = best
	if r.stale {
		r.fresh[host] = true
	}
	return best, nil
}

// server resolves the address of a server: host and port apart, or a path.
func (r *resolver) server(host string, port int) (*address, error) {
	if conf.IsPath(host) {
		return newPath(host)
	}
	ip, err := r.lookup(host)
	if err != nil {
		return nil, err
	}
	return newAddress(netip.AddrPortFrom(ip, uint16(port))), nil
}

// listen resolves the address of a listener. A bare port means every IPv4 address, "::" those of both families, as in pen.
func (r *resolver) listen(s, network string) (*address, error) {
	l, err := conf.ParseListen(s, network)
	if err != nil {
		return nil, err
	}
	if l.Path != "" {
		return newPath(l.Path)
	}
	if l.Host == "" {
		l.Host = "0.0.0.0"
	}
	return r.server(l.Host, l.Port)
}

// source resolves the local address of connections to servers; the zero value means the choice of the system.
func (r *resolver) source(host string) (*address, error) {
	if host == "" {
		return nil, nil
	}
	ip, err := r.lookup(host)
	if err != nil {
		return nil, fmt.Errorf("unable to set source address to '%s': %w", host, err)
	}
	return newAddress(netip.AddrPortFrom(ip, 0)), nil
}
