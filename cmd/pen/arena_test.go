package main_test

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sides are the two programs; the C pen comes first.
var sides = [...]string{"C pen", "our pen"}

const (
	reference = iota // the C pen
	own
)

// arena is where both programs run, one after the other: a directory, addresses and servers that are the same for both.
type arena struct {
	t    *testing.T
	vars map[string]string
	bin  [len(sides)]string // the directories of the programs
}

// newArena makes an arena for both programs, or skips the test where there is no C pen.
func newArena(t *testing.T) *arena {
	ar := ownArena(t)
	if err := ensure("/usr/bin/pen"); err != nil {
		skip(t, err)
	}
	return ar
}

// ownArena makes an arena for ours.
func ownArena(t *testing.T) *arena {
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc; it runs on Linux only")
	}
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, d := range []string{work, filepath.Dir(work)} { // the user that pen becomes writes there
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	ar := &arena{t: t, bin: [...]string{"/usr/bin", dir}, vars: map[string]string{"DIR": work}}
	for _, name := range []string{"P", "Q", "CTL", "FREE"} {
		ar.vars[name] = strconv.Itoa(freePort())
	}
	ar.backend("A")
	ar.backend("B")
	return ar
}

// backend starts a web server; NAME is its address and NAMEPORT its port.
func (ar *arena) backend(name string) {
	port := strconv.Itoa(freePort())
	b := &backend{name: name, kind: "http", network: "tcp", addr: "127.0.0.1:" + port, cut: make(map[string]bool)}
	if err := b.start(); err != nil {
		ar.t.Fatal(err)
	}
	ar.t.Cleanup(b.stop)
	ar.vars[name], ar.vars[name+"PORT"] = b.addr, port
}

// expand replaces $NAME by the value.
func (ar *arena) expand(s string) string {
	return os.Expand(s, func(name string) string { return ar.vars[name] })
}

// rival is one of the two programs while it runs.
type rival struct {
	*program
	side    int
	control string
	stdout  output
	numbers map[string]string // names by numbers of connections
}

// launch starts a program in the foreground with what the words say and waits until its ports are open. As root it
// becomes nobody, or there would be no control socket.
func (ar *arena) launch(side int, words string) *rival {
	ar.t.Helper()
	args := strings.Fields(ar.expand(words))
	extra := []string{"-f"}
	if os.Geteuid() == 0 && !slices.Contains(args, "-u") {
		extra = append(extra, "-u", "nobody")
	}
	listen, control, _ := operands(args)
	r := ar.run(side, extra, args, listen, control)
	if r.control = reachable(control); r.control != "" {
		ar.must(r, "mode") // once it answers, it hears signals as well
	}
	return r
}

// run starts a program and waits until all addresses are open.
func (ar *arena) run(side int, extra, args []string, addrs ...string) *rival {
	ar.t.Helper()
	cmd := exec.Command(filepath.Join(ar.bin[side], "pen"), append(extra, args...)...)
	r := &rival{program: &program{name: sides[side], done: make(chan struct{})}, side: side, numbers: make(map[string]string)}
	cmd.Dir, cmd.Stdout, cmd.Stderr = ar.vars["DIR"], &r.stdout, &r.stderr
	if err := cmd.Start(); err != nil {
		ar.t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	go func() {
		r.err = cmd.Wait()
		close(r.done)
	}()
	sc := &scenario{}
	if err := sc.awaitPorts(r.program, addrs...); err != nil {
		r.finish()
		ar.t.Fatal(err)
	}
	return r
}

// finish ends the program, if it has not ended, and returns its exit status.
func (r *rival) finish() int {
	syscall.Kill(r.pid, syscall.SIGTERM)
	if !poll(r.hasEnded) {
		syscall.Kill(r.pid, syscall.SIGKILL)
	}
	<-r.done
	if exit, ok := errors.AsType[*exec.ExitError](r.err); ok {
		return exit.ExitCode()
	}
	return 0
}

// ask sends a command line and returns the reply. A program that has died does not answer.
func (r *rival) ask(line string) (string, error) {
	c, err := net.Dial("tcp", r.control)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // the C pen does not read what follows the line
		return "", err
	}
	return string(reply), nil
}

// act carries out an action between two commands; what it returns is compared like a reply:
//
//	get FROM          a request through pen; the answer
//	hold NAME FROM    a connection that stays open; $NAME is its number
//	release NAME      closes it
//	gone NAME         waits until pen has closed it
func (ar *arena) act(r *rival, held map[string]net.Conn, words []string) (string, error) {
	switch words[0] {
	case "get":
		answer, err := ar.request(words[1])
		return answer, cmp.Or(err, r.settle(len(held)))
	case "hold":
		c, err := connect(ar.vars["P"], words[2])
		if err != nil {
			return "", err
		}
		held[words[1]] = c
		return "", cmp.Or(r.settle(len(held)), ar.number(r, words[1]))
	case "release":
		held[words[1]].Close()
		delete(held, words[1])
		return "", r.settle(len(held))
	case "gone":
		held[words[1]].SetDeadline(time.Now().Add(patience))
		if n, err := held[words[1]].Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			return "", fmt.Errorf("connection %s is still there: %w", words[1], err)
		}
		held[words[1]].Close()
		delete(held, words[1])
		return "", r.settle(len(held))
	}
	return "", fmt.Errorf("unknown action %q", words)
}

// number finds the number of the connection that was made last and lets the name stand for it.
func (ar *arena) number(r *rival, name string) error {
	const most = 100 // none of the tests has so many
	for i := range most {
		n := strconv.Itoa(i)
		reply, err := r.ask("connection " + n)
		if err != nil {
			return err
		}
		if _, known := r.numbers[n]; !known && strings.Contains(reply, "state = 2\n") {
			r.numbers[n], ar.vars[name] = name, n
			return nil
		}
	}
	return errors.New("the new connection has no number")
}

// request sends a request from an address and returns the whole answer.
func (ar *arena) request(from string) (string, error) {
	c, err := connect(ar.vars["P"], from)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /x HTTP/1.1\r\nHost: pen\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "closed", nil
	}
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

var connections = regexp.MustCompile(` conn (\d+) `)

// settle waits until the program knows that n connections are open: it learns of an end after we do.
func (r *rival) settle(n int) error {
	var reply string
	ok := poll(func() bool {
		reply, _ = r.ask("servers")
		sum := 0
		for _, found := range connections.FindAllStringSubmatch(reply, -1) {
			c, _ := strconv.Atoi(found[1])
			sum += c
		}
		return sum == n
	})
	if !ok {
		return fmt.Errorf("%d connections expected: %s", n, reply)
	}
	return nil
}

// descriptors of a connection: which numbers they have is the system's matter.
var descriptors = regexp.MustCompile(`downfd = \d+, upfd = \d+`)

// connectionNumber is how a reply begins that is about a connection.
var connectionNumber = regexp.MustCompile(`onnection (\d+)(:)?\n`)

// normal replaces what differs from run to run by names.
func (r *rival) normal(s string) string {
	if s == strconv.Itoa(r.pid)+"\n" { // elsewhere that number is something else
		return "PID\n"
	}
	s = stamps.ReplaceAllString(s, "TIME")
	s = descriptors.ReplaceAllString(s, "downfd = FD, upfd = FD")
	return connectionNumber.ReplaceAllStringFunc(s, func(found string) string {
		n := connectionNumber.FindStringSubmatch(found)[1]
		return strings.Replace(found, n, cmp.Or(r.numbers[n], n), 1)
	})
}
