package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the programs say where it is no reply: files, signals, datagrams, the standard output and error, the exit status.

// each runs f with one program after the other and returns what it returned. The programs are ended.
func (ar *arena) each(words string, f func(r *rival) string) (c, ours string) {
	ar.t.Helper()
	var got [len(sides)]string
	for side := range sides {
		r := ar.launch(side, words)
		got[side] = f(r)
		if status := r.finish(); status != 0 {
			ar.t.Errorf("%s: exit status %d: %s", sides[side], status, r.stderr.String())
		}
	}
	return got[reference], got[own]
}

// must sends command lines and fails the test if one cannot be sent.
func (ar *arena) must(r *rival, lines ...string) {
	ar.t.Helper()
	for _, line := range lines {
		if _, err := r.ask(ar.expand(line)); err != nil {
			ar.t.Fatalf("%s: %s: %v", sides[r.side], line, err)
		}
	}
}

// read returns the text of a file of the arena.
func (ar *arena) read(name string) string {
	ar.t.Helper()
	text, err := os.ReadFile(filepath.Join(ar.vars["DIR"], name))
	if err != nil {
		ar.t.Fatal(err)
	}
	return string(text)
}

// same fails the test at the first line that differs.
func same(t *testing.T, what, c, ours string) {
	t.Helper()
	want, got := strings.Split(c, "\n"), strings.Split(ours, "\n")
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w || i >= len(got) || i >= len(want) {
			t.Errorf("%s, line %d:\ngot  %q\nwant %q, as the C pen\nall of it:\n%s\nC pen:\n%s", what, i+1, g, w, ours, c)
			return
		}
	}
}

// TestDifferentialWrite compares written files: ours begins with the lines of the C pen.
func TestDifferentialWrite(t *testing.T) {
	ar := newArena(t)
	tests := []struct {
		name, start string
		commands    []string
	}{
		{"plain", "-x 700 -c 5000 -C 127.0.0.1:$CTL 127.0.0.1:$P $A $B", nil},
		{"options", "-X -j / -p $DIR/pid -u nobody -c 5000 -x 700 -h -W -s -b 7 -t 8 -T 9 -l $DIR/r.log -w s.html -a -e $A -B $B " +
			"-F none.cfg -C 127.0.0.1:$CTL 127.0.0.1:$P 127.0.0.1:$APORT:1:2:3 $B", nil},
		{"commands", "-x 700 -c 5000 -C 127.0.0.1:$CTL 127.0.0.1:$P $A $B", []string{
			"acl 0 permit 127.0.0.1", "acl 3 permit 1.2.3.4", "acl 3 deny 1.2.3.4 255.0.255.0", "acl 3 permit ::1/64", "acl 3 permit country SE",
			"acl 3 deny ::2", "acl 3 permit 10.0.0.0 0", "ascii", "blacklist 11", "client_acl 2", "control_acl 0", "debug 1", "hash",
			"log $DIR/x.log", "roundrobin", "server 0 acl 3 max 4 hard 5", "server 1 address ::1", "prio", "stubborn", "tcp_fastclose both",
			"tcp_nodelay", "timeout 12", "tracking 13", "web_stats ws", "weight", "server 0 weight 6 prio 7"}},
	}
	for _, tt := range tests {
		c, ours := ar.each(tt.start, func(r *rival) string {
			ar.must(r, tt.commands...)
			ar.must(r, "write $DIR/"+tt.name)
			text := ar.read(tt.name)
			os.Remove(filepath.Join(ar.vars["DIR"], tt.name)) // each is the owner of its own
			return r.normal(text)
		})
		if n := strings.Count(c, "\n"); n < 30 {
			t.Errorf("%s: the C pen wrote %d lines", tt.name, n)
		}
		same(t, tt.name, c, ours[:min(len(c), len(ours))]) // what follows only ours knows
	}
}

// TestDifferentialFilesOfTheOther starts each program from the file that the other one wrote: the way there and back.
func TestDifferentialFilesOfTheOther(t *testing.T) {
	ar := newArena(t)
	var replies [2 * len(sides)]string
	ask := func(r *rival) (text string) {
		for _, line := range []string{"mode", "servers", "blacklist", "timeout", "tracking", "client_acl", "web_stats", "log", "listen"} {
			reply, err := r.ask(line)
			if err != nil {
				t.Fatalf("%s: %s: %v\n%s", sides[r.side], line, err, r.stderr.String())
			}
			text += reply
		}
		return text
	}
	for side := range sides {
		r := ar.launch(side, "-x 700 -c 5000 -h -W -s -b 7 -t 8 -T 9 -w $DIR/s.html -O prio -C 127.0.0.1:$CTL 127.0.0.1:$P 127.0.0.1:$APORT:1:2:3:4 $B")
		ar.must(r, "acl 3 permit ::1/64", "client_acl 3", "write $DIR/"+fmt.Sprint(side))
		replies[side] = ask(r)
		r.finish()
	}
	for side := range sides {
		r := ar.launch(side, "-C 127.0.0.1:$CTL -F $DIR/"+fmt.Sprint(1-side)+" 127.0.0.1:$P")
		replies[len(sides)+side] = ask(r)
		r.finish()
	}
	for i, got := range replies {
		if got != replies[reference] || got == "" {
			t.Errorf("run %d: got\n%s\nwant\n%s", i, got, replies[reference])
		}
	}
}

