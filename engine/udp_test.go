package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// udpServer answers each datagram with its name, a blank and the datagram, until the test ends.
type udpServer struct {
	name string
	conn net.PacketConn
	got  chan string // what it was sent, as far as anybody asks
}

func newUDPServer(t testing.TB, name, network, address string) *udpServer {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &udpServer{name, conn, make(chan string, 1024)}
	go s.serve()
	return s
}

func (s *udpServer) serve() {
	b := make([]byte, 1<<16)
	for {
		n, from, err := s.conn.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case s.got <- string(b[:n]):
		default:
		}
		if err == nil && from != nil && from.String() != "" {
			s.conn.WriteTo(append([]byte(s.name+" "), b[:n]...), from)
		}
	}
}

func (s *udpServer) conf() conf.Server {
	if a, ok := s.conn.LocalAddr().(*net.UnixAddr); ok {
		return conf.Server{Address: a.Name}
	}
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return conf.Server{Address: a.Addr().Unmap().String(), Port: int(a.Port())}
}

// startUDP runs an engine with a service of datagrams in front of servers.
func startUDP(t *testing.T, change func(*conf.Settings, *conf.Service), servers ...*udpServer) *Engine {
	t.Helper()
	return start(t, func(s *conf.Settings, v *conf.Service) {
		v.UDP = true
		for _, server := range servers {
			v.Servers = append(v.Servers, server.conf())
		}
		if change != nil {
			change(s, v)
		}
	})
}

// udpClient is a socket that is connected to an engine's service.
func udpClient(t testing.TB, e *Engine) net.Conn {
	t.Helper()
	return dialUDP(t, e.Listening("default"))
}

func dialUDP(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// askUDP sends a datagram and returns the answer.
func askUDP(t testing.TB, c net.Conn, text string) string {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("asking %.20q: %v", text, err)
	}
	return readUDP(t, c)
}

func readUDP(t testing.TB, c net.Conn) string {
	t.Helper()
	b := make([]byte, 1<<16)
	c.SetReadDeadline(time.Now().Add(patient))
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return string(b[:n])
}

// dropped returns how many datagrams of a service were dropped for a reason.
func dropped(e *Engine, why drop) uint64 { return e.Datagrams("default").Dropped[why].Datagrams }

func TestFlowStaysWithItsServer(t *testing.T) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Balance.RoundRobin = true }, a, b)
	got := map[string]int{}
	for i := range 10 {
		c := udpClient(t, e)
		first := askUDP(t, c, fmt.Sprint("q", i))
		got[first[:1]]++
		for range 5 {
			if again := askUDP(t, c, "again"); again[:1] != first[:1] {
				t.Errorf("client %d: got an answer of %s after one of %s", i, again[:1], first[:1])
			}
		}
	}
	if got["a"] != 5 || got["b"] != 5 {
		t.Errorf("flows by server %v, want 5 each", got)
	}
	d := e.Datagrams("default")
	want := conf.Traffic{Datagrams: 60, Bytes: 10*2 + 50*5}
	if d.FromClients != want || d.ToServers != want {
		t.Errorf("from clients %v, to servers %v, want %v", d.FromClients, d.ToServers, want)
	}
	want.Bytes += 60 * 2 // name and blank
	if d.FromServers != want || d.ToClients != want {
		t.Errorf("from servers %v, to clients %v, want %v", d.FromServers, d.ToClients, want)
	}
	if d.Flows != (conf.FlowStatus{Active: 10, Begun: 10}) {
		t.Errorf("flows %+v, want 10 active, 10 begun", d.Flows)
	}
	var sent uint64
	for _, s := range e.Servers("default") {
		sent += s.SentDatagrams
		if s.Connections != 5 {
			t.Errorf("server %s has %d flows, want 5", s.Address, s.Connections)
		}
	}
	if sent != 60 {
		t.Errorf("servers were sent %d datagrams, want 60", sent)
	}
}

