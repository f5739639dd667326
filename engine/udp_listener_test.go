package engine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// A service of streams and one of datagrams share a port number, as a name server wants it.
func TestStreamsAndDatagramsOnOnePort(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	web := backend(t, func(c *net.TCPConn) { c.Write([]byte("hello")) })
	address := freeAddress(t).String()
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

// A service may become one of datagrams, and of streams again, on the port that it has.
func TestServiceChangesKind(t *testing.T) {
	a := newUDPServer(t, "a", "udp", "127.0.0.1:0")
	web := backend(t, func(c *net.TCPConn) { c.Write([]byte("hello")) })
	address := freeAddress(t).String()
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
