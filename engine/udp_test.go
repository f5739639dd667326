package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pen/conf"
	"pen/poller"
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

// A server with a closed port is blacklisted, and what was lost to find that out goes to another server where the system
// gives it back.
func TestDeadServerLosesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not give back what was lost")
	}
	for _, poller := range poller.Names() {
		t.Run(poller, func(t *testing.T) { testDeadServer(t, poller) })
	}
}

func testDeadServer(t *testing.T, poller string) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Poller = poller
		v.Balance.RoundRobin = true
	}, a, b)
	clients := []net.Conn{udpClient(t, e), udpClient(t, e), udpClient(t, e), udpClient(t, e)}
	for _, c := range clients {
		askUDP(t, c, "hello")
	}
	b.conn.Close()
	for range 3 {
		for i, c := range clients {
			if got := askUDP(t, c, "still there?"); got != "a still there?" {
				t.Errorf("client %d got %q, want it from a", i, got)
			}
		}
	}
	if s := e.Servers("default")[1]; !s.Blacklisted || s.Connections != 0 {
		t.Errorf("the dead server: %+v, want it blacklisted and without flows", s)
	}
	d := e.Datagrams("default")
	if d.Flows.Moved != 2 {
		t.Errorf("%d flows moved, want 2", d.Flows.Moved)
	}
}

// A flow moves when its server is excluded by command, drained, found down or taken out of the table, and not before.
func TestFlowMoves(t *testing.T) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	var settings *conf.Settings
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) { settings = s }, a, b)
	c := udpClient(t, e)
	stand := func(i int, h Health) {
		e.SetStandings("default", map[int32]Standing{e.service("default").places[i].id: {Health: h, Share: 100}})
	}
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"first server", func() {}, "b"},
		{"excluded", func() { e.Blacklist("default", 1, time.Hour) }, "a"},
		{"available again", func() { e.Blacklist("default", 1, 0) }, "a"},
		{"unrelated change", func() { settings.Process.Debug = 1 }, "a"},
		{"drained", func() { settings.Services[0].Servers[0].Admin = conf.Drain }, "b"},
		{"maint", func() {
			settings.Services[0].Servers[0].Admin = conf.Ready
			settings.Services[0].Servers[1].Admin = conf.Maint
		}, "a"},
		{"down", func() {
			settings.Services[0].Servers[1].Admin = conf.Ready
			stand(0, Down)
		}, "b"},
		{"up again", func() { stand(0, Up) }, "b"},
		{"the other one down", func() { stand(1, Down) }, "a"},
		{"both up", func() { stand(1, Up) }, "a"},
		{"taken out", func() { settings.Services[0].Servers[0] = conf.Server{} }, "b"},
		{"all excluded", func() { e.Blacklist("default", 1, time.Hour) }, ""},
		{"back again", func() { e.Blacklist("default", 1, 0) }, "b"},
	}
	for _, step := range steps {
		settings = settings.Clone()
		step.do()
		if err := e.Publish(settings); err != nil {
			t.Fatal(err)
		}
		if step.want == "" {
			c.Write([]byte("lost"))
			eventually(t, "the datagram is dropped", func() bool { return dropped(e, dropNoServer) == 1 })
			continue
		}
		if got := askUDP(t, c, "q"); got != step.want+" q" {
			t.Errorf("%s: got %q, want it from %s", step.name, got, step.want)
		}
	}
}

func TestUDPAccess(t *testing.T) {
	a, abuse := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "abuse", "udp", "127.0.0.1:0")
	var settings *conf.Settings
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		settings = s
		v.ClientACL = 1
		v.Servers[0].ACL = 2
	}, a)
	c := udpClient(t, e)
	if got := askUDP(t, c, "1"); got != "a 1" {
		t.Errorf("permitted: got %q", got)
	}
	deny := conf.ACL{{Addr: netip.MustParseAddr("0.0.0.0"), Mask: netip.MustParseAddr("0.0.0.0")}}
	settings = settings.Clone()
	settings.ACL[1] = deny
	if err := e.Publish(settings); err != nil {
		t.Fatal(err)
	}
	for want := range uint64(2) { // the flow that there is, then a new one
		c.Write([]byte("2"))
		eventually(t, "it is denied", func() bool { return dropped(e, dropDenied) == want+1 })
	}
	settings = settings.Clone()
	settings.Services[0].Abuse = abuse.conn.LocalAddr().String()
	if err := e.Publish(settings); err != nil {
		t.Fatal(err)
	}
	if got := askUDP(t, c, "3"); got != "abuse 3" {
		t.Errorf("with an abuse server: got %q", got)
	}
	settings = settings.Clone()
	settings.ACL[1], settings.ACL[2] = nil, deny
	settings.Services[0].Emergency = abuse.conn.LocalAddr().String()
	if err := e.Publish(settings); err != nil {
		t.Fatal(err)
	}
	if got := askUDP(t, c, "4"); got != "abuse 4" {
		t.Errorf("barred by the server's list: got %q, want the emergency server", got)
	}
}

