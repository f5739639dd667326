package conf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// MaxServers is the number of places that the table of servers of a service can have: their numbers are below it.
const MaxServers = 65536

// Operands takes the operands of the command line: the address to listen on, then host:port:max:hard:weight:prio for
// each server. Port defaults to the one that pen listens on, the other numbers to 0. What commands have set stays,
// whether they came before or come after: a file and -O win over operands.
func (d *Draft) Operands(args []string) error {
	if len(args) == 0 {
		return nil
	}
	v := d.state.set.Services[0]
	listen, err := ParseListen(args[0], v.Network())
	if err != nil {
		return err
	}
	if len(args)-1 > MaxServers {
		return fmt.Errorf("expected at most %d servers, not %d", MaxServers, len(args)-1)
	}
	port := listen.Port
	if listen.Path != "" {
		port = noPort
	}
	servers := make([]Server, len(args)-1, max(len(args)-1, len(v.Servers)))
	for i, arg := range args[1:] {
		if servers[i], err = ParseServer(arg, port, v.Network()); err != nil {
			return err
		}
		if i < len(v.Servers) {
			servers[i] = merge(servers[i], v.Servers[i], d.state.said[i])
		}
		if servers[i].Port == noPort {
			return fmt.Errorf("expected host:port:max:hard:weight:prio, not '%s': a server needs a port since pen listens on a path", clip(arg))
		}
	}
	if len(v.Servers) > len(servers) {
		servers = append(servers, v.Servers[len(servers):]...)
	}
	if len(servers) > 0 {
		v.Servers = servers
	}
	if !d.state.listen {
		v.Listen = args[0]
	}
	return nil
}

// noPort stands for the port that a server of the operands lacks.
const noPort = -1

// merge returns the server of an operand with what commands have said about its place: whatever an operand cannot say,
// and the keys that it could but that were said.
func merge(operand, place Server, said map[string]bool) Server {
	if !said["address"] {
		place.Address = operand.Address
	}
	if !said["port"] {
		place.Port = operand.Port
	}
	if !said["max"] {
		place.Max = operand.Max
	}
	if !said["hard"] {
		place.Hard = operand.Hard
	}
	if !said["weight"] {
		place.Weight = operand.Weight
	}
	if !said["prio"] {
		place.Prio = operand.Prio
	}
	return place.tidy()
}

// tidy drops the port of a path.
func (s Server) tidy() Server {
	if IsPath(s.Address) {
		s.Port = 0
	}
	return s
}

// Network returns "udp" or "tcp".
func (v *Service) Network() string {
	if v.UDP {
		return "udp"
	}
	return "tcp"
}

// IsPath reports whether an address names a Unix socket: it holds a slash.
func IsPath(address string) bool { return strings.Contains(address, "/") }

// Listener is the address to listen on.
type Listener struct {
	Path string // of a Unix socket, else ""
	Host string // name or IP address without brackets; "" = all IPv4 addresses
	Port int
}

// ParseListen takes apart [host:]port or a path. The last colon ends the host, with or without brackets around an IPv6
// address; an empty host is like none. A port may be a name of the network "tcp" or "udp".
func ParseListen(address, network string) (Listener, error) {
	if IsPath(address) {
		return Listener{Path: address}, validPath(address)
	}
	host, port := "", address
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		host, port = address[:i], address[i+1:]
	}
	n, err := parsePort(port, network)
	if err == nil && host != "" {
		host, err = parseHost(host)
	}
	if err != nil {
		return Listener{}, fmt.Errorf("expected [host:]port or a path to listen on, not '%s': %w", clip(address), err)
	}
	return Listener{Host: host, Port: n}, nil
}

