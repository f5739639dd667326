package engine

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

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