// TestDifferentialStatus compares the pages in HTML and the text of USR1, after the same traffic.
func TestDifferentialStatus(t *testing.T) {
	ar := newArena(t)
	traffic := func(r *rival) map[string]net.Conn {
		held := map[string]net.Conn{}
		for _, words := range []string{"get 127.0.0.2", "get 127.0.0.3", "hold one 127.0.0.3"} {
			if _, err := ar.act(r, held, strings.Fields(words)); err != nil {
				t.Fatalf("%s: %s: %v", sides[r.side], words, err)
			}
		}
		return held
	}
	const start = "-x 500 -c 2048 -C 127.0.0.1:$CTL 127.0.0.1:$P 127.0.0.1:$APORT:10:12:3:4 $B"
	ages := regexp.MustCompile(`(<td>127\.0\.0\.\d</td>\n<td>)\d(</td>\n<td>\d</td>\n<td>\d</td>\n<td>\d+</td>\n<td>\d+</td>\n</tr>)`)
	numbers := regexp.MustCompile(`(used, )\d+( last)|<td>\d+</td>\n<td>\d+</td>\n<td>\d+</td>\n(<td>0</td>\n<td>0</td>\n<td>\d</td>\n<td>\d</td>\n</tr>\n</table>\n</body>)`)
	c, ours := ar.each(start+" -w status.html", func(r *rival) string {
		defer traffic(r)["one"].Close()
		page, err := r.ask("status")
		if err != nil {
			t.Fatal(err)
		}
		if file := ar.read("status.html"); file != page {
			t.Errorf("%s: the file is not the reply:\n%s", sides[r.side], file)
		}
		os.Remove(filepath.Join(ar.vars["DIR"], "status.html"))
		return numbers.ReplaceAllString(ages.ReplaceAllString(r.normal(page), "${1}AGE$2"), "NUMBERS$1$2$3")
	})
	same(t, "status page", c, ours)

	clients := regexp.MustCompile(`(?s)Client -?\d+ status:\naddress .*?(Max number of connections)`)
	connection := regexp.MustCompile(`Connection \d+ status`)
	c, ours = ar.each(start, func(r *rival) string {
		defer traffic(r)["one"].Close()
		syscall.Kill(r.pid, syscall.SIGUSR1)
		if !poll(func() bool {
			return strings.Contains(r.stderr.String(), "pending data") && strings.HasSuffix(r.stderr.String(), "\n\n")
		}) {
			t.Fatalf("%s: no text:\n%s", sides[r.side], r.stderr.String())
		}
		_, text, _ := strings.Cut(r.stderr.String(), ": Time ")
		// The C pen shows what happens to be in memory in place of the clients.
		return connection.ReplaceAllString(clients.ReplaceAllString(r.normal(text), "CLIENTS TIME: $1"), "Connection N status")
	})
	same(t, "text of USR1", c, ours)
}

// TestDifferentialLog compares the request log, to a file and over the network.
func TestDifferentialLog(t *testing.T) {
	ar := newArena(t)
	chunks := []string{"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "POST /x\nline two", "\n", strings.Repeat("a", 150), "tab\tumlaut \xfc\x01", "last\r"}
	conversation := func() {
		c, err := connect(ar.vars["P"], "127.0.0.9")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		for _, chunk := range chunks {
			if _, err := c.Write([]byte(chunk)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, len(chunk))); err != nil { // the echo: the chunk has been read by itself
				t.Fatal(err)
			}
		}
	}
	echo := &backend{name: "E", kind: "echo", network: "tcp", addr: fmt.Sprintf("127.0.0.1:%d", freePort()), cut: map[string]bool{}}
	if err := echo.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(echo.stop)
	ar.vars["E"] = echo.addr
	epoch := regexp.MustCompile(`(?m)^(127.0.0.9) \d{10} `)
	c, ours := ar.each("-l request.log -C 127.0.0.1:$CTL 127.0.0.1:$P $E", func(r *rival) string {
		conversation()
		if err := r.settle(0); err != nil {
			t.Fatal(err)
		}
		r.finish()
		text := ar.read("request.log")
		os.Remove(filepath.Join(ar.vars["DIR"], "request.log"))
		return epoch.ReplaceAllString(text, "$1 EPOCH ")
	})
	same(t, "file", c, ours)

	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, ours = ar.each("-C 127.0.0.1:$CTL 127.0.0.1:$P $E", func(r *rival) string {
		ar.must(r, "log "+listener.LocalAddr().String())
		conversation()
		var text bytes.Buffer
		for range chunks {
			datagram := make([]byte, 2048)
			listener.SetReadDeadline(time.Now().Add(patience))
			n, _, err := listener.ReadFrom(datagram)
			if err != nil {
				t.Fatalf("%s: after %q: %v", sides[r.side], text.String(), err)
			}
			fmt.Fprintf(&text, "%q\n", datagram[:n])
		}
		return text.String()
	})
	same(t, "datagrams", c, ours)
}

