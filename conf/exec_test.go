package conf

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// running is the Runtime of a program with three connections. It notes what it is told to do.
type running struct{ did []string }

func (r *running) Servers(string) []ServerStatus {
	return []ServerStatus{
		{Address: "192.0.2.1", Port: 80, Connections: 2, Sent: 10, Received: 20, Failed: 1700000000, Blacklisted: true, Health: "down", Reason: "refused", Share: 50},
		{Address: "/run/app", Port: 1},
	}
}

func (r *running) Clients(_ string, within time.Duration) []ClientStatus {
	list := []ClientStatus{{Address: "198.51.100.1", Age: 5 * time.Second, Server: 1, Connects: 3, Sent: 100, Received: 200}}
	if within >= time.Minute {
		list = append(list, ClientStatus{Address: "2001:db8::1", Age: time.Minute, Server: -1, Connects: 1})
	}
	return list
}

func (r *running) Connections(string) []ConnectionStatus {
	c, _ := r.Connection(1)
	return []ConnectionStatus{c}
}

func (r *running) Connection(n int) (ConnectionStatus, bool) {
	return ConnectionStatus{
		Number: n, State: 2, DownFD: 8, UpFD: 9, PendingDown: 3, PendingUp: 4, Client: "198.51.100.1", ClientIndex: 7, Server: 1,
	}, n == 1
}

func (r *running) ConnectionsMax() int { return 3000 }
func (r *running) Owner(fd int) int {
	if fd == 8 || fd == 9 {
		return 1
	}
	return -1
}
func (r *running) Idlers(string) int { return 4 }
func (r *running) Certificates(string) []CertificateStatus {
	return []CertificateStatus{
		{File: "/etc/pen/a b.pem", Names: []string{"www.example", "example"}, Kind: "ECDSA", Issuer: "CN=CA", Expires: then, Chain: 2, Stapled: true, Until: then},
		{File: "b.pem", Names: []string{"*.example"}, Kind: "RSA", Issuer: "CN=CA", Expires: then, Chain: 1},
	}
}
func (r *running) Datagrams(string) DatagramStatus {
	return DatagramStatus{
		Flows:       FlowStatus{Active: 2, Begun: 9, Moved: 1, Evicted: 3},
		FromClients: Traffic{20, 1000}, ToServers: Traffic{19, 990}, FromServers: Traffic{18, 2000}, ToClients: Traffic{17, 1990},
		Dropped: []Drop{{"denied", 1}, {"kernel", 5}},
	}
}
func (r *running) Blacklist(service string, n int, d time.Duration) {
	r.did = append(r.did, fmt.Sprintf("blacklist %s %d %s", service, n, d))
}
func (r *running) CloseConnection(n int) { r.did = append(r.did, fmt.Sprintf("close %d", n)) }
func (r *running) StatusPage(service string, w io.Writer) error {
	_, err := fmt.Fprintf(w, "<html>%s\n", service)
	return err
}
func (r *running) Exit(d time.Duration) { r.did = append(r.did, fmt.Sprintf("exit %s", d)) }

// equal compares settings, or parts of them.
func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// reply executes one line on s and returns the answer that a client of the control socket gets.
func reply(t *testing.T, s *Settings, rt Runtime, line string) string {
	t.Helper()
	var b bytes.Buffer
	if err := NewDraft(s, rt).Exec(line, &b); err != nil {
		return err.Error() + "\n"
	}
	return b.String()
}

