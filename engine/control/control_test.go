package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pen/conf"
)

// running is a pen that runs in the test.
type running struct {
	*Control
	log  *journal
	out  *journal // replies of commands from files
	addr string   // of the control socket
	done chan error
}

// journal is a buffer that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	more sync.Cond // something was written; L is &mu
	b    bytes.Buffer
}

func newJournal() *journal {
	j := new(journal)
	j.more.L = &j.mu
	return j
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.more.Broadcast()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// await waits until text has been written. If it never is, the test runs into its time limit and shows where.
func (j *journal) await(text string) { j.awaitMore(0, text) }

// awaitMore waits until text has been written more than n times.
func (j *journal) awaitMore(n int, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for strings.Count(j.b.String(), text) <= n {
		j.more.Wait()
	}
}

// account is who the tests run as: root may have a control socket only if it says so.
const account = "user root"

// start runs pen with the settings that lines make, until the end of the test.
func start(t *testing.T, lines ...string) *running {
	t.Helper()
	r, err := prepare(t, lines...)
	if err != nil {
		t.Fatal(err)
	}
	if addr := r.Addr(); addr != nil {
		r.addr = addr.String()
	}
	go func() { r.done <- r.Run() }()
	t.Cleanup(func() {
		r.signals <- syscall.SIGTERM
		if err := <-r.done; err != nil {
			t.Errorf("got the error %v at the end, want none", err)
		}
	})
	return r
}

// prepare makes a pen that does not yet run.
func prepare(t *testing.T, lines ...string) (*running, error) {
	t.Helper()
	r := &running{log: newJournal(), out: newJournal(), done: make(chan error, 1)}
	d := conf.NewDraft(conf.Default(), conf.Offline{})
	for _, line := range append([]string{"reactors 1", "conn_max 100", "clients_max 100"}, lines...) {
		if err := d.Exec(line, io.Discard); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if file, ok := strings.CutPrefix(line, "include "); ok {
			d.Settings().Process.ConfigFile = file
		}
	}
	var err error
	r.Control, err = New(d, Options{Log: NewLog(r.log), Stdout: r.out, Version: "1.2.3"})
	return r, err
}

// say has a command executed and returns the reply.
func (r *running) say(t testing.TB, command string) string {
	t.Helper()
	return ask(t, network(r.addr), r.addr, command+"\n")
}

func network(addr string) string {
	if strings.Contains(addr, "/") {
		return "unix"
	}
	return "tcp"
}

// reload sends HUP and returns when it has been dealt with.
func (r *running) reload() {
	const end = "Active connections:" // of the report that USR1 asks for
	before := strings.Count(r.log.String(), end)
	r.signals <- syscall.SIGHUP
	r.signals <- syscall.SIGUSR1
	r.log.awaitMore(before, end)
}

// file makes a file of commands.
func file(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pen.conf")
	rewrite(t, name, lines...)
	return name
}

func rewrite(t *testing.T, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port that nobody uses now, on any address. It is below those that the system gives to connections, or
// one of them could take it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(10000))
		if ln, err := net.Listen("tcp4", ":"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no free port between 20000 and 30000")
	return ""
}

// backend echoes what it is sent.
func backend(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func TestCommands(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	r := start(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0")
	for _, tt := range []struct{ name, in, want string }{
		{"query", "mode", "no hash no roundrobin no stubborn no weight no prio\n"},
		{"setting", "blacklist 7", "7\n"},
		{"setting that stays", "blacklist", "7\n"},
		{"silent", "hash", ""},
		{"changed", "mode", "hash no roundrobin no stubborn no weight no prio\n"},
		{"comment", "# hash", ""},
		{"bad value", "blacklist x", "blacklist: expected seconds"},
		{"bad value, nothing changed", "blacklist", "7\n"},
		{"unknown", "zork", "do_cmd: ignoring command starting with 'zork'\n"},
		{"does not compile", "server 0 address no-such-host.invalid port 1", "server 0: unknown or invalid address [no-such-host.invalid]"},
		{"did not compile, nothing changed", "servers", ""},
		{"busy port", "listen " + busy.Addr().String(), "can't bind local address " + busy.Addr().String()},
		{"busy port, nothing changed", "listen", "127.0.0.1:0\n"},
		{"only at start", "control 127.0.0.1:1", "control: "},
		{"exit is not enabled", "exit", "Exit is not enabled; restart with -X flag\n"},
	} {
		if got := r.say(t, tt.in); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" || strings.HasSuffix(tt.want, "\n") && tt.name != "unknown" && got != tt.want {
			t.Errorf("%s: %s: got %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestReloadIsATransaction(t *testing.T) {
	name := file(t, "blacklist 7")
	r := start(t, account, "control 127.0.0.1:0", "include "+name)
	rewrite(t, name, "blacklist 8", "tracking x")
	r.reload()
	for _, want := range []string{": " + name + ":2: tracking: expected seconds", ": the configuration has not been changed\n"} {
		if got := r.log.String(); !strings.Contains(got, want) {
			t.Errorf("got %q logged, want %q in it", got, want)
		}
	}
	if got, want := r.say(t, "blacklist"), "7\n"; got != want {
		t.Errorf("got blacklist %q after a wrong file, want %q", got, want)
	}
	rewrite(t, name, "blacklist 8", "server 0 address no-such-host.invalid port 1")
	r.reload()
	if got, want := r.say(t, "blacklist"), "7\n"; got != want {
		t.Errorf("got blacklist %q after a file that does not compile, want %q", got, want)
	}
	if got := r.out.String(); strings.Contains(got, "8") {
		t.Errorf("got the replies %q to a file that changed nothing", got)
	}
	rewrite(t, name, "blacklist 8", "tracking 9")
	r.reload()
	if got, want := r.out.String(), "8\n9\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got the replies %q, want %q at the end", got, want)
	}
	if got, want := r.say(t, "blacklist"), "8\n"; got != want {
		t.Errorf("got blacklist %q after a good file, want %q", got, want)
	}
}

func TestReloadWithoutAFile(t *testing.T) {
	r := start(t, account, "control 127.0.0.1:0", "debug 1")
	r.reload()
	if got, want := r.say(t, "debug"), "1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestControlSocketMoves(t *testing.T) {
	port, other := freePort(t), freePort(t)
	path := filepath.Join(t.TempDir(), "ctl")
	name := file(t, "control 127.0.0.1:"+port)
	r := start(t, account, "include "+name)
	for _, step := range []struct {
		name  string
		lines []string
		at    string // where it is to be afterwards
		gone  string // where it is not to be any more; "" = not asked
	}{
		{"bare port, same place", []string{"control " + port}, "127.0.0.1:" + port, ""},
		{"a list: all addresses", []string{"acl 1 permit 127.0.0.0 255.0.0.0", "control_acl 1"}, "127.0.0.2:" + port, ""},
		{"another port", []string{"control 127.0.0.1:" + other}, "127.0.0.1:" + other, "127.0.0.1:" + port},
		{"no list, this machine", []string{"control " + port, "no acl 1"}, "127.0.0.1:" + port, "127.0.0.2:" + port},
		{"a path", []string{"control " + path}, path, "127.0.0.1:" + port},
		{"back", []string{"control " + port}, "127.0.0.1:" + port, path},
	} {
		rewrite(t, name, step.lines...)
		r.reload()
		if got, want := ask(t, network(step.at), step.at, "tracking\n"), "0\n"; got != want {
			t.Errorf("%s: got %q at %s, want %q", step.name, got, step.at, want)
		}
		if step.gone == "" {
			continue
		}
		if conn, err := net.Dial(network(step.gone), step.gone); err == nil {
			conn.Close()
			t.Errorf("%s: got a connection to %s, want none", step.name, step.gone)
		}
	}
}

func TestControlSocketStaysIfItCannotMove(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := freePort(t)
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"busy port", []string{"control " + busy.Addr().String()}, "address already in use"},
		{"busy listener", []string{"control " + freePort(t), "listen " + busy.Addr().String()}, "address already in use"},
		{"busy listener, same port", []string{"control 0.0.0.0:" + port, "listen " + busy.Addr().String()}, "address already in use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := file(t, "control "+port)
			r := start(t, account, "include "+name)
			rewrite(t, name, tt.lines...)
			r.reload()
			if got := r.log.String(); !strings.Contains(got, tt.want) {
				t.Errorf("got %q logged, want %q in it", got, tt.want)
			}
			if got, want := r.say(t, "control"), port+"\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestControlACL(t *testing.T) {
	r := start(t, account, "control 127.0.0.1:0", "acl 3 deny 127.0.0.1")
	if got, want := r.say(t, "control_acl 3"), "3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, _ := io.ReadAll(conn); len(got) != 0 { // it may also be reset
		t.Errorf("got %q from an address that is denied, want nothing", got)
	}
}

func TestRootHasNoControlSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root is refused a control socket")
	}
	for _, listen := range []string{"127.0.0.1:0", filepath.Join(t.TempDir(), "ctl")} {
		r := start(t, "control "+listen)
		if r.Addr() != nil {
			t.Errorf("got a control socket at %v, want none", r.Addr())
		}
		if got, want := r.log.String(), ": "+rootMessage+"\n"; !strings.HasSuffix(got, want) {
			t.Errorf("got %q logged, want %q", got, want)
		}
	}
}

func TestRootOpensNoControlSocketLater(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root is refused a control socket")
	}
	name := file(t, "tracking 7")
	r := start(t, "include "+name)
	rewrite(t, name, "tracking 8", "control 127.0.0.1:0")
	r.reload()
	if got, want := r.log.String(), ": control 127.0.0.1:0: expected to run as another user than root"; !strings.Contains(got, want) {
		t.Errorf("got %q logged, want %q in it", got, want)
	}
}

