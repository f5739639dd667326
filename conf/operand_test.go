package conf

import (
	"io"
	"strings"
	"testing"
)

func TestParseServer(t *testing.T) {
	tests := []struct {
		operand string
		want    Server
		wrong   string // a part of the error, if there is to be one
	}{
		{"www1", Server{Address: "www1", Port: 80}, ""},
		{"www1:8000", Server{Address: "www1", Port: 8000}, ""},
		{"www1:8000:1:2:3:4", Server{Address: "www1", Port: 8000, Max: 1, Hard: 2, Weight: 3, Prio: 4}, ""},
		{"www1::1", Server{Address: "www1", Port: 80, Max: 1}, ""},
		{"www1:0", Server{Address: "www1"}, ""},
		{"www1:https", Server{Address: "www1", Port: 443}, ""},
		{"192.0.2.1:81:5", Server{Address: "192.0.2.1", Port: 81, Max: 5}, ""},
		{"0.0.0.0:81", Server{Port: 81}, ""},
		{"[::1]:81:5", Server{Address: "::1", Port: 81, Max: 5}, ""},
		{"[::1]", Server{Address: "::1", Port: 80}, ""},
		{"::1", Server{Address: "::1", Port: 80}, ""},
		{"[fe80::1%eth0]:1", Server{Address: "fe80::1%eth0", Port: 1}, ""},
		{"/run/app", Server{Address: "/run/app"}, ""},
		{"/run/app:3:4", Server{Address: "/run/app", Max: 4}, ""},
		{"", Server{}, "the host is empty"},
		{":80", Server{}, "the host is empty"},
		{"www1:x y", Server{}, "a port is a number from 0 to 65535 or the name of a tcp service, not 'x y'"},
		{"www1:no-such-service", Server{}, "not 'no-such-service'"},
		{"www1:-1", Server{}, "not '-1'"},
		{"www1:80:x", Server{}, "max is a number from 0 to 2147483647, not 'x'"},
		{"www1:80:1:2:3:-4", Server{}, "prio is a number"},
		{"www1:1:2:3:4:5:6", Server{}, "6 numbers where 5 are expected"},
		{"2001:db8::1:80:1:2:3:4:5:6", Server{}, "an IPv6 address needs [ ]"},
		{"[::1", Server{}, "[ ] must hold an IPv6 address"},
		{"[::1]80", Server{}, "[ ] must hold an IPv6 address"},
		{"[www1]:80", Server{}, "[ ] must hold an IPv6 address"},
		{"www 1:80", Server{}, "'www 1' is neither a name nor an IP address"},
		{"/run/a\nb", Server{}, "a path has no line ends"},
	}
	for _, tt := range tests {
		got, err := ParseServer(tt.operand, 80, "tcp")
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%q: got %+v, error %v, want %q", tt.operand, got, err, tt.wrong)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.operand, got, err, tt.want)
		}
	}
}

func TestParseListen(t *testing.T) {
	tests := []struct {
		address string
		want    Listener
		wrong   string
	}{
		{"80", Listener{Port: 80}, ""},
		{":80", Listener{Port: 80}, ""},
		{"http", Listener{Port: 80}, ""},
		{"127.0.0.1:80", Listener{Host: "127.0.0.1", Port: 80}, ""},
		{"localhost:http", Listener{Host: "localhost", Port: 80}, ""},
		{"::1:80", Listener{Host: "::1", Port: 80}, ""},
		{":::80", Listener{Host: "::", Port: 80}, ""},
		{"[::1]:80", Listener{Host: "::1", Port: 80}, ""},
		{"/run/pen", Listener{Path: "/run/pen"}, ""},
		{"./pen", Listener{Path: "./pen"}, ""},
		{"", Listener{}, "not ''"},
		{"65536", Listener{}, "not '65536'"},
		{"localhost:", Listener{}, "a port is"},
		{"a:b:80", Listener{}, "'a:b' is neither a name nor an IP address"},
		{"[a]:80", Listener{}, "[ ] must hold an IPv6 address"},
		{"[::1:80", Listener{}, "[ ] must hold an IPv6 address"},
	}
	for _, tt := range tests {
		got, err := ParseListen(tt.address, "tcp")
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%q: got %+v, error %v, want %q", tt.address, got, err, tt.wrong)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.address, got, err, tt.want)
		}
	}
}

