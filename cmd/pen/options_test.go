package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// shown returns the lines of the settings that differ from the defaults.
func shown(t *testing.T, s *conf.Settings) string {
	t.Helper()
	var lines []string
	add := func(s string) { lines = append(lines, s) }
	def := conf.Default()
	v, w := s.Services[0], def.Services[0]
	if s.Process.Debug > 0 {
		add("debug " + strings.Repeat("d", s.Process.Debug))
	}
	for _, b := range []struct {
		name    string
		is, was bool
	}{
		{"foreground", s.Process.Foreground, def.Process.Foreground},
		{"exit", s.Process.ExitEnabled, def.Process.ExitEnabled},
		{"ascii", s.Process.ASCII, def.Process.ASCII},
		{"roundrobin", v.Balance.RoundRobin, w.Balance.RoundRobin},
		{"hash", v.Balance.Hash, w.Balance.Hash},
		{"weight", v.Balance.Weight, w.Balance.Weight},
		{"stubborn", v.Balance.Stubborn, w.Balance.Stubborn},
		{"least_connections", v.Balance.LeastConnections, w.Balance.LeastConnections},
		{"two_choices", v.Balance.TwoChoices, w.Balance.TwoChoices},
		{"maglev", v.Balance.Maglev, w.Balance.Maglev},
	} {
		if b.is != b.was {
			add(b.name)
		}
	}
	for _, x := range []struct{ name, is string }{
		{"user", s.Process.User}, {"chroot", s.Process.Chroot}, {"pid", s.Process.PidFile},
		{"file", s.Process.ConfigFile}, {"control", s.Control.Listen}, {"stats", s.WebStats},
		{"poller", s.Limits.Poller}, {"emergency", v.Emergency}, {"abuse", v.Abuse}, {"listen", v.Listen}, {"log", v.Log},
	} {
		if x.is != "" {
			add(x.name + " " + x.is)
		}
	}
	for _, x := range []struct {
		name    string
		is, was any
	}{
		{"clients", s.Limits.Clients, def.Limits.Clients},
		{"conns", s.Limits.Connections, def.Limits.Connections},
		{"accept", s.Limits.MultiAccept, def.Limits.MultiAccept},
		{"queue", s.Limits.Backlog, def.Limits.Backlog},
		{"timeout", v.Timeout.Connect, w.Timeout.Connect},
		{"blacklist", v.Timeout.Blacklist, w.Timeout.Blacklist},
		{"tracking", v.Timeout.Tracking, w.Timeout.Tracking},
	} {
		if x.is != x.was {
			add(x.name + " " + fmt.Sprint(x.is))
		}
	}
	for _, server := range v.Servers {
		add("server " + fmt.Sprint(struct {
			string
			port, max, hard, weight, prio, acl int
		}{server.Address, server.Port, server.Max, server.Hard, server.Weight, server.Prio, server.ACL}))
	}
	return strings.Join(lines, "; ")
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, args string // args are separated by blanks, _ is a blank inside of one
		want       string
	}{
		{"operands", "8080 h1:80 h2", "listen 8080; server {h1 80 0 0 0 0 0}; server {h2 8080 0 0 0 0 0}"},
		{"cluster", "-fXr 1", "foreground; exit; roundrobin; listen 1"},
		{"hash is no help", "-h 1", "hash; listen 1"},
		{"cluster with value", "-frb7 1", "foreground; roundrobin; listen 1; blacklist 7s"},
		{"attached value", "-b7 -t4 1", "listen 1; timeout 4s; blacklist 7s"},
		{"apart", "-b 7 1", "listen 1; blacklist 7s"},
		{"mixed", "1 -f h1:2 -r", "foreground; roundrobin; listen 1; server {h1 2 0 0 0 0 0}"},
		{"end of options", "-f -- 1 h1:2", "foreground; listen 1; server {h1 2 0 0 0 0 0}"},
		{"repeated", "-ddd 1", "debug ddd; listen 1"},
		{"repeated apart", "-d -f -d 1", "debug dd; foreground; listen 1"},
		{"long", "--foreground --blacklist=7 --timeout 4 1", "foreground; listen 1; timeout 4s; blacklist 7s"},
		{"algorithms", "--least-connections --two-choices --maglev 1", "least_connections; two_choices; maglev; listen 1"},
		{"letters", "-aWsP 1", "ascii; weight; stubborn; poller poll; listen 1"},
		{"names", "-u nobody -j /jail -p /pid -C 88 -w /stats 1", "user nobody; chroot /jail; pid /pid; control 88; stats /stats; listen 1"},
		{"servers of last resort", "-e h9:9 -B h8:8 1", "emergency h9:9; abuse h8:8; listen 1"},
		{"tables", "-c 10 -x 20 -m 3 -q 60 -T 9 1", "listen 1; clients 10; conns 20; accept 3; queue 60; tracking 9s"},
		{"bumped", "-m 0 -q 1 1", "listen 1; accept 1; queue 50"},
		{"command", "-O tracking_9 -o no_hash -O hash 1", "hash; listen 1; tracking 9s"},
		{"in order", "-b 7 -O blacklist_8 1", "listen 1; blacklist 8s"},
		{"in order, other way", "-O blacklist_8 -b 7 1", "listen 1; blacklist 7s"},
		{"command wins over operand", "-O server_0_port_99 1 h1:2", "listen 1; server {h1 99 0 0 0 0 0}"},
		{"commands alone", "-O listen_1 -O server_0_address_h1_port_2", "listen 1; server {h1 2 0 0 0 0 0}"},
		{"all of a server", "1 h1:2:3:4:5:6", "listen 1; server {h1 2 3 4 5 6 0}"},
		{"obsolete", "-DQn -S 9 1", "listen 1"},
		{"path", "/tmp/s /tmp/t", "listen /tmp/s; server {/tmp/t 0 0 0 0 0 0}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var replies, notes bytes.Buffer
			c, err := parse(split(tt.args), &replies, &notes)
			if err != nil {
				t.Fatalf("got the error %v, want %s", err, tt.want)
			}
			if got := shown(t, c.draft.Settings()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The names of commands are names of options, too.
func TestOptionsByTheNamesOfCommands(t *testing.T) {
	c, err := parse([]string{"--least_connections", "--multi_accept=3", "1"}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shown(t, c.draft.Settings()), "least_connections; listen 1; accept 3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// With -E and -K given again there are several certificates.
func TestOptionsOfTLS(t *testing.T) {
	c, err := parse(split("-K a.key -E a.pem 1 h:2 -RE b.pem -G ca.pem -A cas -L tls1.3 -K b.key"), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := conf.TLS{
		Certs: []string{"a.pem", "b.pem"}, Keys: []string{"a.key", "b.key"},
		Client:  conf.ClientTLS{CAFile: "ca.pem", CADir: "cas", Verify: conf.VerifyRequired},
		Version: conf.TLSVersions{Only13: true},
	}
	if got := c.draft.Settings().Services[0].TLS; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func split(args string) []string {
	list := strings.Fields(args)
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], "_", " ")
	}
	return list
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		want       []string // words of the message
	}{
		{"unknown letter", "-z 1", []string{"unknown option -z", "--help"}},
		{"unknown letter in a cluster", "-fz 1", []string{"unknown option -z"}},
		{"unknown name", "--zebra 1", []string{"unknown option --zebra"}},
		{"no value", "-b", []string{"-b: expected a value: SEC"}},
		{"no value, long", "--blacklist", []string{"--blacklist: expected a value: SEC"}},
		{"value not wanted", "--hash=yes 1", []string{"-h: expected no value"}},
		{"not a number", "-b x 1", []string{"-b: ", "blacklist", "'x'"}},
		{"below the least", "-t 0 1", []string{"-t: ", "timeout"}},
		{"bad command", "-O trakcing_9 1", []string{"-O: ", "trakcing", "tracking"}},
		{"bad operand", "1 h1:x", []string{"h1:x", "host:port:max:hard:weight:prio"}},
		{"bad listener", "x:y:z h1:2", []string{"x:y:z"}},
		{"TLS version", "-L tls9 1", []string{"-L: ", "protocol version tls9 not known"}},
		{"a certificate twice", "-E a -E a 1", []string{"-E: ", "expected 'a' once"}},
		{"Windows", "-i pen", []string{"-i: for Windows only"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			if got, want := run(split(tt.args), &out, &complaints), exitUsage; got != want {
				t.Errorf("got the exit status %d, want %d", got, want)
			}
			got := complaints.String()
			if !strings.HasPrefix(got, "pen: ") {
				t.Errorf("got %q, want it to start with \"pen: \"", got)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %q, want %q in it", got, want)
				}
			}
			if out.Len() > 0 {
				t.Errorf("got %q on standard output, want nothing", out.String())
			}
		})
	}
}

func TestNotices(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-m 0 1", "multi_accept bumped to 1\n"},
		{"-q 1 1", "listen_queue bumped to 50\n"},
		{"-D 1", "pen: option -D is obsolete: data is never held back\n"},
		{"-S 5 1", "pen: option -S is obsolete: the table of servers is as long as it has to be\n"},
		{"-Z 1", "pen: option -Z is obsolete: TLS needs no workarounds for the defects of others\n"},
		{"-L ssl3 1", "ssl_protocol: notice: ssl3 is not safe and not spoken: the least version is TLS 1.2\n"},
		{"-L ssl23 1", ""},
		{"-b 7 1", ""},
		{"-F /does/not/exist 1", "Can't read config file '/does/not/exist'\n"},
	} {
		var replies, notes bytes.Buffer
		if _, err := parse(split(tt.args), &replies, &notes); err != nil {
			t.Errorf("%s: got the error %v", tt.args, err)
		}
		if got := notes.String(); got != tt.want {
			t.Errorf("%s: got the notice %q, want %q", tt.args, got, tt.want)
		}
		if replies.Len() > 0 {
			t.Errorf("%s: got the reply %q, want none", tt.args, replies.String())
		}
	}
}

func TestReplies(t *testing.T) {
	var replies, notes bytes.Buffer
	file := write(t, "blacklist 8\nmode\n")
	if _, err := parse([]string{"-O", "tracking 77", "-F", file, "-o", "blacklist", "1"}, &replies, &notes); err != nil {
		t.Fatal(err)
	}
	want := "77\n30\n8\nno hash no roundrobin no stubborn no weight no prio\n"
	if got := replies.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnswers(t *testing.T) {
	good, bad := write(t, "listen 127.0.0.1:8080\nserver 0 address 127.0.0.1 port 80\n"), write(t, "hash\ntracking x\n\nlisten 0.0.0.0:99999\n")
	unknown := write(t, "source 999.1.1.1\n")
	for _, tt := range []struct {
		name    string
		args    []string
		status  int
		out     string // how standard output starts
		problem string // what standard error holds
	}{
		{"nothing to do", nil, exitDone, "usage:\n", ""},
		{"no operand", []string{"-f", "-b", "7"}, exitDone, "usage:\n", ""},
		{"help", []string{"--help"}, exitDone, "usage:\n", ""},
		{"version", []string{"--version"}, exitDone, "pen ", ""},
		{"check", []string{"--check", "-F", good}, exitDone, "", ""},
		{"check, wrong lines", []string{"--check", "-F", bad}, exitFailed, "", bad + ":2: tracking"},
		{"check, all wrong lines", []string{"--check", "-F", bad}, exitFailed, "", bad + ":4: listen"},
		{"check, bad value", []string{"--check", "-F", unknown}, exitFailed, "", unknown + ":1: source"},
		{"check without a file", []string{"--check", "-F", "/does/not/exist"}, exitFailed, "", "/does/not/exist"},
		{"wrong file", []string{"-f", "-F", bad, "127.0.0.1:0"}, exitFailed, "", bad + ":2: tracking"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, problems bytes.Buffer
			if got := run(tt.args, &out, &problems); got != tt.status {
				t.Errorf("got the exit status %d, want %d", got, tt.status)
			}
			if got := out.String(); !strings.HasPrefix(got, tt.out) || tt.out == "" && got != "" {
				t.Errorf("got %.100q on standard output, want %q first", got, tt.out)
			}
			if got := problems.String(); !strings.Contains(got, tt.problem) || tt.problem == "" && got != "" {
				t.Errorf("got %q on standard error, want %q in it", got, tt.problem)
			}
		})
	}
}

// write makes a file.
func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pen.conf")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestUsageNamesEveryOption(t *testing.T) {
	seen, text := map[string]bool{}, usage()
	for _, o := range options {
		if seen[o.letter] && o.letter != "" || seen[o.name] {
			t.Errorf("got a second option -%s, --%s", o.letter, o.name)
		}
		seen[o.letter], seen[o.name] = true, true
		want := "--" + o.name
		if o.letter != "" {
			want = "-" + o.letter + ", " + want
		}
		if o.value != "" {
			want += " "
		}
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in the usage text", want)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 112 {
			t.Errorf("got a line of %d characters, want at most 112: %s", len(line), line)
		}
	}
}

