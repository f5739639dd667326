package engine

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pen/conf"
)

// The server answers with more than the sockets can hold while the client is still sending, and closes: everything
// that it said must reach a client that reads late. (The C pen truncates it.)
func TestNothingIsTruncatedAtTheEnd(t *testing.T) {
	const size = 3 << 20
	reply := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	tests := []struct {
		name   string
		server func(*net.TCPConn)
		client func(*net.TCPConn) // before it reads
	}{
		{"client half-closes, then server closes", func(c *net.TCPConn) {
			io.Copy(io.Discard, c)
			c.Write(reply)
		}, func(c *net.TCPConn) {
			c.Write([]byte("question"))
			c.CloseWrite()
		}},
		{"server closes without reading", func(c *net.TCPConn) {
			c.Write(reply)
			c.CloseWrite()
		}, func(*net.TCPConn) {}},
		{"server closes while the client still sends", func(c *net.TCPConn) {
			c.Write(reply)
			c.CloseWrite()
			io.CopyN(io.Discard, c, 1<<20)
		}, func(c *net.TCPConn) {
			go c.Write(make([]byte, 1<<20))
		}},
		{"both close at once", func(c *net.TCPConn) {
			c.Write(reply)
		}, func(c *net.TCPConn) { c.CloseWrite() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{backend(t, tt.server)} })
			c := dial(t, e)
			tt.client(c)
			eventually(t, "the server's side is established or over", func() bool { return e.Servers("default")[0].Received > 0 })
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, reply) {
				t.Errorf("got %d bytes, %v, want %d", len(got), err, len(reply))
			}
		})
	}
}

// A server that is reset while the last of its bytes have not been read is noticed behind these bytes, of which the poller
// tells only once.
func TestResetBehindBytes(t *testing.T) {
	accepted, closed := make(chan struct{}), make(chan struct{})
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 1
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
			c.Read(make([]byte, 1))
			close(accepted)
			<-closed
			io.WriteString(c, "the last words")
			c.SetLinger(0)
			c.Close()
			closed <- struct{}{}
		})}
	})
	c := dial(t, e)
	io.WriteString(c, "x")
	<-accepted
	e.reactors[0].Post(func() { // it sees both at once
		closed <- struct{}{}
		<-closed
	})
	if b, err := io.ReadAll(c); string(b) != "the last words" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// An upload after the server has half-closed must arrive whole. (The C pen truncates it.)
func TestUploadAfterTheServersHalfClose(t *testing.T) {
	const size = 3 << 20
	got := make(chan int, 1)
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) {
			c.CloseWrite()
			n, _ := io.Copy(io.Discard, c)
			got <- int(n)
		})}
	})
	c := dial(t, e)
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Fatalf("got %q, %v, want the server's end", b, err)
	}
	c.Write(make([]byte, size))
	c.Close()
	if n := <-got; n != size {
		t.Errorf("the server got %d bytes, want %d", n, size)
	}
}

func TestServerSpeaksFirst(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) { io.WriteString(c, "220 ready\r\n"); io.Copy(io.Discard, c) })}
	})
	b := make([]byte, 64)
	if n, err := dial(t, e).Read(b); string(b[:n]) != "220 ready\r\n" {
		t.Errorf("got %q, %v", b[:n], err)
	}
}

func TestFastClose(t *testing.T) {
	tests := []struct {
		mode   conf.FastClose
		first  string // who ends its stream
		closed bool   // the other side is closed at once
	}{
		{conf.FastCloseOff, "server", false}, {conf.FastCloseOff, "client", false},
		{conf.FastCloseUp, "server", true}, {conf.FastCloseUp, "client", false},
		{conf.FastCloseDown, "server", false}, {conf.FastCloseDown, "client", true},
		{conf.FastCloseBoth, "server", true}, {conf.FastCloseBoth, "client", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("mode %d, %s first", tt.mode, tt.first), func(t *testing.T) {
			servers := make(chan *net.TCPConn, 1)
			over := make(chan struct{})
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				v.TCP.FastClose = tt.mode
				v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) { servers <- c; <-over })}
			})
			t.Cleanup(func() { close(over) })
			client := dial(t, e)
			server := <-servers
			first, other := server, client
			if tt.first == "client" {
				first, other = client, server
			}
			io.WriteString(first, "last words")
			first.CloseWrite()
			if b, err := io.ReadAll(other); string(b) != "last words" || err != nil {
				t.Fatalf("the other side got %q, %v", b, err)
			}
			if tt.closed {
				if tt.first == "server" {
					eventually(t, "the server's connection is over", func() bool { return e.Servers("default")[0].Connections == 0 })
				}
				return
			}
			io.WriteString(other, "answer")
			other.CloseWrite()
			first.SetDeadline(time.Now().Add(patient))
			if b, err := io.ReadAll(first); string(b) != "answer" || err != nil {
				t.Errorf("after a half-close got %q, %v, want the answer", b, err)
			}
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Timeout.Idle = 50 * time.Millisecond
		v.Servers = []conf.Server{named(t, "0")}
	})
	c := dial(t, e)
	for range 3 {
		if got := answer(t, c); got != "0" {
			t.Fatalf("got %q while busy", got)
		}
	}
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Errorf("got %q, %v, want the end", b, err)
	}
}

