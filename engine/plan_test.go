package engine

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"pen/conf"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// A change that can't be made changes nothing; one that can keeps the connections that are open.
func TestPublish(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "0")} })
	old := e.Listening("default")
	c := dial(t, e)
	answer(t, c)

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	bad := []struct {
		name, want string
		change     func(*conf.Settings)
	}{
		{"a busy port", busy.Addr().String(), func(s *conf.Settings) { s.Services[0].Listen = busy.Addr().String() }},
		{"an address of somebody else", "192.0.2.1", func(s *conf.Settings) { s.Services[0].Listen = "192.0.2.1:80" }},
		{"an unknown server", "[no..such]", func(s *conf.Settings) {
			s.Services[0].Servers = append(s.Services[0].Servers, conf.Server{Address: "no..such", Port: 1})
		}},
		{"a bad source", "unable to set source address to 'no..such'", func(s *conf.Settings) { s.Services[0].TCP.Source = "no..such" }},
		{"other reactors", "reactors", func(s *conf.Settings) { s.Limits.Reactors = 77 }},
		{"a second service on a busy port", busy.Addr().String(), func(s *conf.Settings) {
			s.Services[0].Listen = "127.0.0.1:0" // would be opened first and must be closed again
			v := conf.NewService("second")
			v.Listen = busy.Addr().String()
			s.Services = append(s.Services, v)
		}},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			was := e.plan.Load()
			s := was.settings.Clone()
			tt.change(s)
			if err := e.Publish(s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
			if e.plan.Load() != was {
				t.Error("the plan has changed")
			}
			if got := visit(t, e, "127.0.0.1"); got != "0" {
				t.Errorf("a new client got %s", got)
			}
		})
	}

	t.Run("another port", func(t *testing.T) {
		s := e.plan.Load().settings.Clone()
		s.Services[0].Listen = "127.0.0.2:0"
		if err := e.Publish(s); err != nil {
			t.Fatal(err)
		}
		if now := e.Listening("default"); now == old || !strings.HasPrefix(now, "127.0.0.2:") {
			t.Errorf("listening on %s, was %s", now, old)
		}
		if got := answer(t, c); got != "0" {
			t.Errorf("the old connection got %s", got)
		}
		if got := visit(t, e, "127.0.0.1"); got != "0" {
			t.Errorf("a new client got %s", got)
		}
		eventually(t, "the old port is closed", func() bool {
			c, err := net.DialTimeout("tcp", old, patient)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	})
}

func TestServicesAreApart(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{named(t, "0")}
		w := conf.NewService("second")
		w.Listen, w.Servers = "127.0.0.1:0", []conf.Server{named(t, "second")}
		s.Services = append(s.Services, w)
	})
	if got := visit(t, e, "127.0.0.1"); got != "0" {
		t.Errorf("the default service answered %s", got)
	}
	c, err := net.Dial("tcp", e.Listening("second"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := answer(t, c); got != "second" {
		t.Errorf("the second service answered %s", got)
	}
	if n := len(e.Connections("second")); n != 1 {
		t.Errorf("the second service has %d connections, want 1", n)
	}
}

// A port that another program would share with us is refused.
func TestSharedPortIsBusy(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { s.Limits.Reactors = 2 })
	s := conf.Default()
	s.Services[0].Listen = e.Listening("default")
	if other, err := New(s); err == nil {
		other.Stop(0)
		t.Errorf("a second pen opened the port of the first")
	}
}
