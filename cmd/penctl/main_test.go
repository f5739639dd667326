package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pen/cmd/version"
)

// answer serves one control connection on l: it sends the command it was given to the channel and then the replies.
func answer(l net.Listener, replies ...string) <-chan string {
	commands := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		command, _ := bufio.NewReader(conn).ReadString('\n')
		commands <- command
		for _, reply := range replies {
			io.WriteString(conn, reply)
		}
	}()
	return commands
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestCommandAndReply(t *testing.T) {
	long := strings.Repeat("line\n", 50_000)
	tests := []struct {
		name, network, listen string
		address               func(net.Listener) string
		words                 []string
		replies               []string
		command               string
	}{
		{"one word", "tcp4", "127.0.0.1:0", tcp, []string{"mode"}, []string{"no hash\n"}, "mode\n"},
		{"words", "tcp4", "127.0.0.1:0", tcp, []string{"server", "0", "weight", "-1"}, nil, "server 0 weight -1\n"},
		{"options behind the address", "tcp4", "127.0.0.1:0", tcp, []string{"-t", "--help"}, nil, "-t --help\n"},
		{"blanks stay", "tcp4", "127.0.0.1:0", tcp, []string{"log a  b", "", "c"}, nil, "log a  b  c\n"},
		{"reply without newline", "tcp4", "127.0.0.1:0", tcp, []string{"x"}, []string{"tarpit_acl = -1"}, "x\n"},
		{"long reply", "tcp4", "127.0.0.1:0", tcp, []string{"status"}, []string{long, "end", long}, "status\n"},
		{"IPv6 in brackets", "tcp6", "[::1]:0", tcp, []string{"pid"}, []string{"1\n"}, "pid\n"},
		{"IPv6 without brackets", "tcp6", "[::1]:0", func(l net.Listener) string { return strings.NewReplacer("[", "", "]", "").Replace(tcp(l)) }, []string{"pid"}, []string{"1\n"}, "pid\n"},
		{"no host", "tcp", ":0", func(l net.Listener) string { return tcp(l)[strings.LastIndex(tcp(l), ":"):] }, []string{"pid"}, []string{"1\n"}, "pid\n"},
		{"unix socket", "unix", filepath.Join(t.TempDir(), "control"), tcp, []string{"pid"}, []string{"1\n"}, "pid\n"},
		{"longest command", "tcp4", "127.0.0.1:0", tcp, []string{strings.Repeat("x", 1022)}, nil, strings.Repeat("x", 1022) + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, tt.network, tt.listen)
			commands := answer(l, tt.replies...)
			var stdout, stderr bytes.Buffer
			status := run(append([]string{tt.address(l)}, tt.words...), &stdout, &stderr)
			if status != 0 || stderr.Len() > 0 {
				t.Fatalf("got status %d, %q on stderr, want 0 and nothing", status, &stderr)
			}
			if got := <-commands; got != tt.command {
				t.Errorf("command: got %q, want %q", got, tt.command)
			}
			if got, want := stdout.String(), strings.Join(tt.replies, ""); got != want {
				t.Errorf("reply: got %d bytes %.100q, want %d bytes %.100q", len(got), got, len(want), want)
			}
		})
	}
}

func tcp(l net.Listener) string { return l.Addr().String() }

func TestOptionsAndErrors(t *testing.T) {
	closed := listen(t, "tcp4", "127.0.0.1:0")
	closed.Close()
	silent := listen(t, "tcp4", "127.0.0.1:0") // its backlog accepts, nobody answers
	missing := filepath.Join(t.TempDir(), "missing")
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr []string // what it must contain
	}{
		{"no arguments", nil, 0, usage, nil},
		{"no command", []string{"127.0.0.1:1"}, 0, usage, nil},
		{"help", []string{"-h"}, 0, usage, nil},
		{"long help", []string{"--help", "x", "y"}, 0, usage, nil},
		{"version", []string{"--version"}, 0, version.Line("penctl"), nil},
		{"unknown option", []string{"-q", "x", "y"}, 1, "", []string{"penctl:", "'q'"}},
		{"no port", []string{"localhost", "pid"}, 1, "", []string{"penctl: no port given", `"localhost"`}},
		{"empty port", []string{"localhost:", "pid"}, 1, "", []string{"no port given", `"localhost:"`}},
		{"refused", []string{tcp(closed), "pid"}, 1, "", []string{"penctl: error connecting to server", tcp(closed)}},
		{"no such socket", []string{missing, "pid"}, 1, "", []string{"error connecting to server", missing}},
		{"too long", []string{"x:1", strings.Repeat("x", 1000), strings.Repeat("y", 22)}, 1, "", []string{"Overlong argument list", "of 1023 bytes"}},
		{"two lines", []string{"x:1", "pid\nexit"}, 1, "", []string{"line break"}},
		{"no answer", []string{"--timeout", "50ms", tcp(silent), "pid"}, 1, "", []string{"read the reply", tcp(silent), "timeout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(tt.args, &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout {
				t.Errorf("got status %d, stdout %q, want %d, %q", status, &stdout, tt.status, tt.stdout)
			}
			for _, want := range tt.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr: got %q, want a text with %q", &stderr, want)
				}
			}
			if tt.stderr == nil && stderr.Len() > 0 {
				t.Errorf("stderr: got %q, want nothing", &stderr)
			}
		})
	}
}

// TestSameAsC sends the same commands with the C penctl, if there is one.
func TestSameAsC(t *testing.T) {
	const theirs = "/usr/bin/penctl"
	if out, err := exec.Command(theirs).Output(); err != nil || string(out) != "usage: penctl host:port command\n" {
		t.Skipf("%s is not the C program: %v, %q", theirs, err, out)
	}
	for _, words := range [][]string{{"mode"}, {"acl", "0", "permit", "10.0.0.0"}, {"a  b", "", " c"}, {"# x"}} {
		l := listen(t, "tcp4", "127.0.0.1:0")
		args := append([]string{tcp(l)}, words...)

		commands := answer(l, "reply\nof two lines")
		want, err := exec.CommandContext(t.Context(), theirs, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		wantCommand := <-commands

		commands = answer(l, "reply\nof two lines")
		var got, stderr bytes.Buffer
		if status := run(args, &got, &stderr); status != 0 {
			t.Fatalf("%q: got status %d, %s", words, status, &stderr)
		}
		if gotCommand := <-commands; gotCommand != wantCommand || got.String() != string(want) {
			t.Errorf("%q: got command %q, reply %q, want %q, %q", words, gotCommand, &got, wantCommand, want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"", ":", ":80", "a:80", "::1:80", "[::1]:80", "/run/x", "[]:1", "]:[", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		network, address, err := parseAddress(s)
		switch {
		case err != nil:
			return
		case network == "unix":
			if address != s {
				t.Errorf("%q: got path %q", s, address)
			}
		case !strings.HasSuffix(address, s[strings.LastIndexByte(s, ':'):]):
			t.Errorf("%q: got %q, want the same port", s, address)
		}
	})
}

func TestTimeoutIsPerStep(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	conn := patientConn{client, time.Hour}
	go io.WriteString(server, "x")
	if n, err := conn.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1 and no error", n, err)
	}
	conn.patience = -1
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("got no error after the time was over")
	}
}