// blackHole is the address of a server whose queue is full: a connect neither succeeds nor fails.
func blackHole(t *testing.T) conf.Server {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	syscall.Listen(fd, 0)
	sa, _ := syscall.Getsockname(fd)
	port := sa.(*syscall.SockaddrInet4).Port
	for range 2 { // one more than the backlog of 0 takes
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 100*time.Millisecond)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	return conf.Server{Address: "127.0.0.1", Port: port}
}

func TestConnectTimeoutMovesOn(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Timeout.Connect = 100 * time.Millisecond
		v.Servers = []conf.Server{named(t, "0"), blackHole(t)}
	})
	if got := visit(t, e, "127.0.0.1"); got != "0" {
		t.Errorf("got %s, want server 0", got)
	}
	if !e.Servers("default")[1].Blacklisted {
		t.Error("the silent server is not blacklisted")
	}
}

func TestEmergencyAndAbuse(t *testing.T) {
	deny := conf.ACL{{Addr: mustAddr("127.0.0.9"), Mask: mustAddr("255.255.255.255")}}
	operand := func(s conf.Server) string { return fmt.Sprintf("%s:%d", s.Address, s.Port) }
	tests := []struct {
		name, from, want string
		conf             func(*conf.Settings, *conf.Service)
	}{
		{"emergency", "127.0.0.1", "E", func(s *conf.Settings, v *conf.Service) {
			v.Servers, v.Emergency = []conf.Server{refusing(t), refusing(t)}, operand(named(t, "E"))
		}},
		{"none left", "127.0.0.1", "closed", func(s *conf.Settings, v *conf.Service) {
			v.Servers = []conf.Server{refusing(t)}
		}},
		{"denied", "127.0.0.9", "closed", func(s *conf.Settings, v *conf.Service) {
			v.Servers, v.Emergency, s.ACL[0] = []conf.Server{named(t, "0")}, operand(named(t, "E")), deny
		}},
		{"abuse", "127.0.0.9", "B", func(s *conf.Settings, v *conf.Service) {
			v.Servers, v.Abuse, s.ACL[0] = []conf.Server{named(t, "0")}, operand(named(t, "B")), deny
		}},
		{"not denied", "127.0.0.8", "0", func(s *conf.Settings, v *conf.Service) {
			v.Servers, v.Abuse, s.ACL[0] = []conf.Server{named(t, "0")}, operand(named(t, "B")), deny
		}},
		{"denied by the server's list", "127.0.0.9", "1", func(s *conf.Settings, v *conf.Service) {
			v.Servers = []conf.Server{named(t, "0"), named(t, "1"), named(t, "2")}
			v.Servers[2].ACL, v.Servers[0].ACL = 3, 3
			v.Balance.Prio = true
			s.ACL[3] = deny
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, tt.conf)
			if got := visit(t, e, tt.from); got != tt.want {
				t.Errorf("client %s got %s, want %s", tt.from, got, tt.want)
			}
		})
	}
}

// Limits hold over all reactors, and a place in them is given back exactly once.
func TestServerLimit(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Balance.RoundRobin = true
		v.Servers = []conf.Server{named(t, "0"), named(t, "1")}
		v.Servers[0].Max, v.Servers[1].Max = 3, 3
	})
	for round := range 3 {
		var open []net.Conn
		count := map[string]int{}
		for range 8 {
			c := dial(t, e)
			open = append(open, c)
			count[answer(t, c)]++
		}
		if count["0"] != 3 || count["1"] != 3 || count["closed"] != 2 {
			t.Errorf("round %d: got %v, want 3 for each server and 2 closed", round, count)
		}
		for _, c := range open {
			c.Close()
		}
		eventually(t, "all are gone", func() bool {
			s := e.Servers("default")
			return s[0].Connections == 0 && s[1].Connections == 0
		})
	}
}

// At the limit further clients wait, and are served when somebody leaves.
func TestConnectionLimit(t *testing.T) {
	for _, reactors := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d reactors", reactors), func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				s.Limits.Reactors, s.Limits.Connections = reactors, 2
				v.Servers = []conf.Server{named(t, "0")}
			})
			var open []net.Conn
			for range 2 {
				c := dial(t, e)
				answer(t, c)
				open = append(open, c)
			}
			var waiting sync.WaitGroup
			for range 6 {
				waiting.Go(func() {
					if got := visit(t, e, "127.0.0.1"); got != "0" {
						t.Errorf("a client that had to wait got %s", got)
					}
				})
			}
			open[0].Close()
			waiting.Wait()
		})
	}
}