// A flow ends after its answers, and the client's next datagram begins another one.
func TestResponses(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Flow.Responses = 1 }, a)
	c := udpClient(t, e)
	for i := range uint64(3) {
		askUDP(t, c, "q")
		eventually(t, "the flow is over", func() bool {
			f := e.Datagrams("default").Flows
			return f.Active == 0 && f.Begun == i+1
		})
	}
	for range 10 { // questions that are asked together are all answered
		c.Write([]byte("many"))
	}
	for range 10 {
		readUDP(t, c)
	}
	eventually(t, "all are over", func() bool { return e.Servers("default")[0].Connections == 0 })
}

func TestFlowTimeout(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) { v.Flow.Timeout = 50 * time.Millisecond }, a)
	askUDP(t, udpClient(t, e), "q")
	eventually(t, "the flow is over", func() bool { return e.Datagrams("default").Flows.Active == 0 })
	if got := dropped(e, dropFull); got != 0 {
		t.Errorf("%d dropped", got)
	}
}

// More flows than conn_max are no error: the one that was silent longest makes room, and clients of streams come first.
func TestEviction(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	web := backend(t, func(c *net.TCPConn) { c.Write([]byte("hello")); c.Read(make([]byte, 1)) })
	const most = 4
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors, s.Limits.Connections = 1, most
		w := conf.NewService("web")
		w.Listen, w.Servers = "127.0.0.1:0", []conf.Server{web}
		s.Services = append(s.Services, w)
	}, a)
	clients := make([]net.Conn, most+1)
	for i := range clients {
		clients[i] = udpClient(t, e)
		askUDP(t, clients[i], "q")
		askUDP(t, clients[0], "q") // stays busy
	}
	if f := e.Datagrams("default").Flows; f.Active != most || f.Evicted != 1 || f.Begun != most+1 {
		t.Errorf("got %+v, want %d active, 1 evicted", f, most)
	}
	askUDP(t, clients[0], "q")
	if f := e.Datagrams("default").Flows; f.Begun != most+1 {
		t.Errorf("the busy flow was evicted: %+v", f)
	}
	c, err := net.Dial("tcp", e.Listening("web"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 5)
	c.SetReadDeadline(time.Now().Add(patient))
	if _, err := c.Read(b); string(b) != "hello" {
		t.Errorf("a client of streams got %q, %v", b, err)
	}
}

// With several reactors one that has no flow gets room from the others.
func TestEvictionElsewhere(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) { s.Limits.Reactors, s.Limits.Connections = 4, 2 }, a)
	for i := range 50 {
		c := udpClient(t, e)
		answered := false
		for try := 0; try < 50 && !answered; try++ { // some are dropped while another reactor makes room
			c.Write([]byte("q"))
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			_, err := c.Read(make([]byte, 10))
			answered = err == nil
		}
		if !answered {
			t.Fatalf("client %d never got in", i)
		}
	}
	if n := e.Datagrams("default").Flows.Active; n > 2 {
		t.Errorf("%d flows, want 2 at most", n)
	}
}

func TestUDPLimits(t *testing.T) {
	a, b := newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) {
		v.Balance.RoundRobin = true
		v.Servers[0].Max, v.Servers[1].Max = 1, 2
	}, a, b)
	got := map[string]int{}
	for range 3 {
		got[askUDP(t, udpClient(t, e), "q")[:1]]++
	}
	if got["a"] != 1 || got["b"] != 2 {
		t.Errorf("flows by server %v, want a 1, b 2", got)
	}
	udpClient(t, e).Write([]byte("q"))
	eventually(t, "the fourth is dropped", func() bool { return dropped(e, dropNoServer) == 1 })
}

