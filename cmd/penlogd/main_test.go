package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pen/cmd/version"
)

// beMain tells the test binary to be penlogd.
const beMain = "PENLOGD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

func newTestReceiver(t testing.TB, log io.Writer) *receiver {
	t.Helper()
	out, err := openOutput("", log, false)
	if err != nil {
		t.Fatal(err)
	}
	noNames := newNames(func(name string) (netip.Addr, error) { return netip.Addr{}, errors.New(name) })
	return &receiver{out: out, entries: newEntries(1000), names: noNames, logger: slog.New(slog.DiscardHandler)}
}

// penlogd is a running penlogd: ours, or the C one.
type penlogd struct {
	*exec.Cmd
	t      testing.TB
	stdout *bufio.Reader
	stderr *bufio.Reader
	conn   net.Conn // to it
}

// start runs ours in the foreground on a port of its own choice, with debug output.
func start(t testing.TB, options ...string) *penlogd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, program, append(options, "-fd", "127.0.0.1:0")...)
	line := p.diagnostic("receiving")
	p.dial(regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(line)[1])
	return p
}

func launch(t testing.TB, program string, args ...string) *penlogd {
	t.Helper()
	p := &penlogd{Cmd: exec.Command(program, args...), t: t}
	p.Env = append(os.Environ(), beMain+"=1")
	stdout, _ := p.StdoutPipe()
	stderr, _ := p.StderrPipe()
	p.stdout, p.stderr = bufio.NewReader(stdout), bufio.NewReader(stderr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(30*time.Second, func() { p.Process.Kill() }) // all reads end then
	t.Cleanup(func() { watchdog.Stop(); p.Process.Kill(); p.Wait() })
	return p
}

func (p *penlogd) dial(address string) {
	p.t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.conn = conn
	p.t.Cleanup(func() { conn.Close() })
}

// diagnostic returns the next line on stderr that contains text.
func (p *penlogd) diagnostic(text string) string {
	p.t.Helper()
	for {
		line, err := p.stderr.ReadString('\n')
		if strings.Contains(line, text) {
			return line
		}
		if err != nil {
			p.t.Fatalf("no %q on stderr: %q, %v", text, line, err)
		}
	}
}

func (p *penlogd) send(datagrams ...string) {
	p.t.Helper()
	for _, d := range datagrams {
		if _, err := io.WriteString(p.conn, d); err != nil {
			p.t.Fatal(err)
		}
	}
}

// end sends TERM and returns the rest of stdout.
func (p *penlogd) end() string {
	p.t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	rest, _ := io.ReadAll(p.stdout)
	if err := p.Wait(); err != nil {
		p.t.Errorf("after TERM: got %v, want exit status 0", err)
	}
	return string(rest)
}

// dialogue is datagrams, and what both programs make of them.
var dialogue = []struct{ in, want string }{
	{"+ 1.2.3.4 127.0.0.1 GET /a HTTP/1.0\n", ""},
	{"9.9.9.9 - - [d] \"GET /a HTTP/1.0\" 200 5\n", "1.2.3.4 - - [d] \"GET /a HTTP/1.0\" 200 5\n"},
	{"9.9.9.9 - again \"GET /a HTTP/1.0\" 200 5\n", "1.2.3.4 - again \"GET /a HTTP/1.0\" 200 5\n"},
	{"9.9.9.9 - prefix \"GET /a\" \"ref\"\n", "1.2.3.4 - prefix \"GET /a\" \"ref\"\n"},
	{"9.9.9.9 - unknown \"GET /b HTTP/1.0\"\n", "9.9.9.9 - unknown \"GET /b HTTP/1.0\"\n"},
	{"no quotes\n", ""}, {"one \" quote\n", ""}, {"\n", ""},
	{"+ 1.2.3.5\n", ""}, {"+ 1.2.3.5 127.0.0.1\n", ""}, {"+ 1.2.3.5 127.0.0.1 \n", ""}, {"+\n", ""},
	{"9.9.9.9 empty \"\" 408\n", "1.2.3.4 empty \"\" 408\n"},
	{"   9 blanks \"GET /a\"\n", "1.2.3.4   9 blanks \"GET /a\"\n"},
	{"9\ttab \"GET /a\"\n", "1.2.3.4 \"GET /a\"\n"},
	{"+1.2.3.6 127.0.0.1 GET /c\n", ""},
	{"9 \"GET /c\" no newline", "1.2.3.6 \"GET /c\" no newline"},
	{"\n9 x \"GET /c\"\n", "1.2.3.6 x \"GET /c\"\n"},
	{"+ 2001:db8::1 127.0.0.1 GET /6\r\n", ""},
	{"9 six \"GET /6\"\n8 second line \"GET /6\"\n", "2001:db8::1 six \"GET /6\"\n8 second line \"GET /6\"\n"},
	{"+ 1.2.3.7 127.0.0.2 GET /other\n", ""},
	{"9 other \"GET /other\"\n", "9 other \"GET /other\"\n"},
	{"+ 1.2.3.8 127.0.0.1 GET /ab\n", ""},
	{"9 newest \"GET /a\"\n", "1.2.3.8 newest \"GET /a\"\n"},
}

func TestDialogue(t *testing.T) {
	p := start(t)
	var want strings.Builder
	for _, d := range dialogue {
		p.send(d.in)
		want.WriteString(d.want)
	}
	if got := p.end(); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, &want)
	}
}