// The C pen cuts above 32,768 bytes and loses the flow with an empty datagram.
func TestDatagramSizes(t *testing.T) {
	tests := []struct {
		name, network, server string
	}{
		{"IPv4", "udp4", "127.0.0.1:0"}, {"IPv6 server", "udp6", "[::1]:0"}, {"Unix server", "unixgram", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := tt.server
			if tt.network == "unixgram" {
				address = filepath.Join(t.TempDir(), "server")
			}
			s := newUDPServer(t, "", tt.network, address)
			e := startUDP(t, nil, s)
			c := udpClient(t, e)
			for _, size := range []int{0, 1, 512, 1472, 1473, 32768, 32769, 65000, 65506} {
				text := strings.Repeat("x", size)
				if got := askUDP(t, c, text); got != " "+text {
					t.Errorf("%d bytes: got %d bytes, want one more", size, len(got))
				}
			}
			if _, err := c.Write(make([]byte, 65507)); err != nil {
				t.Fatal(err)
			}
			for {
				if got := <-s.got; len(got) == 65507 {
					break
				}
			}
		})
	}
}

// Clients of one family reach servers of the other, and answers leave from the address that was written to.
func TestAnswersLeaveFromWhereTheClientWrote(t *testing.T) {
	tests := []struct{ name, listen, server, to string }{
		{"IPv4, all addresses", "0.0.0.0:0", "127.0.0.1:0", "127.0.0.77"},
		{"both families, IPv4 client", "[::]:0", "[::1]:0", "127.0.0.78"},
		{"both families, IPv6 client", "[::]:0", "127.0.0.1:0", "::1"},
		{"one address", "127.0.0.79:0", "[::1]:0", "127.0.0.79"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newUDPServer(t, "s", "udp", tt.server)
			e := startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Listen = tt.listen }, server)
			port := netip.MustParseAddrPort(e.Listening("default")).Port()
			to := netip.AddrPortFrom(netip.MustParseAddr(tt.to), port)
			conn, err := net.ListenUDP("udp", nil) // not connected: it hears from everybody
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for range 3 {
				if _, err := conn.WriteToUDPAddrPort([]byte("who"), to); err != nil {
					t.Skip(err) // no IPv6
				}
				b := make([]byte, 100)
				conn.SetReadDeadline(time.Now().Add(patient))
				n, from, err := conn.ReadFromUDPAddrPort(b)
				if err != nil {
					t.Fatal(err)
				}
				from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
				if string(b[:n]) != "s who" || from != to {
					t.Errorf("got %q from %v, want \"s who\" from %v", b[:n], from, to)
				}
			}
		})
	}
}

// One socket that writes to two addresses of ours has two flows, each answered from its own.
func TestFlowsByLocalAddress(t *testing.T) {
	server := newUDPServer(t, "s", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Listen = "0.0.0.0:0" }, server)
	port := netip.MustParseAddrPort(e.Listening("default")).Port()
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(patient))
	want := []string{}
	for _, a := range []string{"127.0.0.11", "127.0.0.12"} {
		conn.WriteToUDPAddrPort([]byte(a), netip.AddrPortFrom(netip.MustParseAddr(a), port))
		want = append(want, "s "+a+" from "+a)
	}
	var got []string
	for range want {
		b := make([]byte, 100)
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b[:n])+" from "+from.Addr().Unmap().String())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A client on a Unix socket is answered if it has a name; one without a name is heard.
func TestUnixClients(t *testing.T) {
	dir := t.TempDir()
	server := newUDPServer(t, "s", "udp", "127.0.0.1:0")
	front := filepath.Join(dir, "front")
	startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Listen = front }, server)
	for _, name := range []string{"one", "two"} {
		c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(dir, name)}, &net.UnixAddr{Name: front})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := askUDP(t, c, name); got != "s "+name {
			t.Errorf("got %q, want %q", got, "s "+name)
		}
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: front})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for len(server.got) > 0 {
		<-server.got
	}
	c.Write([]byte("nameless"))
	if got := <-server.got; got != "nameless" {
		t.Errorf("the server got %q, want \"nameless\"", got)
	}
}