func TestLogAddress(t *testing.T) {
	tests := []struct {
		target, host string
		port         int
		is           bool
	}{
		{"/var/log/pen:80", "", 0, false},
		{"pen.log", "", 0, false},
		{"logger:10000", "logger", 10000, true},
		{"[::1]:10000", "::1", 10000, true},
		{"::1:10000", "::1", 10000, true},
		{"logger:", "", 0, true},
		{":80", "", 0, true},
	}
	for _, tt := range tests {
		host, port, is := LogAddress(tt.target)
		if host != tt.host || port != tt.port || is != tt.is {
			t.Errorf("%q: got %q, %d, %t, want %q, %d, %t", tt.target, host, port, is, tt.host, tt.port, tt.is)
		}
	}
}

// TestOperandsYield checks that what commands say wins over operands, whichever come first.
func TestOperandsYield(t *testing.T) {
	commands := []string{"server 0 max 7 port 0", "server 2 address /run/app", "server 3 address www9", "server 1 drain probe none", "listen 99"}
	operands := []string{"8080", "www1:80:1:2", "www2", "www3:80:5"}
	want := Service{
		Name: "default", Listen: "99", Timeout: NewService("").Timeout, Flow: NewService("").Flow, HTTP: NewService("").HTTP,
		Servers: []Server{{Address: "www1", Port: 0, Max: 7, Hard: 2}, {Address: "www2", Port: 8080, Admin: Drain, Probe: Probe{Kind: NoProbe}}, {Address: "/run/app", Max: 5}, {Address: "www9"}},
	}
	for _, first := range []bool{true, false} {
		d := NewDraft(Default(), Offline{})
		if first {
			if err := d.Operands(operands); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range commands {
			if err := d.Exec(line, io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if !first {
			if err := d.Operands(operands); err != nil {
				t.Fatal(err)
			}
		}
		if got := *d.Settings().Services[0]; !equal(got, want) {
			t.Errorf("operands first = %t:\ngot  %+v\nwant %+v", first, got, want)
		}
	}
}

func TestOperands(t *testing.T) {
	tests := []struct {
		name     string
		operands []string
		wrong    string
	}{
		{"none", nil, ""},
		{"listener alone", []string{"80"}, ""},
		{"servers", []string{"80", "a", "b"}, ""},
		{"bad listener", []string{"x:", "a"}, "to listen on"},
		{"bad server", []string{"80", "a", "b:x y"}, "host:port:max:hard:weight:prio"},
		{"server without port behind a path", []string{"/run/pen", "a"}, "a server needs a port since pen listens on a path"},
		{"too many", append([]string{"80"}, make([]string, MaxServers+1)...), "at most 65536 servers, not 65537"},
	}
	for _, tt := range tests {
		d := NewDraft(Default(), Offline{})
		err := d.Operands(tt.operands)
		if tt.wrong == "" {
			if v := d.Settings().Services[0]; err != nil || len(tt.operands) > 0 && len(v.Servers) != len(tt.operands)-1 {
				t.Errorf("%s: got %+v, %v", tt.name, v, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.wrong)
		}
		if d.Changed() {
			t.Errorf("%s: wrong operands changed the settings", tt.name)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t ", nil},
		{"#a b", nil},
		{"a #b", []string{"a", "#b"}},
		{" a\tb  c ", []string{"a", "b", "c"}},
		{"log 'a b'", []string{"log", "a b"}},
		{"log 'it''s'", []string{"log", "it's"}},
		{"log it's", []string{"log", "it's"}},
		{"log ''", []string{"log", ""}},
		{"log '''' x", []string{"log", "'", "x"}},
	}
	for _, tt := range tests {
		got, err := Split(tt.line)
		if err != nil || !equal(got, tt.want) {
			t.Errorf("Split(%q) = %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
	for _, line := range []string{"'", "a '", "a 'b", "a 'b'c", "a 'b''"} {
		if got, err := Split(line); err == nil {
			t.Errorf("Split(%q) = %q, want an error", line, got)
		}
	}
}
