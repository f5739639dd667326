package engine

import (
	"bytes"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pen/conf"
	"pen/poller"
)

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