// settings returns the defaults after some lines at start.
func settings(t *testing.T, lines ...string) *Settings {
	t.Helper()
	d := NewDraft(Default(), Offline{})
	for _, line := range lines {
		if err := d.Exec(line, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	return d.Settings()
}

// TestReplies compares with what the C pen answers, to the byte.
func TestReplies(t *testing.T) {
	start := []string{
		"listen 127.0.0.1:8080", "control 127.0.0.1:8888",
		"server 0 address www1 port 80 max 10 hard 12 weight 3 prio 4", "server 1 address /run/app", "server 2 max 5",
	}
	tests := []struct{ line, want string }{
		{"", ""},
		{"   ", ""},
		{"# any", ""},
		{" #any", ""},
		{"blacklist", "30\n"},
		{"blacklist 7", "7\n"},
		{"  blacklist \t 7  ", "7\n"},
		{"blacklist 7\r\ntimeout 9", "7\n"},
		{"timeout", "3\n"},
		{"timeout 9", "9\n"},
		{"tracking", "0\n"},
		{"tracking 77", "77\n"},
		{"debug", "0\n"},
		{"debug 2", "2\n"},
		{"client_acl", "0\n"},
		{"client_acl 9", "9\n"},
		{"client_acl 10", "0\n"},
		{"client_acl -1", "0\n"},
		{"control_acl 3", "3\n"},
		{"control_acl 99", "0\n"},
		{"clients_max", "65536\n"},
		{"clients_max 100", "65536\n"},
		{"clients_max 70000", "70000\n"},
		{"conn_max", "3000\n"},
		{"conn_max 10", "3000\n"},
		{"conn_max 4000", "4000\n"},
		{"idle_timeout", "Idle timeout: 0 seconds\n"},
		{"idle_timeout 5", "Idle timeout: 5 seconds\n"},
		{"idle_timeout -1", "Idle timeout: 0 seconds\n"},
		{"idlers", "Idlers: 4/0\n"},
		{"idlers 6", "Idlers: 4/6\n"},
		{"control", "127.0.0.1:8888\n"},
		{"metrics", ""},
		{"metrics 9100", "9100\n"},
		{"no metrics", ""},
		{"status_admin '/etc/a token'", "/etc/a token\n"},
		{"services", "default 127.0.0.1:8080\n"},
		{"listen", "127.0.0.1:8080\n"},
		{"listen [::1]:99", "[::1]:99\n"},
		{"log", ""},
		{"log /var/log/pen log", "log: expected log [FILE|HOST:PORT]\n"},
		{"log '/var/log/pen log'", "/var/log/pen log\n"},
		{"log logger:10000", "logger:10000\n"},
		{"no log", ""},
		{"web_stats", ""},
		{"web_stats /tmp/x", "/tmp/x\n"},
		{"pid", fmt.Sprintf("%d\n", os.Getpid())},
		{"mode", "no hash no roundrobin no stubborn no weight no prio\n"},
		{"servers", "0 addr 192.0.2.1 port 80 conn 2 max 10 hard 12 weight 3 prio 4 sx 10 rx 20\n" +
			"1 addr /run/app port 1 conn 0 max 0 hard 0 weight 0 prio 0 sx 0 rx 0\n" +
			"2 addr 0.0.0.0 port 0 conn 0 max 5 hard 0 weight 0 prio 0 sx 0 rx 0\n"},
		{"recent 10", "198.51.100.1 connects 3 sx 100 rx 200\n"},
		{"recent", "198.51.100.1 connects 3 sx 100 rx 200\n2001:db8::1 connects 1 sx 0 rx 0\n"},
		{"connection", "Connection 0:\nstate = 0\ndownfd = -1, upfd = -1\nclient = 0, server = 0\npend = 0\n"},
		{"connection 1", "Connection 1:\nstate = 2\ndownfd = 8, upfd = 9\nclient = 7, server = 1\npend = 0\n"},
		{"connection -1", "Connection -1 out of range\n"},
		{"connection 3000", "Connection 3000 out of range\n"},
		{"close", "Forcibly closing connection 0\n"},
		{"close 2", "Forcibly closing connection 2\n"},
		{"close 3000", "Connection 3000 out of range\n"},
		{"socket", "Socket 0 belongs to connection -1\n"},
		{"socket 8", "Socket 8 belongs to connection 1\n"},
		{"status", "Unable to create webstats\n"},
		{"exit", "Exit is not enabled; restart with -X flag\n"},
		{"tcp_fastclose", "do_cmd: ignoring tcp_fastclose without argument\n"},
		{"tarpit_acl", "tarpit_acl = -1"},
		{"bogus", "do_cmd: ignoring command starting with 'bogus'\nthe command help lists all commands\n"},
		{"Hash", "do_cmd: ignoring command starting with 'Hash'\ndid you mean 'hash'?\n"},
		{"acl 1 permit 10.0.0.0 255.0.0.0", ""},
		{"no acl 1", ""},
		{"server 0 max 5", ""},
		{"server 0 blacklist 5", ""},
		{"pending_max 5", ""},
		{"ascii", ""},
		{"no ascii", ""},
		{"block", ""},
		{"no block", ""},
		{"epoll", ""},
		{"tcp_fastclose both", ""},
		{"no http", ""},
		{"no transparent", ""},
		{"no udp", ""},
		{"udp", ""},
		{"certificates x", "certificates: expected json, not 'x'\n"},
		{"certificates", "/etc/pen/a b.pem names www.example,example kind ECDSA chain 2 expires 2026-11-23T01:02:03Z stapled yes\n" +
			"b.pem names *.example kind RSA chain 1 expires 2026-11-23T01:02:03Z stapled no\n"},
		{"certificates json", `[{"file":"/etc/pen/a b.pem","names":["www.example","example"],"kind":"ECDSA","issuer":"CN=CA","expires":"2026-11-23T01:02:03Z","chain":2,"stapled":true,"until":"2026-11-23T01:02:03Z"},` +
			`{"file":"b.pem","names":["*.example"],"kind":"RSA","issuer":"CN=CA","expires":"2026-11-23T01:02:03Z","chain":1,"stapled":false}]` + "\n"},
		{"datagrams x", "datagrams: expected json, not 'x'\n"},
		{"udp_timeout", "60\n"},
		{"udp_timeout 0", "0\n"},
		{"udp_responses", "0\n"},
		{"udp_responses 1", "1\n"},
		{"datagrams", "flows active 2 begun 9 moved 1 evicted 3\nfrom clients 20 bytes 1000\nto servers 19 bytes 990\n" +
			"from servers 18 bytes 2000\nto clients 17 bytes 1990\ndropped denied 1\ndropped kernel 5\n"},
		{"datagrams json", `{"flows":{"active":2,"begun":9,"moved":1,"evicted":3},"from_clients":{"datagrams":20,"bytes":1000},` +
			`"to_servers":{"datagrams":19,"bytes":990},"from_servers":{"datagrams":18,"bytes":2000},"to_clients":{"datagrams":17,"bytes":1990},` +
			`"dropped":[{"why":"denied","datagrams":1},{"why":"kernel","datagrams":5}]}` + "\n"},
		{"source 127.0.0.1", ""},
	}
	s := settings(t, start...)
	for _, tt := range tests {
		if got := reply(t, s, &running{}, tt.line); got != tt.want {
			t.Errorf("%q:\ngot  %q\nwant %q", tt.line, got, tt.want)
		}
	}
}

// TestErrors checks that a wrong command is told what was expected, and changes nothing.
func TestErrors(t *testing.T) {
	tests := []struct{ line, want string }{
		{"timeout x", "timeout: expected seconds from 1 to 2147483647, not 'x'"},
		{"timeout 0", "timeout: expected seconds from 1 to 2147483647, not '0'"},
		{"timeout 1.5", "timeout: expected seconds from 1 to 2147483647, not '1.5'"},
		{"timeout 1 2", "timeout: expected timeout [SECONDS]"},
		{"tracking -1", "tracking: expected seconds from 0 to 2147483647, not '-1'"},
		{"blacklist 99999999999999999999", "blacklist: expected seconds from 0 to 2147483647, not '99999999999999999999'"},
		{"pending_max 0", "pending_max: expected a number of connections from 1 to 16777216, not '0'"},
		{"hash on", "hash: expected hash"},
		{"no", "no: expected a command to turn off"},
		{"no timeout", "no timeout: timeout cannot be turned off; expected timeout [SECONDS]"},
		{"no bogus", "no bogus: unknown command 'bogus'; the command help lists all commands"},
		{"no acl", "acl: expected no acl N"},
		{"acl", "acl: expected acl N permit|deny ADDRESS[/LENGTH]|country [MASK|XX]"},
		{"acl 10 permit 1.2.3.4", "acl: expected the number of an access list from 0 to 9, not '10'"},
		{"acl 1 allow 1.2.3.4", "acl: expected permit or deny, not 'allow'"},
		{"acl 1 permit 1.2.3", "acl: expected an IP address or country, not '1.2.3'"},
		{"acl 1 permit 1.2.3.4 24", "acl: expected a mask like 255.255.255.0, not '24'"},
		{"acl 1 permit ::1/129", "acl: expected the length of a prefix from 0 to 128, not '129'"},
		{"acl 1 permit ::1 ::2", "acl: expected nothing after an IPv6 address, not '::2'"},
		{"acl 1 permit country", "acl: expected the two letters of a country after country"},
		{"acl 1 permit country Sweden", "acl: expected the two letters of a country, not 'Sweden'"},
		{"server", "server: expected server N acl|address|port|max|hard|blacklist|weight|prio|proxy_protocol|tls|probe|ready|drain|maint [VALUE] ..."},
		{"server x max 1", "server: expected the number of a server from 0 to 65535, not 'x'"},
		{"server 2000000000 max 1", "server: expected the number of a server from 0 to 65535, not '2000000000'"},
		{"server 0 max 1 hard", "server: expected a value after 'hard'"},
		{"server 0 max 1 colour red", "server: expected acl, address, port, max, hard, blacklist, weight, prio, proxy_protocol, tls, probe, ready, drain or maint, not 'colour'"},
		{"server 0 max -1", "server: expected max, a number of connections, from 0 to 2147483647, not '-1'"},
		{"server 0 port 65536", "server: a port is a number from 0 to 65535 or the name of a tcp service, not '65536'"},
		{"server 0 address a:b", "server: expected an address: 'a:b' is neither a name nor an IP address"},
		{"listen 127.0.0.1:", "listen: expected [host:]port or a path to listen on, not '127.0.0.1:': a port is a number from 0 to 65535 or the name of a tcp service, not ''"},
		{"agent 0", "agent: expected the port of the agents from 1 to 65535, not '0'"},
		{"all_down ajar", "all_down: expected closed or open, not 'ajar'"},
		{"on_down flee", "on_down: expected keep or close, not 'flee'"},
		{"probe ping", "probe: expected a probe by tcp, tls, http, smtp, dns, udp or exec, not 'ping'"},
		{"probe http", "probe: expected PATH after http"},
		{"probe http x", "probe: expected a path that begins with / and has no blanks, not 'x'"},
		{"probe http / expect", "probe: expected a value after 'expect'"},
		{"probe dns a..b", "probe: expected the name of a host, not 'a..b'"},
		{"probe udp 0f0", "probe: expected pairs of hexadecimal digits, not '0f0'"},
		{"probe exec true", "probe: a probe by exec is not possible on the control socket, only at start or in a file"},
		{"probe tcp expect x", "probe: expect goes with http only"},
		{"probe tcp host x", "probe: host goes with http and tls only"},
		{"probe tcp interval 0.05", "probe: expected interval, the time between two probes, in seconds from 0.1 to 86400, not '0.05'"},
		{"probe tcp timeout 1e3", "probe: expected timeout, the time for a probe, in seconds from 0.01 to 3600, not '1e3'"},
		{"probe tcp rise 0", "probe: expected rise, a number of good answers, from 1 to 1000, not '0'"},
		{"probe tcp colour red", "probe: expected expect, host, interval, timeout, rise, fall or port, not 'colour'"},
		{"server 0 probe", "server: expected a probe, none or default after 'probe'"},
		{"server 0 drain probe exec true", "server: a probe by exec is not possible on the control socket, only at start or in a file"},
		{"client_rate 5", "client_rate: expected N/SECONDS with seconds from 1 to 2147483647, not ''"},
		{"client_rate x/5", "client_rate: expected N/SECONDS with a number of connections from 1 to 2147483647, not 'x'"},
		{"limit_action reject 5", "limit_action: expected reject or tarpit [SECONDS], not 'reject 5'"},
		{"queue 0", "queue: expected a number of clients from 1 to 16777216, not '0'"},
		{"queue 5 for 3", "queue: expected timeout SECONDS, not 'for 3'"},
		{"queue 5 timeout x", "queue: expected the time of a queue in seconds from 0.001 to 86400, not 'x'"},
		{"proxy_protocol on", "proxy_protocol: expected accept and the number of an access list with the peers to trust, not 'on'"},
		{"proxy_protocol accept 10", "proxy_protocol: expected the number of an access list from 0 to 9, not '10'"},
		{"server 0 proxy_protocol v3", "server: expected proxy_protocol v1, v2 or none, not 'v3'"},
		{"route name x server 1", "route: expected sni, alpn or default, not 'name'"},
		{"route sni", "route: expected a name after sni"},
		{"route sni a*b server 1", "route: expected the name of a host or *.DOMAIN, not 'a*b'"},
		{"route sni a.example 1", "route: expected the word server and numbers of servers, not '1'"},
		{"route sni a.example server", "route: expected the word server and numbers of servers, not 'server'"},
		{"route default server x", "route: expected the number of a server from 0 to 65535, not 'x'"},
		{"no route default x", "route: expected no more than the name of a route, not 'x'"},
		{"source BAD", "unable to set source address to 'BAD'"},
		{"tcp_fastclose left", "tcp_fastclose: expected up, down, both or off, not 'left'"},
		{"access_log f xml", "access_log: expected json or text, not 'xml'"},
		{"metrics 127.0.0.1:", "metrics: expected [host:]port or a path to listen on, not '127.0.0.1:': a port is a number from 0 to 65535 or the name of a tcp service, not ''"},
		{"metrics ''", "metrics: expected [[HOST:]PORT], not an empty word; no metrics unsets it"},
		{"status_admin ''", "status_admin: expected [FILE], not an empty word; no status_admin unsets it"},
		{"services xml", "services: expected json, not 'xml'"},
		{"mode xml", "mode: expected json, not 'xml'"},
		{"recent 5 xml", "recent: expected json, not 'xml'"},
		{"dsr_if eth0", "dsr_if: not available in this version of pen"},
		{"ssl_cert ''", "ssl_cert: expected the name of a file, not an empty word"},
		{"ssl_cert a a", "ssl_cert: expected 'a' once"},
		{"ssl_alpn " + strings.Repeat("x", 256), "ssl_alpn: expected the name of a protocol, like h2 or http/1.1, not '" + strings.Repeat("x", 60) + "...'"},
		{"ssl_ciphers HIGH:FOO", "ssl_ciphers: unknown cipher 'FOO'; there are " + cipherNames()},
		{"ssl_ciphers aNULL", "ssl_ciphers: no cipher is left of 'aNULL'; there are " + cipherNames()},
		{"ssl_protocol tls2", "ssl_protocol: protocol version tls2 not known; expected tls1.2 or tls1.3"},
		{"ssl_verify yes", "ssl_verify: expected none, optional, required, not 'yes'"},
		{"ssl_client_renegotiation_interval x", "ssl_client_renegotiation_interval: expected seconds from 0 to 2147483647, not 'x'"},
		{"no ssl_option no_tlsv1", "ssl_option: expected no_tlsv1.2 or no_tlsv1.3, not 'no_tlsv1'"},
		{"server 0 tls verify", "server: expected a value after 'verify'"},
		{"server 0 tls verify ''", "server: expected a file with certificates of CAs after verify"},
		{"server 0 tls sni a/b", "server: expected the name of a host after sni, not 'a/b'"},
		{"server 0 verify x", "server: expected acl, address, port, max, hard, blacklist, weight, prio, proxy_protocol, tls, probe, ready, drain or maint, not 'verify'"},
		{"tarpit_acl 3", "tarpit_acl: not available in this version of pen"},
		{"user pen", "user: not possible on the control socket, only at start or in a file"},
		{"control 9", "control: not possible on the control socket, only at start or in a file"},
		{"service", "service: expected service NAME [COMMAND...]"},
		{"service web hash", "service: expected the name of a service, not 'web'; service web makes one"},
		{"service default service web", "service: expected a command for the service default, not another service"},
		{"service a/b", "service: expected a name of at most 64 letters, digits, '-', '_' and '.', not 'a/b'"},
		{"no service default", "service: the service default cannot be removed; no listen closes its port"},
		{"no service web", "service: expected the name of a service, not 'web'"},
		{"write", "write: expected a file, since the program was started without option -F"},
		{"log 'x", "log 'x: expected a closing ' at the end of the value"},
		{"log 'x'y", "log 'x'y: expected a blank after the closing '"},
		{"log ''", "log: expected [FILE|HOST:PORT], not an empty word; no log unsets it"},
		{"log logger:", "log: expected a file or HOST:PORT, not 'logger:'; a file with a colon needs its full path"},
		{"help me", "help: unknown command 'me'; the command help lists all commands"},
		{"help tracing", "help: unknown command 'tracing'; did you mean 'tracking'?"},
		{strings.Repeat("x", MaxLine+1), "expected a line of at most 65536 bytes, not 65537"},
		{"timeout " + strings.Repeat("x", 100), "timeout: expected seconds from 1 to 2147483647, not '" + strings.Repeat("x", 60) + "...'"},
	}
	for _, tt := range tests {
		s := settings(t, "server 0 address www1 port 80 max 10")
		d := NewDraft(s, &running{})
		var b bytes.Buffer
		err := d.Exec(tt.line, &b)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.80q:\ngot  %v\nwant %s", tt.line, err, tt.want)
		}
		if d.Changed() || b.Len() > 0 {
			t.Errorf("%.80q: failed, but changed the settings or replied %q", tt.line, b.String())
		}
	}
}

func TestPostponedActions(t *testing.T) {
	s := settings(t, "exit_enabled", "drain 9", "service web")
	rt := &running{}
	d := NewDraft(s, rt)
	for _, line := range []string{"server 1 blacklist 7", "service web server 0 blacklist 0", "close 2", "close 9999", "exit"} {
		if err := d.Exec(line, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if len(rt.did) > 0 {
		t.Errorf("done before Finish: %q", rt.did)
	}
	d.Finish(rt)
	want := []string{"blacklist default 1 7s", "blacklist web 0 0s", "close 2", "exit 9s"}
	if !equal(rt.did, want) {
		t.Errorf("done by Finish:\ngot  %q\nwant %q", rt.did, want)
	}
}

func TestChanged(t *testing.T) {
	s := settings(t, "server 0 address www1", "server 1 address www2", "acl 1 permit 10.0.0.0")
	tests := []struct {
		line string
		want bool
	}{
		{"timeout", false},
		{"timeout 3", false},
		{"timeout 4", true},
		{"server 0 blacklist 5", false},
		{"server 2 blacklist 5", true},
		{"server 0 address www1", false},
		{"no acl 1", true},
		{"no acl 2", false},
		{"service web", true},
		{"service default", false},
		{"mode", false},
	}
	for _, tt := range tests {
		before := s.Clone()
		d := NewDraft(s, &running{})
		if err := d.Exec(tt.line, io.Discard); err != nil {
			t.Error(err)
		}
		if got := d.Changed(); got != tt.want {
			t.Errorf("%s: Changed() = %t, want %t", tt.line, got, tt.want)
		}
		if !equal(s, before) {
			t.Errorf("%s changed the settings that the draft was made from", tt.line)
		}
	}
}

func TestServices(t *testing.T) {
	d := NewDraft(Default(), Offline{})
	for _, line := range []string{
		"service web", "hash", "listen 8080", "service mail", "listen 25", "service web prio", "server 0 address m port 25",
		"service default", "weight", "no service web",
	} {
		if err := d.Exec(line, io.Discard); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	want := Default()
	want.Services[0].Balance.Weight = true
	mail := NewService("mail")
	mail.Listen, mail.Servers = "25", []Server{{Address: "m", Port: 25}}
	want.Services = append(want.Services, mail)
	if got := d.Settings(); !equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", dump(got), dump(want))
	}
}

// TestSizesAtStart checks that a table takes the size that is said until there is one, and then only grows.
func TestSizesAtStart(t *testing.T) {
	s := settings(t, "clients_max 100", "conn_max 50")
	if s.Limits.Clients != 100 || s.Limits.Connections != 50 {
		t.Errorf("got %d clients, %d connections, want 100, 50", s.Limits.Clients, s.Limits.Connections)
	}
	if got := reply(t, s, &running{}, "conn_max 40"); got != "50\n" {
		t.Errorf("conn_max 40: got %q, want 50", got)
	}
}

func TestStatusWritesTheFile(t *testing.T) {
	s := Default()
	s.WebStats = filepath.Join(t.TempDir(), "stats.html")
	if got, want := reply(t, s, &running{}, "status"), "<html>default\n"; got != want {
		t.Errorf("status: got %q, want %q", got, want)
	}
	if got, err := os.ReadFile(s.WebStats); err != nil || string(got) != "<html>default\n" {
		t.Errorf("file: got %q, %v", got, err)
	}
	s.WebStats = filepath.Join(t.TempDir(), "none", "stats.html")
	if got, want := reply(t, s, &running{}, "status"), "Unable to create webstats\n"; got != want {
		t.Errorf("status: got %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	s := settings(t, "hash", "server 0 address www1 port 80 max 10 acl 2", "server 1 address /run/app drain")
	tests := []struct{ line, want string }{
		{"services json", `[{"service":"default","listen":"","udp":false,"servers":2}]`},
		{"mode json", `{"hash":true,"roundrobin":false,"stubborn":false,"weight":false,"prio":false,"least_connections":false,"two_choices":false,"maglev":false}`},
		{"servers json", `[{"server":0,"address":"192.0.2.1","port":80,"connections":2,"max":10,"hard":0,"weight":0,"prio":0,"acl":2,` +
			`"sent":10,"received":20,"failed":1700000000,"blacklisted":true,"health":"down","reason":"refused","share":50,"admin":"ready"},{"server":1,"address":"/run/app","port":1,"connections":0,` +
			`"max":0,"hard":0,"weight":0,"prio":0,"acl":0,"sent":0,"received":0,"failed":0,"blacklisted":false,"health":"","reason":"","share":0,"admin":"drain"}]`},
		{"recent 10 json", `[{"address":"198.51.100.1","age":5,"server":1,"connects":3,"sent":100,"received":200}]`},
		{"connection 1 json", `{"connection":1,"state":2,"downfd":8,"upfd":9,"pending_down":3,"pending_up":4,"client":"198.51.100.1","server":1}`},
		{"connection json", `{"connection":0,"state":0,"downfd":-1,"upfd":-1,"pending_down":0,"pending_up":0,"client":"","server":0}`},
		{"connection 3000 json", `Connection 3000 out of range`},
	}
	for _, tt := range tests {
		if got := reply(t, s, &running{}, tt.line); got != tt.want+"\n" {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.line, got, tt.want)
		}
	}
	status := reply(t, s, &running{}, "status json")
	for _, part := range []string{
		`{"service":"default","time":"20`, `"servers":[{"server":0,`, `"clients_max":65536,"clients":[{"address":"198.51.100.1",`,
		`{"address":"2001:db8::1",`, `"conn_max":3000,"connections":[{"connection":1,`,
	} {
		if !strings.Contains(status, part) {
			t.Errorf("status json lacks %s:\n%s", part, status)
		}
	}
	if got := reply(t, Default(), Offline{}, "servers json"); got != "[]\n" {
		t.Errorf("servers json without servers: got %q, want []", got)
	}
}