func TestWhatTheCProgramDoesWrong(t *testing.T) {
	long := strings.Repeat("x", 940)
	p := start(t, "-n2")
	p.send("+ c1 no-such-host.invalid GET /\n", "+ c2 ::ffff:127.0.0.1 GET /2\n", "9 mapped \"GET /2\"\n",
		"+ c3 127.0.0.1 "+long+"\n", "9 \"GET /2\" kept\n", "9 long \""+long+"\"\n", "9 longer \""+long+long+"\"\n")
	want := "c2 mapped \"GET /2\"\nc2 \"GET /2\" kept\nc3 long \"" + long + "\"\nc3 longer \"" + long + long + "\"\n"
	if got := p.end(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLineIsWrittenWithoutASignal(t *testing.T) {
	for _, options := range [][]string{nil, {"-b"}} {
		p := start(t, options...)
		for i := range 3 {
			line := fmt.Sprintf("9 \"GET /\" %d\n", i)
			p.send(line)
			if got, err := p.stdout.ReadString('\n'); got != line || err != nil {
				t.Errorf("%q: got %q, %v, want %q", options, got, err, line)
			}
		}
	}
}

func TestHangupOpensTheLogAgain(t *testing.T) {
	dir := t.TempDir()
	log, old, pid := filepath.Join(dir, "log"), filepath.Join(dir, "log.1"), filepath.Join(dir, "pid")
	p := start(t, "-l", log, "-p", pid)
	if got, err := os.ReadFile(pid); string(got) != strconv.Itoa(p.Process.Pid) {
		t.Errorf("pid file: got %q, %v, want %d", got, err, p.Process.Pid)
	}
	p.send("9 \"GET /1\"\n", "junk 1\n")
	p.diagnostic("junk 1") // so the line before it has come, too
	if err := os.Rename(log, old); err != nil {
		t.Fatal(err)
	}
	p.Process.Signal(syscall.SIGHUP)
	p.diagnostic("log opened again")
	p.send("9 \"GET /2\"\n")
	p.end()
	for path, want := range map[string]string{old: "9 \"GET /1\"\n", log: "9 \"GET /2\"\n"} {
		if got, err := os.ReadFile(path); string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
	if _, err := os.Stat(pid); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pid file after TERM: got %v, want it gone", err)
	}
}

func TestHangupWithStdout(t *testing.T) {
	p := start(t)
	p.Process.Signal(syscall.SIGHUP)
	p.diagnostic("log opened again")
	p.send("9 \"GET /\"\n")
	if got, want := p.end(), "9 \"GET /\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBackground starts penlogd as a daemon, which is ready when the command returns.
func TestBackground(t *testing.T) {
	probe, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	address := probe.LocalAddr().String()
	program, _ := os.Executable()
	dir := t.TempDir()
	background := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), program, "-l", "log", "-p", "pid", address)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), beMain+"=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := background() // the port is taken
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out, "penlogd: listen udp "+address) {
		t.Errorf("busy port: got %v, %q, want status 1 and the address", err, out)
	}
	probe.Close()
	if out, err := background(); err != nil || out != "" {
		t.Fatalf("got %v, %q, want silent success", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(string(text))
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "9 \"GET /\"\n")
	syscall.Kill(pid, syscall.SIGTERM)
	waitGone(t, filepath.Join(dir, "pid"))
	if got, err := os.ReadFile(filepath.Join(dir, "log")); string(got) != "9 \"GET /\"\n" {
		t.Errorf("log: got %q, %v", got, err)
	}
}

// waitGone waits until there is no file called path: a daemon is nobody's child, so nothing else tells of its end.
func waitGone(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Fatalf("%s is still there", path)
}

func TestOptionsAndErrors(t *testing.T) {
	dir := t.TempDir()
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	missing := filepath.Join(dir, "missing", "x")
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string // what it must contain
	}{
		{"no port", nil, 0, usage, ""},
		{"port 0", []string{"0"}, 0, usage, ""},
		{"two ports", []string{"1", "2"}, 0, usage, ""},
		{"help", []string{"-h"}, 0, usage, ""},
		{"version", []string{"--version"}, 0, version.Line("penlogd"), ""},
		{"unknown option", []string{"-q", "1"}, 0, usage, "'q'"},
		{"no value", []string{"-n"}, 0, usage, "'n'"},
		{"no entries", []string{"-n0", "1"}, 1, "", "penlogd: 0 entries"},
		{"bad port", []string{"-f", "12x"}, 1, "", "penlogd: listen 0.0.0.0:12x"},
		{"busy port", []string{"-f", busy.LocalAddr().String()}, 1, "", busy.LocalAddr().String()},
		{"log", []string{"-f", "-l", missing, "127.0.0.1:0"}, 1, "", "Can't open logfile " + missing},
		{"pid file", []string{"-f", "-p", missing, "127.0.0.1:0"}, 1, "", missing},
		{"user", []string{"-fu", "no-such-user", "127.0.0.1:0"}, 1, "", "no-such-user"},
		{"jail", []string{"-fj", missing, "127.0.0.1:0"}, 1, "", missing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(tt.args, &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("got %d, stdout %q, stderr %q, want %d, %q, a text with %q", status, &stdout, &stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestOutputGoesOnAfterAnError(t *testing.T) {
	var log bytes.Buffer
	broken := true
	out, _ := openOutput("", writerFunc(func(p []byte) (int, error) {
		if broken {
			return 0, errors.New("disk full")
		}
		return log.Write(p)
	}), true)
	if err := out.write([]byte("lost\n")); err == nil || !strings.Contains(err.Error(), "5 bytes lost: disk full") {
		t.Errorf("got %v, want an error that counts the bytes", err)
	}
	broken = false
	if err := out.write([]byte("kept\n")); err != nil || log.String() != "kept\n" {
		t.Errorf("got %q, %v, want the line after the error", &log, err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