// A service of streams and one of datagrams share a port number, as a name server wants it.
func TestStreamsAndDatagramsOnOnePort(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	web := backend(t, func(c *net.TCPConn) { c.Write([]byte("hello")) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	startUDP(t, func(s *conf.Settings, v *conf.Service) {
		v.Listen = address
		w := conf.NewService("web")
		w.Listen, w.Servers = address, []conf.Server{web}
		s.Services = append(s.Services, w)
	}, a)
	if got := askUDP(t, dialUDP(t, address), "q"); got != "a q" {
		t.Errorf("datagrams: got %q", got)
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 5)
	c.SetReadDeadline(time.Now().Add(patient))
	if c.Read(b); string(b) != "hello" {
		t.Errorf("streams: got %q", b)
	}
}

// Moving a service to another address closes the old one.
func TestUDPListenElsewhere(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	dir := t.TempDir()
	var settings *conf.Settings
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) { settings = s }, a)
	old := e.Listening("default")
	askUDP(t, udpClient(t, e), "q")
	settings = settings.Clone()
	settings.Services[0].Listen = filepath.Join(dir, "front")
	if err := e.Publish(settings); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old port is free", func() bool {
		c, err := net.ListenPacket("udp", old)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	eventually(t, "the flows are over", func() bool { return e.Datagrams("default").Flows.Active == 0 })
	if _, err := os.Stat(settings.Services[0].Listen); err != nil {
		t.Error(err)
	}
}

func TestUDPPortTaken(t *testing.T) {
	taken := newUDPServer(t, "x", "udp", "127.0.0.1:0")
	s := conf.Default()
	s.Services[0].UDP, s.Services[0].Listen = true, taken.conn.LocalAddr().String()
	e, err := New(s)
	if err == nil {
		e.Stop(0)
		t.Fatal("a port that somebody has was opened")
	}
	if !strings.Contains(err.Error(), "can't bind local address") {
		t.Errorf("got %q", err)
	}
}

func TestStreamsOnly(t *testing.T) {
	tests := []struct {
		name string
		set  func(*conf.Service)
		want string
	}{
		{"dummy", func(v *conf.Service) { v.Dummy = true }, "dummy"},
		{"idlers", func(v *conf.Service) { v.Idlers = 2 }, "idlers"},
	}
	for _, tt := range tests {
		s := conf.Default()
		s.Services[0].UDP = true
		tt.set(s.Services[0])
		if err := Check(s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with udp: got %v, want an error about it", tt.name, err)
		}
	}
}

// Each datagram of a client is logged, the first one, which the C pen leaves out, and empty ones included.
func TestUDPLog(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		v.Log = "/dev/null"
		s.Process.Debug, s.Process.ASCII = 3, true
	}, a)
	c := udpClient(t, e)
	var log bytes.Buffer
	for _, q := range []string{"first\nline", "", "third"} {
		askUDP(t, c, q)
		b := <-e.Logs("default").Requests.Batches()
		log.Write(b)
	}
	var texts []string
	for line := range strings.Lines(log.String()) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if fields[0] != "127.0.0.1" || fields[2] != "127.0.0.1" {
			t.Errorf("got %q, want client and server 127.0.0.1", line)
		}
		texts = append(texts, fields[3])
	}
	if want := []string{"first", "", "third"}; !slices.Equal(texts, want) {
		t.Errorf("logged %q, want %q", texts, want)
	}
	for ev := range e.Events() {
		if ev.Level == 3 {
			if ev.Message != "10: first\nline" {
				t.Errorf("the first dump is %q", ev.Message)
			}
			break
		}
	}
}

// Flows are seen by the queries on connections and clients, and can be closed.
func TestFlowsAsConnections(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, nil, a)
	askUDP(t, udpClient(t, e), "12345678")
	list := e.Connections("default")
	if len(list) != 1 || list[0].State != 2 || list[0].Server != 0 || list[0].Client != "127.0.0.1" {
		t.Fatalf("connections %+v", list)
	}
	n := list[0].Number
	if c, ok := e.Connection(n); !ok || c != list[0] {
		t.Errorf("connection %d: %+v, %v", n, c, ok)
	}
	if got := e.Owner(list[0].UpFD); got != n {
		t.Errorf("descriptor %d belongs to %d, want %d", list[0].UpFD, got, n)
	}
	if c := e.Clients("default", time.Minute); len(c) != 1 || c[0].Received != 8 || c[0].Sent != 10 || c[0].Connects != 1 {
		t.Errorf("clients %+v", c)
	}
	e.CloseConnection(n)
	if list := e.Connections("default"); len(list) != 0 {
		t.Errorf("after close: %+v", list)
	}
	if c := e.Clients("default", time.Minute); len(c) != 1 || c[0].Received != 8 || c[0].Sent != 10 {
		t.Errorf("clients after close %+v", c)
	}
}