func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	server, front := filepath.Join(dir, "server"), filepath.Join(dir, "front")
	l, err := net.Listen("unix", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	start(t, func(s *conf.Settings, v *conf.Service) {
		v.Listen, v.Servers = front, []conf.Server{{Address: server}}
		s.Limits.Reactors = 2
	})
	data := strings.Repeat("x", 1<<20)
	for range 20 {
		c, err := net.Dial("unix", front)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patient))
		go func() {
			io.WriteString(c, data)
			c.(*net.UnixConn).CloseWrite()
		}()
		if b, err := io.ReadAll(c); len(b) != len(data) || err != nil {
			t.Errorf("got %d bytes, %v, want %d", len(b), err, len(data))
		}
		c.Close()
	}
}

func TestPeekWaitsForTheClient(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.TCP.Peek, v.Servers = true, []conf.Server{named(t, "0")}
	})
	c := dial(t, e)
	eventually(t, "the client was accepted", func() bool { return len(e.Connections("default")) == 1 })
	if s := e.Connections("default")[0]; s.UpFD != -1 {
		t.Errorf("a server was contacted for a client that has said nothing: %+v", s)
	}
	if got := answer(t, c); got != "0" {
		t.Errorf("got %q", got)
	}
}

func TestDummy(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Dummy = true })
	c := dial(t, e)
	io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	b, err := io.ReadAll(c)
	if want := "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Type: text/html\r\n\r\nUlric was here."; string(b) != want || err != nil {
		t.Errorf("got %q, %v, want %q", b, err, want)
	}
}

func TestIdlers(t *testing.T) {
	accepted := make(chan *net.TCPConn, 100)
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors, v.Idlers = 2, 3
		v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) { accepted <- c; io.Copy(io.Discard, c) })}
	})
	eventually(t, "3 idlers", func() bool { return e.Idlers("default") == 3 })
	(<-accepted).Close()
	eventually(t, "a lost one is noticed", func() bool { return e.Idlers("default") == 2 })
	eventually(t, "and replaced", func() bool { return e.Idlers("default") == 3 })
	s := e.plan.Load().settings.Clone()
	s.Services[0].Idlers = 0
	if err := e.Publish(s); err != nil {
		t.Fatal(err)
	}
	eventually(t, "0 closes them", func() bool { return e.Idlers("default") == 0 })
}

func TestCloseConnection(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "0")} })
	c := dial(t, e)
	answer(t, c)
	list := e.Connections("default")
	if len(list) != 1 || list[0].Number != 0 || list[0].State != 2 || list[0].Server != 0 {
		t.Fatalf("got %+v, want connection 0, established, with server 0", list)
	}
	if n := e.Owner(list[0].UpFD); n != 0 {
		t.Errorf("socket %d belongs to connection %d, want 0", list[0].UpFD, n)
	}
	e.CloseConnection(7)
	e.CloseConnection(0)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if _, open := e.Connection(0); open {
		t.Error("connection 0 is still there")
	}
}

// Servers that come and go under load: whoever can be served is served.
func TestServersComeAndGo(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Timeout.Blacklist = 20 * time.Millisecond
		v.Servers = []conf.Server{named(t, "0"), refusing(t), named(t, "2"), refusing(t)}
	})
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			for range 20 {
				if got := visit(t, e, fmt.Sprintf("127.0.1.%d", i+1)); got != "0" && got != "2" {
					t.Errorf("got %s", got)
				}
			}
		})
	}
	clients.Wait()
}

// All of a burst of connections of a new client go to one server, on whichever reactors they are.
func TestBurstOfANewClient(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 4
		v.Servers = []conf.Server{named(t, "0"), named(t, "1"), named(t, "2")}
	})
	for round := range 10 {
		var burst sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for range 40 {
			burst.Go(func() {
				who := visit(t, e, fmt.Sprintf("127.0.2.%d", round+1))
				mu.Lock()
				got[who]++
				mu.Unlock()
			})
		}
		burst.Wait()
		if len(got) != 1 {
			t.Errorf("round %d: one client was split over servers %v", round, got)
		}
	}
}

// A change of settings reaches those who are connected already, and is in force when Publish returns.
func TestSettingsReachOpenConnections(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		s.Limits.Reactors = 2
		v.Servers = []conf.Server{refusing(t), named(t, "1")}
	})
	old := dial(t, e)
	answer(t, old)
	s := e.plan.Load().settings.Clone()
	s.Services[0].Timeout.Idle = 20 * time.Millisecond
	s.Services[0].Servers = s.Services[0].Servers[1:]
	if err := e.Publish(s); err != nil {
		t.Fatal(err)
	}
	if c := e.Connections("default"); len(c) == 1 && c[0].Server != 0 {
		t.Errorf("the connection is with server %d, want its new number 0", c[0].Server)
	}
	for name, c := range map[string]net.Conn{"old": old, "new": dial(t, e)} {
		if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
			t.Errorf("%s connection: got %q, %v, want its end by idle_timeout", name, b, err)
		}
	}
}
