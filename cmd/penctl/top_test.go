package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// control answers commands like a pen, in the order of replies.
func controlOf(t *testing.T, replies map[string]string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			line := make([]byte, 1024)
			n, _ := c.Read(line)
			io.WriteString(c, replies[strings.TrimSpace(string(line[:n]))])
			c.Close()
		}
	}()
	return ln.Addr().String()
}

const twoServers = `[{"server":0,"address":"192.0.2.1","port":80,"connections":3,"max":10,"sent":1500,"received":2000000,"admin":"ready"},
	{"server":1,"address":"2001:db8::1","port":80,"health":"down","reason":"tcp: connection refused","admin":"ready"},
	{"server":2,"address":"0.0.0.0","port":0}]`

func TestTopOnce(t *testing.T) {
	addr := controlOf(t, map[string]string{
		"services json":                `[{"service":"default","listen":"8080"},{"service":"mail","listen":"25"}]`,
		"service default servers json": twoServers,
		"service mail servers json":    `[{"server":0,"address":"/run/mail","port":1,"blacklisted":true,"admin":"ready"},{"server":1,"address":"192.0.2.9","port":25,"health":"down","reason":"a\u001b[2Jb","admin":"ready"}]`,
	})
	var out bytes.Buffer
	if err := top(addr, time.Minute, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"pen " + addr, "service default  8080",
		"   0 192.0.2.1:80             up                  3/10          -          -     1.5 kB     2.0 MB",
		"   1 [2001:db8::1]:80         down                   0          -          -        0 B        0 B  tcp: connection refused",
		"service mail  25",
		"   0 /run/mail                blacklisted            0          -          -        0 B        0 B  a connect failed",
		"   1 192.0.2.9:25             down                  0          -          -        0 B        0 B  a?[2Jb",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("got\n%s\nwant in it\n%s", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "0.0.0.0") {
		t.Errorf("got\n%s\nwant no unused place", out.String())
	}
}

func TestTopComplains(t *testing.T) {
	for _, tt := range []struct{ name, services, want string }{
		{"an old pen", "do_cmd: ignoring command starting with 'services'\n", "services json: do_cmd: ignoring"},
		{"a service that is gone", `[{"service":"x"}]`, "service x servers json: "},
	} {
		addr := controlOf(t, map[string]string{"services json": tt.services, "service x servers json": "service: expected the name"})
		err := top(addr, time.Minute, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got the error %v, want %q", tt.name, err, tt.want)
		}
	}
}

// state makes a sample of one server.
func state(at time.Time, s server) *sample {
	return &sample{at, []service{{Name: "default", Listen: "80", servers: []server{s}}}}
}

func TestTopRates(t *testing.T) {
	start := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	m := model{address: "a:1", last: state(start, server{Address: "h", Port: 1, Sent: 1000, Received: 1 << 40})}
	next, again := m.Update(looked{state(start.Add(2*time.Second), server{Address: "h", Port: 1, Sent: 5000, Received: 1<<40 + 6e6}), nil})
	if again == nil {
		t.Error("got no command after a look, want the next look")
	}
	if got := strings.Fields(next.(model).lines()[4]); strings.Join(got[4:8], " ") != "2.0 kB 3.0 MB" {
		t.Errorf("got %q, want 2.0 kB and 3.0 MB a second", got)
	}
	restarted, _ := next.Update(looked{state(start.Add(3*time.Second), server{Address: "h", Port: 1}), nil})
	if got := strings.Fields(restarted.(model).lines()[4]); got[4] != "-" {
		t.Errorf("got %q, want no rate after the counters began anew", got)
	}
	lost, again := restarted.Update(looked{nil, errors.New("refused")})
	if got := lost.(model).screen(); again == nil || !strings.Contains(got, "pen does not answer: refused") || !strings.Contains(got, "h:1") {
		t.Errorf("got\n%s\nwant the error and the last sample", got)
	}
}

func TestTopScreen(t *testing.T) {
	s := &sample{services: []service{{Name: "default"}}}
	for n := range 50 {
		s.services[0].servers = append(s.services[0].servers, server{Number: n, Address: "h", Port: n + 1})
	}
	var m tea.Model = model{address: "a:1", last: s}
	update := func(msg tea.Msg) { m, _ = m.Update(msg) }
	key := func(code rune) { update(tea.KeyPressMsg{Code: code}) }
	update(tea.WindowSizeMsg{Width: 30, Height: 10})
	check := func(what, first string) {
		t.Helper()
		lines := strings.Split(m.(model).screen(), "\n")
		if len(lines) != 10 {
			t.Errorf("%s: got %d lines, want 10", what, len(lines))
		}
		for _, line := range lines {
			if len([]rune(line)) > 30 {
				t.Errorf("%s: got a line of %d characters, want 30 at most: %q", what, len(line), line)
			}
		}
		if !strings.Contains(lines[1], first) {
			t.Errorf("%s: got the second line %q, want %q in it", what, lines[1], first)
		}
	}
	check("at the start", "")
	key(tea.KeyUp)
	check("not above the start", "")
	key(tea.KeyDown)
	check("down", "service default")
	key(tea.KeyPgDown)
	check("a page", "h:7")
	for range 20 {
		key(tea.KeyPgDown)
	}
	check("not below the end", "h:43")
	_, quit := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
	if quit == nil {
		t.Fatal("q: got no command, want the end")
	}
	if _, ok := quit().(tea.QuitMsg); !ok {
		t.Errorf("q: got %T, want the end", quit())
	}
}

// FuzzLines shows whatever claims to be the servers of a pen, in lines that a terminal cannot be harmed by.
func FuzzLines(f *testing.F) {
	f.Add([]byte(twoServers))
	f.Add([]byte(`[{"address":"/\u001b[2J","reason":"a\nb","health":"down","connections":-1,"max":1}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &sample{services: []service{{Name: "default"}}}
		if json.Unmarshal(text, &s.services[0].servers) != nil {
			return
		}
		for _, line := range (model{last: s, before: s, width: 40, height: 5}).lines() {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%s: got the line %q", text, line)
			}
		}
	})
}

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		in   float64
		want string
	}{{0, "0 B"}, {999, "999 B"}, {999.6, "1.0 kB"}, {9949, "9.9 kB"}, {9990, "10 kB"}, {2.5e9, "2.5 GB"}, {1e18, "1000 PB"}} {
		if got := size(tt.in); got != tt.want {
			t.Errorf("size(%g) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