// ParseServer takes apart host:port:max:hard:weight:prio or [v6]:port:..., of which all but the host may be missing, or
// the same with a path, whose port means nothing. The port defaults to port, the other numbers to 0.
func ParseServer(operand string, port int, network string) (Server, error) {
	bad := func(why string) (Server, error) {
		return Server{}, fmt.Errorf("expected host:port:max:hard:weight:prio, not '%s': %s", clip(operand), why)
	}
	host, rest := operand, ""
	if h, bracketed := strings.CutPrefix(operand, "["); bracketed {
		i := strings.IndexByte(h, ']')
		if i < 0 || !isIPv6(h[:i]) || h[i+1:] != "" && h[i+1] != ':' {
			return bad("[ ] must hold an IPv6 address")
		}
		host, rest = h[:i], strings.TrimPrefix(h[i+1:], ":")
	} else if !isIPv6(operand) {
		host, rest, _ = strings.Cut(operand, ":")
	}
	s := Server{Port: port}
	var err error
	if s.Address, err = parseAddress(host); err != nil {
		return bad(err.Error())
	}
	if err := s.numbers(rest, network); err != nil {
		return bad(err.Error())
	}
	return s.tidy(), nil
}

// numbers takes port:max:hard:weight:prio.
func (s *Server) numbers(text, network string) error {
	fields := strings.Split(text, ":")
	if len(fields) > 5 {
		return fmt.Errorf("%d numbers where 5 are expected; an IPv6 address needs [ ]", len(fields))
	}
	if fields[0] != "" && !IsPath(s.Address) {
		port, err := parsePort(fields[0], network)
		if err != nil {
			return err
		}
		s.Port = port
	}
	names := [...]string{"max", "hard", "weight", "prio"}
	for i, at := range [...]*int{&s.Max, &s.Hard, &s.Weight, &s.Prio} {
		if i+1 >= len(fields) || fields[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(fields[i+1])
		if err != nil || n < 0 || n > maxNumber {
			return fmt.Errorf("%s is a number from 0 to %d, not '%s'", names[i], maxNumber, clip(fields[i+1]))
		}
		*at = n
	}
	return nil
}

// parsePort returns the number of a port, which may be a name of the network. 0 is a port that is never contacted.
func parsePort(port, network string) (int, error) {
	n, err := strconv.Atoi(port)
	if err == nil && n >= 0 && n <= 65535 {
		return n, nil
	}
	if err != nil && port != "" && validHost(port) == nil {
		if n, err := net.LookupPort(network, port); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("a port is a number from 0 to 65535 or the name of a %s service, not '%s'", network, clip(port))
}

// parseHost returns a host without the brackets of an IPv6 address.
func parseHost(host string) (string, error) {
	if h, bracketed := strings.CutPrefix(host, "["); bracketed {
		h, closed := strings.CutSuffix(h, "]")
		if !closed || !isIPv6(h) {
			return "", errors.New("[ ] must hold an IPv6 address")
		}
		return h, nil
	}
	if strings.Contains(host, ":") && !isIPv6(host) {
		return "", fmt.Errorf("'%s' is neither a name nor an IP address", clip(host))
	}
	return host, validHost(host)
}

// parseAddress returns the address of a server as [Server] keeps it.
func parseAddress(address string) (string, error) {
	if IsPath(address) {
		return address, validPath(address)
	}
	if address == unused {
		return "", nil
	}
	return parseHost(address)
}

// unused is how pen shows and writes a place of the table that holds no server.
const unused = "0.0.0.0"

// isIPv6 reports whether s is an IPv6 address.
func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

// validHost says whether a host, or the name of a port, can be one at all. Whether it exists is found out later.
func validHost(host string) error {
	if host == "" {
		return errors.New("the host is empty")
	}
	if len(host) > 255 || strings.ContainsFunc(host, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:%", r)
	}) {
		return fmt.Errorf("'%s' is neither a name nor an IP address", clip(host))
	}
	return nil
}

// validPath says whether a path can be written in a line. How long one may be, the system says when it is used.
func validPath(path string) error {
	if strings.ContainsAny(path, lineEnds) {
		return errors.New("a path has no line ends and zero bytes")
	}
	return nil
}