func TestStatistics(t *testing.T) {
	port := backend(t)
	r := start(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0", "server 0 address 127.0.0.1 port "+port+" max 5 hard 6")
	conn, err := net.Dial("tcp", r.engine.Listening("default"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "hello")
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGUSR1
	r.log.await("downfd = ")
	r.say(t, "mode") // when it is answered, the report is complete
	want := `TIME: Time TIME, 1 servers, 0 current
TIME: Server 0 status:
address 127.0.0.1
0
port PORT
1 connections (5 soft, 6 hard)
5 sent, 5 received

TIME: Max number of clients: 100
TIME: Active clients:
TIME: Client 0 status:
address 127.0.0.1
last used N
last server 0
connects 1
5 sent, 5 received

TIME: Max number of connections: 100
TIME: Active connections:
TIME: Connection 0 status:
downfd = N, upfd = N
pending data 0 down, 0 up
client 0, server 0

`
	if got := normal(r.log.String(), port); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	stats := filepath.Join(t.TempDir(), "stats.html")
	r.say(t, "web_stats "+stats)
	r.signals <- syscall.SIGUSR1
	r.say(t, "mode")
	reply := r.say(t, "status")
	written, err := os.ReadFile(stats)
	if err != nil || string(written) != reply {
		t.Errorf("got the file %q and %v, want the reply %q", written, err, reply)
	}
	if got, want := normal(reply, port), "<td>127.0.0.1</td>\n<td>0</td>\n<td>PORT</td>\n<td>1</td>\n"; !strings.Contains(got, want) {
		t.Errorf("got %s\nwant %q in it", got, want)
	}
}

// normal makes a report comparable: it replaces times, ports and descriptors.
func normal(s, port string) string {
	s = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(s, "TIME")
	s = regexp.MustCompile(`((?:down|up)fd =|last used) \d+`).ReplaceAllString(s, "$1 N")
	return regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(s, "PORT")
}

func TestDebugOutputAtStart(t *testing.T) {
	r := start(t, "debug 1", "server 0 address 127.0.0.1 port 80 max 1 hard 2 weight 3 prio 4", "server 11 address /tmp/s")
	r.log.await("11 /tmp/s")
	for _, want := range []string{": pen 1.2.3 starting\n", ": servers:\n", ":  0 127.0.0.1:80:1:2:3:4\n", ":  1 0.0.0.0:0:0:0:0:0\n", ": 11 /tmp/s:1:0:0:0:0\n"} {
		if got := r.log.String(); !strings.Contains(got, want) {
			t.Errorf("got %q logged, want %q in it", got, want)
		}
	}
}

func TestExit(t *testing.T) {
	r, err := prepare(t, account, "control 127.0.0.1:0", "exit_enabled")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = r.Addr().String()
	go func() { r.done <- r.Run() }()
	if got := r.say(t, "exit"); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	if err := <-r.done; err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

// drained returns a pen with an open connection that has been told to end.
func drained(t *testing.T) (r *running, conn net.Conn) {
	t.Helper()
	r, err := prepare(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0", "drain 3600", "debug 1",
		"server 0 address 127.0.0.1 port "+backend(t))
	if err != nil {
		t.Fatal(err)
	}
	r.addr = r.Addr().String()
	go func() { r.done <- r.Run() }()
	if conn, err = net.Dial("tcp", r.engine.Listening("default")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "x")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGTERM
	r.urgent <- syscall.SIGTERM
	r.log.await("ending")
	return r, conn
}

func TestDrain(t *testing.T) {
	r, conn := drained(t)
	if got, want := r.say(t, "tracking"), "0\n"; got != want {
		t.Errorf("got %q to a query while pen ends, want %q", got, want)
	}
	if got, want := r.say(t, "hash"), errEnding.Error()+"\n"; got != want {
		t.Errorf("got %q to a change while pen ends, want %q", got, want)
	}
	fmt.Fprint(conn, "y")
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("got %v on a connection that was open, want it to go on", err)
	}
	conn.Close()
	if err := <-r.done; err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	r, _ := drained(t)
	r.urgent <- syscall.SIGINT
	if err := <-r.done; err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

func TestAbort(t *testing.T) {
	r, err := prepare(t)
	if err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- r.Run() }()
	r.urgent <- syscall.SIGUSR2
	if err := <-r.done; !errors.Is(err, ErrAborted) {
		t.Errorf("got the error %v, want %v", err, ErrAborted)
	}
	if got, want := r.log.String(), "(*Control).Run"; !strings.Contains(got, want) {
		t.Errorf("got %q logged, want %q in it", got, want)
	}
	r.signals <- syscall.SIGTERM // the control goroutine still runs
}

func TestStartFails(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"busy control port", []string{account, "control " + busy.Addr().String()}, "control " + busy.Addr().String() + ": bind: address already in use"},
		{"busy listener", []string{"listen " + busy.Addr().String()}, "can't bind local address " + busy.Addr().String()},
		{"unknown server", []string{"server 0 address no-such-host.invalid port 1"}, "[no-such-host.invalid]"},
	} {
		if _, err := prepare(t, tt.lines...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got the error %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

// Many clients at once change settings; each gets the reply to its own command, and the last state is one of theirs.
func TestManyCommands(t *testing.T) {
	r := start(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0")
	var wg sync.WaitGroup
	for w := range 20 {
		wg.Go(func() {
			for i := range 50 {
				n := fmt.Sprint(1 + w*50 + i)
				if got, want := r.say(t, "blacklist "+n), n+"\n"; got != want {
					t.Errorf("got %q, want %q", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