// TestDifferentialStart compares what scripts see of a start: what options print, and how a pen ends that cannot start.
func TestDifferentialStart(t *testing.T) {
	ar := newArena(t)
	file := filepath.Join(ar.vars["DIR"], "cfg")
	if err := os.WriteFile(file, []byte("# a comment\n\ntimeout 4\nblacklist\nmode\nlog\nweb_stats s.html\nserver 0 max 9\nblacklist 9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, ours := ar.each("-C 127.0.0.1:$CTL -F cfg 127.0.0.1:$P $A $B", func(r *rival) string {
		r.finish() // the C pen keeps it until then
		return r.stdout.String()
	})
	same(t, "replies to -F", c, ours)
	if !strings.HasSuffix(ours, "\n9\n") {
		t.Errorf("replies to -F: got %q", ours)
	}

	c, ours = ar.each("-O tracking -o mode -h -O mode -C 127.0.0.1:$CTL 127.0.0.1:$P $A", func(r *rival) string {
		r.finish()
		return r.stdout.String()
	})
	same(t, "replies to -O", c, ours)

	ended := []struct {
		name    string
		args    []string
		c, ours string // what they say on the standard error; ours names the file and the reason
	}{
		{"no operands", nil, "", ""},
		{"an address that is none", []string{"-f", "nowhere.invalid:80", "127.0.0.1:81"},
			"Can't convert address 'nowhere.invalid'", "unknown or invalid address [nowhere.invalid]"},
		{"a port that is taken", []string{"-f", ar.vars["A"], "127.0.0.1:81"},
			"can't bind local address", "can't bind local address " + ar.vars["A"] + ": address already in use"},
		{"a user that is none", []string{"-f", "-u", "no-such-user", ar.vars["P"], ar.vars["A"]},
			"Can't getpwnam(no-such-user)", "user no-such-user: "},
		{"a jail that is none", []string{"-f", "-j", "/no/such/dir", ar.vars["P"], ar.vars["A"]},
			"Can't chroot(/no/such/dir)", "chroot /no/such/dir: no such file or directory"},
		{"a pid file that cannot be", []string{"-f", "-p", "/no/such/pid", ar.vars["P"], ar.vars["A"]},
			"Can't create pidfile /no/such/pid", "pid file: open /no/such/pid: no such file or directory"},
		{"a log file that cannot be", []string{"-f", "-l", "/no/such/log", ar.vars["P"], ar.vars["A"]},
			"Can't open logfile /no/such/log", "can't open logfile /no/such/log: no such file or directory"},
	}
	for _, tt := range ended {
		var got [len(sides)]ending
		for side, want := range []string{tt.c, tt.ours} {
			got[side] = ar.end(side, tt.args)
			if !strings.Contains(got[side].stderr, want) {
				t.Errorf("%s: %s says %q, want %q", tt.name, sides[side], got[side].stderr, want)
			}
		}
		if got[own].status != got[reference].status {
			t.Errorf("%s: exit status: got %d, want %d, as the C pen", tt.name, got[own].status, got[reference].status)
		}
		if got[own].stdout != got[reference].stdout {
			t.Errorf("%s: standard output: got %q, want %q, as the C pen", tt.name, got[own].stdout, got[reference].stdout)
		}
	}
}

// ending is how a program ended.
type ending struct {
	status         int
	stdout, stderr string // the usage text without what follows its first line
}

// end runs a program that ends by itself.
func (ar *arena) end(side int, args []string) ending {
	cmd := exec.Command(filepath.Join(ar.bin[side], "pen"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		ar.t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait() // the status tells
	head, _, found := strings.Cut(stdout.String(), "usage:\n")
	if found {
		head += "usage:\n"
	}
	return ending{cmd.ProcessState.ExitCode(), head, stderr.String()}
}
