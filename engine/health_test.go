package engine

import (
	"io"
	"net"
	"testing"
	"time"

	"pen/conf"
)

// on_down close ends the sessions of a server that goes down, keep does not.
func TestOnDown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		close bool
		want  string
	}{{"keep", false, "0"}, {"close", true, "closed"}} {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				s.Limits.Reactors = 2
				v.Servers = []conf.Server{named(t, "0"), named(t, "1")}
				v.Servers[1].Admin = conf.Maint
				v.Health.CloseDown = tt.close
			})
			c := dial(t, e)
			answer(t, c)
			e.SetStandings("default", map[int32]Standing{e.Targets("default")[0].ID: {Down, false, 100}})
			if tt.close {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("the connection is open")
				}
			} else if got := answer(t, c); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := visit(t, e, "127.0.0.2"); got != "closed" {
				t.Errorf("a new client got %q, want to be closed", got)
			}
		})
	}
}

// A server that was down and one that the settings have just got keep and get their standing.
func TestStandingSurvivesPublish(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "0"), named(t, "1")} })
	id := e.Targets("default")[1].ID
	e.SetStandings("default", map[int32]Standing{id: {Down, false, 100}})
	s := e.plan.Load().settings.Clone()
	v := s.Services[0]
	v.Servers = []conf.Server{v.Servers[1], v.Servers[0]}
	if err := e.Publish(s); err != nil {
		t.Fatal(err)
	}
	if got := e.Targets("default")[0].ID; got != id {
		t.Errorf("the server has the id %d now, want %d", got, id)
	}
	got := e.Servers("default")
	if got[0].Health != "down" || got[1].Health != "" {
		t.Errorf("got %q and %q, want down and unprobed", got[0].Health, got[1].Health)
	}
	for range 3 {
		if got := visit(t, e, "127.0.0.1"); got != "0" {
			t.Errorf("got server %q, want 0", got)
		}
	}
}

// A server that was down when it left the table is not down for ever.
func TestStandingOfAServerThatReturns(t *testing.T) {
	e := start(t, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "0")} })
	with := e.plan.Load().settings
	id := e.Targets("default")[0].ID
	e.SetStandings("default", map[int32]Standing{id: {Down, false, 100}})
	without := with.Clone()
	without.Services[0].Servers = nil
	publish := func(s *conf.Settings) {
		if err := e.Publish(s); err != nil {
			t.Fatal(err)
		}
	}
	publish(without)
	e.SetStandings("default", map[int32]Standing{id: {Unprobed, false, 100}})
	publish(with)
	if got := visit(t, e, "127.0.0.1"); got != "0" {
		t.Errorf("got %q, want server 0", got)
	}
}

// Failures in a row are told, and an answer ends the row.
func TestObserve(t *testing.T) {
	early := func(c *net.TCPConn) {}
	good := func(c *net.TCPConn) { io.Copy(c, c) }
	tests := []struct {
		name    string
		observe int
		servers []func(*net.TCPConn) // one for each client; nil refuses
		want    bool
	}{
		{"not asked for", 0, []func(*net.TCPConn){early, early, early}, false},
		{"too few", 3, []func(*net.TCPConn){early, early}, false},
		{"early ends", 3, []func(*net.TCPConn){early, early, early}, true},
		{"an answer between", 3, []func(*net.TCPConn){early, early, good, early}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next := make(chan func(*net.TCPConn), len(tt.servers))
			for _, f := range tt.servers {
				next <- f
			}
			e := start(t, func(s *conf.Settings, v *conf.Service) {
				s.Limits.Reactors = 1
				v.Health.Observe = tt.observe
				v.Servers = []conf.Server{backend(t, func(c *net.TCPConn) { (<-next)(c) })}
			})
			for range tt.servers {
				visit(t, e, "127.0.0.1")
			}
			e.Queued("default")
			select {
			case got := <-e.Troubles():
				if !tt.want || got.Service != "default" || got.Server != e.Targets("default")[0].ID {
					t.Errorf("got %+v, want any: %v", got, tt.want)
				}
			default:
				if tt.want {
					t.Error("no trouble told")
				}
			}
		})
	}
	t.Run("connects", func(t *testing.T) {
		e := start(t, func(s *conf.Settings, v *conf.Service) {
			v.Health.Observe = 2
			v.Timeout.Blacklist = 0
			v.Servers = []conf.Server{refusing(t)}
		})
		visit(t, e, "127.0.0.1")
		visit(t, e, "127.0.0.1")
		select {
		case got := <-e.Troubles():
			if want := "connect: connection refused"; got.Why != want {
				t.Errorf("got %q, want %q", got.Why, want)
			}
		case <-time.After(patient):
			t.Error("no trouble told")
		}
	})
}