// TestUsageHasTheDefaults compares what is in brackets with the settings.
func TestUsageHasTheDefaults(t *testing.T) {
	defaults := "\n" + string(conf.Format(conf.Default(), "", time.Now()))
	for _, o := range options {
		_, value, found := strings.Cut(strings.TrimSuffix(o.help, "]"), "[")
		if found && strings.Contains(defaults, "\n"+o.command+" "+value+"\n") {
			continue
		}
		if _, err := strconv.Atoi(value); !found || err != nil { // a text, if there is no such line
			if strings.Contains(defaults, "\n"+o.command+" ") && o.value != "" {
				t.Errorf("--%s: got no default in its help", o.name)
			}
			continue
		}
		if want := "\n" + o.command + " " + value + "\n"; !strings.Contains(defaults, want) {
			t.Errorf("--%s: got the default %s, which is not that of the command %s", o.name, value, o.command)
		}
	}
}

// Whatever the arguments are, the answer is settings or an error. Options that read or write files are left out.
func FuzzParse(f *testing.F) {
	for _, args := range []string{"", "-fXr 1", "-b7\n-t\n4\n[::1]:80\nh1:2:3:4:5:6", "-O\nserver 0 acl 9\n1", "--\n-x", "-b", "-=", "--=", "-", "---", "-h=\x00", "--hash=x\n1\n/s"} {
		f.Add(args)
	}
	f.Fuzz(func(t *testing.T, args string) {
		for _, command := range []string{"F", "config", "write", "include", "check"} {
			if strings.Contains(args, command) {
				t.Skip()
			}
		}
		c, err := parse(strings.Split(args, "\n"), io.Discard, io.Discard)
		if err == nil && c.draft.Settings() == nil {
			t.Error("got neither settings nor an error")
		}
		if err != nil && err.Error() == "" {
			t.Error("got an error without a word")
		}
	})
}
