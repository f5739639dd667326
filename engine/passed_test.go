package engine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pen/conf"
)

// passedOn returns sockets on addresses, as who starts pen would open them. An address with "udp " in front is one of
// datagrams, and ":0" a free port.
func passedOn(t *testing.T, addresses ...string) Passed {
	t.Helper()
	var files []*os.File
	for _, a := range addresses {
		var s interface{ File() (*os.File, error) }
		var err error
		if addr, datagrams := strings.CutPrefix(a, "udp "); datagrams {
			var c net.PacketConn
			c, err = net.ListenPacket("udp", addr)
			s, _ = c.(*net.UDPConn)
		} else if conf.IsPath(a) {
			var ln net.Listener
			ln, err = net.Listen("unix", a)
			s, _ = ln.(*net.UnixListener)
		} else {
			var ln net.Listener
			ln, err = net.Listen("tcp", a)
			s, _ = ln.(*net.TCPListener)
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		s.(interface{ Close() error }).Close() // the duplicate stays
		files = append(files, f)
	}
	p, err := Pass(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// port replaces the word PORT in an address by the port of a socket.
func (p Passed) port(i int, address string) string {
	_, port, _ := net.SplitHostPort(p[i].addr.String())
	return strings.ReplaceAll(address, "PORT", port)
}

func TestPassedSocketsAreFoundByAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p := passedOn(t, "127.0.0.1:0", ":0", "udp 127.0.0.1:0", path)
	for _, tt := range []struct {
		name      string
		listen    string
		datagrams bool
		want      int // index into p; -1 = none
	}{
		{"the same address", p.port(0, "127.0.0.1:PORT"), false, 0},
		{"another address", p.port(0, "127.0.0.2:PORT"), false, -1},
		{"all addresses are others", p.port(0, "PORT"), false, -1},
		{"another kind", p.port(0, "127.0.0.1:PORT"), true, -1},
		{"a bare port, of both families", p.port(1, "PORT"), false, 1},
		{"all of IPv6", p.port(1, ":::PORT"), false, 1},
		{"one of all", p.port(1, "127.0.0.1:PORT"), false, -1},
		{"datagrams", p.port(2, "127.0.0.1:PORT"), true, 2},
		{"a path", path, false, 3},
		{"another path", path + "2", false, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var names resolver
			a, err := names.listen(tt.listen, "tcp")
			if err != nil {
				t.Fatal(err)
			}
			got := -1
			for i := range p {
				if found := p.find(a, tt.datagrams); len(found) == 1 && found[0] == p[i] {
					got = i
				}
			}
			if got != tt.want {
				t.Errorf("%s: got socket %d, want %d", tt.listen, got, tt.want)
			}
		})
	}
}

func TestPassedSocketsByName(t *testing.T) {
	p := passedOn(t, "127.0.0.1:0", "127.0.0.1:0", "udp 127.0.0.1:0")
	s := conf.Default()
	web, dns, other := conf.NewService("web"), conf.NewService("dns"), conf.NewService("other")
	dns.UDP = true
	s.Services = append(s.Services, web, dns, other)
	s.Services[0].Listen = "127.0.0.1:1"
	for i, name := range []string{"default", "web", "dns"} {
		fd, err := unix.Dup(int(p[i].file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		p[i].file = os.NewFile(uintptr(fd), name)
	}
	p.Name(s)
	for _, tt := range []struct{ name, got, want string }{
		{"says where it listens", s.Services[0].Listen, "127.0.0.1:1"},
		{"streams", web.Listen, p[1].addr.String()},
		{"datagrams", dns.Listen, p[2].addr.String()},
		{"no such socket", other.Listen, ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestPassRefuses(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := Pass([]*os.File{file}); err == nil || !strings.Contains(err.Error(), "expected a socket") {
		t.Errorf("a file: got %v, want an error that says what was expected", err)
	}
	p := passedOn(t, "127.0.0.1:0")
	p = append(p, p[0], p[0])
	if _, err := p.open(p[0].addr, false, 2, 0, 10); err == nil || !strings.Contains(err.Error(), "3 sockets on 127.0.0.1:") {
		t.Errorf("more sockets than reactors: got %v, want an error", err)
	}
}

// Reactors share one passed socket; of several each gets one. Datagrams are read by one reactor for each socket.
func TestPassedSocketsForReactors(t *testing.T) {
	p := passedOn(t, "127.0.0.1:0", "udp 127.0.0.1:0")
	for _, tt := range []struct {
		name    string
		socket  int
		n, only int
		with    int // how many reactors have a socket
	}{
		{"streams", 0, 3, 1, 3},
		{"datagrams", 1, 3, 1, 1},
	} {
		fds, err := p.open(p[tt.socket].addr, p[tt.socket].datagrams, tt.n, tt.only, 10)
		if err != nil {
			t.Fatal(err)
		}
		with := 0
		for _, fd := range fds {
			if fd >= 0 {
				with++
			}
		}
		if with != tt.with || fds[tt.only] < 0 {
			t.Errorf("%s: got the descriptors %v, want %d", tt.name, fds, tt.with)
		}
		closeAll(fds)
	}
	if got := p.Unused(); len(got) > 0 {
		t.Errorf("got %q unused, want none", got)
	}
}

func TestUnusedPassedSocket(t *testing.T) {
	p := passedOn(t, "127.0.0.1:0")
	if got := p.Unused(); len(got) != 1 || !strings.HasSuffix(got[0], " on "+p[0].addr.String()) {
		t.Errorf("got %q, want the socket's name and address", got)
	}
}