// A service may become one of datagrams, and of streams again, on the port that it has.
func TestServiceChangesKind(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	web := backend(t, func(c *net.TCPConn) { c.Write([]byte("hello")) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var settings *conf.Settings
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) { settings, v.Listen = s, address }, a)
	for range 3 {
		if got := askUDP(t, dialUDP(t, address), "q"); got != "a q" {
			t.Errorf("datagrams: got %q", got)
		}
		settings = settings.Clone()
		settings.Services[0].UDP, settings.Services[0].Servers = false, []conf.Server{web}
		eventually(t, "the port is free: the reactors close sockets in their own time", func() bool { return e.Publish(settings) == nil })
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		c.SetReadDeadline(time.Now().Add(patient))
		if c.Read(b); string(b) != "hello" {
			t.Errorf("streams: got %q", b)
		}
		c.Close()
		eventually(t, "no flow is left", func() bool { return len(e.Connections("default")) == 0 })
		settings = settings.Clone()
		settings.Services[0].UDP, settings.Services[0].Servers = true, []conf.Server{a.conf()}
		eventually(t, "the port is free: the reactors close sockets in their own time", func() bool { return e.Publish(settings) == nil })
	}
}

// Limits per client address count flows.
func TestUDPClientLimit(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) {
		v.Limit.Clients = 2
		v.Flow.Timeout = time.Hour
	}, a)
	one, two := udpClient(t, e), udpClient(t, e)
	askUDP(t, one, "q")
	askUDP(t, two, "q")
	udpClient(t, e).Write([]byte("q"))
	eventually(t, "the third is dropped", func() bool { return dropped(e, dropLimit) == 1 })
	e.CloseConnection(e.Connections("default")[0].Number)
	askUDP(t, udpClient(t, e), "q")
}

// Many clients and few flows, servers that come and go, and changes of the plan: nobody gets another one's answer.
func TestUDPStress(t *testing.T) {
	servers := []*udpServer{
		newUDPServer(t, "a", "udp", "127.0.0.1:0"), newUDPServer(t, "b", "udp", "127.0.0.1:0"), newUDPServer(t, "c", "udp", "127.0.0.1:0"),
	}
	var settings *conf.Settings
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		settings = s
		s.Limits.Reactors, s.Limits.Connections = 3, 100 // so that flows are evicted all the time
		v.Balance.RoundRobin, v.Timeout.Blacklist, v.Flow.Responses = true, 0, 2
	}, servers...)
	const clients, questions = 16, 200
	done := make(chan error, clients)
	for id := range clients {
		go func() { done <- stressClient(e.Listening("default"), id, questions) }()
	}
	for i, left := 0, clients; left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			left--
		default:
			settings = settings.Clone()
			settings.Services[0].Servers[i%3].Max = i % 2 * 1000
			if err := e.Publish(settings); err != nil {
				t.Fatal(err)
			}
			e.Blacklist("default", i%3, time.Duration(i%2)*time.Millisecond)
			i++
		}
	}
}

// stressClient asks, now and then from another port, and fails if an answer is not to a question of its own.
func stressClient(address string, id, questions int) error {
	var c net.Conn
	answered := 0
	b := make([]byte, 100)
	for i := range questions {
		if i%7 == 0 {
			if c != nil {
				c.Close()
			}
			var err error
			if c, err = net.Dial("udp", address); err != nil {
				return err
			}
		}
		fmt.Fprintf(c, "client %d question %d", id, i)
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := c.Read(b)
		if err != nil {
			continue // lost, as datagrams may be
		}
		answered++
		if want := fmt.Sprintf(" client %d ", id); !strings.Contains(string(b[:n]), want) {
			return fmt.Errorf("client %d got %q", id, b[:n])
		}
	}
	c.Close()
	if answered < questions/4 {
		return fmt.Errorf("client %d got %d answers to %d questions", id, answered, questions)
	}
	return nil
}
