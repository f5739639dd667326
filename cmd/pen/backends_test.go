package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// backend is a server behind pen. Its address survives stop and start.
type backend struct {
	name    string
	kind    string
	network string
	addr    string
	helper  *helper       // runs it in a process of its own; nil = here
	queue   chan net.Conn // kind listen: accepted, not taken by the script

	mu     sync.Mutex
	ln     net.Listener
	over   <-chan struct{}    // closed when nobody accepts from ln any more
	fds    []int              // kind full: the listener and what fills its queue
	conns  map[net.Conn]visit // open connections
	stops  int                // how often it was stopped
	cut    map[string]bool    // questions that were asked and not answered when it was stopped
	answer string             // kind agent: what it says
	blind  int                // connections that had not asked anything yet when it was stopped
}

// visit is how far a connection has come.
type visit struct {
	question string // "" = nothing asked yet
	answered bool
}

// nextPort yields ports below the range that the system itself hands out, so that nobody takes one between port and
// its use. It starts somewhere else in each process.
var nextPort atomic.Int64

func init() { nextPort.Store(int64(os.Getpid()*131) % 20000) }

// freePort returns a TCP port on which nobody listens.
func freePort() (port int) {
	unshared(func() {
		for {
			port = 12000 + int(nextPort.Add(1)%20000)
			if port%1000 == 0 { // scripts say such numbers, and mean something else
				continue
			}
			ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
			if err == nil {
				ln.Close()
				return
			}
		}
	})
	return port
}

// unshared calls f, which closes sockets and starts no program, while no child of this process is between fork and exec:
// such a child has copies of all sockets, and one that is closed here would keep its port for another moment.
func unshared(f func()) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f()
}

// port NAME... sets each variable to a free port.
func port(sc *scenario, args []string) (string, error) {
	for _, name := range args {
		p := strconv.Itoa(freePort())
		sc.ts.Setenv(name, p)
		sc.names[p] = name
	}
	return "", nil
}

// backend [-own] NAME KIND [ADDR] starts a server and sets the variable NAME to its address and NAME_port to its
// port. ADDR is a path or an IP address, the default 127.0.0.1. With -own it runs in a process of its own. The kinds are listed in docs/testing.md.
func startBackend(sc *scenario, args []string) (string, error) {
	own := len(args) > 0 && args[0] == "-own"
	if own {
		args = args[1:]
	}
	if len(args) < 2 {
		return "", errors.New("usage: backend [-own] NAME KIND [ADDR]")
	}
	b := &backend{name: args[0], kind: args[1], network: "tcp", queue: make(chan net.Conn, 64), cut: make(map[string]bool), answer: "up"}
	switch addr := strings.Join(args[2:], ""); {
	case strings.Contains(addr, "/"):
		b.network, b.addr = "unix", addr
	case addr == "":
		addr = "127.0.0.1"
		fallthrough
	default:
		p := strconv.Itoa(freePort())
		b.addr = net.JoinHostPort(addr, p)
		sc.names[p] = b.name
		sc.ts.Setenv(b.name+"_port", p)
	}
	sc.backends[b.name] = b
	sc.ts.Setenv(b.name, b.addr)
	if !own {
		return "", b.start()
	}
	var err error
	b.helper, err = startHelper("backend", b.name, b.kind, b.network, b.addr)
	return "", err
}

// start opens the port.
func (b *backend) start() error {
	switch b.kind {
	case "refuse":
		return nil
	case "full":
		return b.fill()
	}
	serve, ok := kinds[b.kind]
	if !ok {
		return fmt.Errorf("unknown kind of backend %q", b.kind)
	}
	ln, err := net.Listen(b.network, b.addr)
	if err != nil {
		return err
	}
	if b.network == "unix" { // pen may run as somebody else
		if err := os.Chmod(b.addr, 0o777); err != nil {
			return err
		}
	}
	b.mu.Lock()
	over := make(chan struct{})
	b.ln, b.conns, b.over = ln, make(map[net.Conn]visit), over
	b.mu.Unlock()
	go func() {
		defer close(over)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if b.own(ln, c) {
				go serve(b, c)
			}
		}
	}()
	return nil
}

// own registers a connection; it closes one that came while b was stopped.
func (b *backend) own(ln net.Listener, c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ln != ln {
		b.blind++
		c.Close()
		return false
	}
	b.conns[c] = visit{}
	return true
}

// note remembers how far the connection has come.
func (b *backend) note(c net.Conn, v visit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.conns[c]; ok {
		b.conns[c] = v
	}
}

// leave closes a connection.
func (b *backend) leave(c net.Conn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	c.Close()
}

// stop closes the port and all connections, like the death of the server. When it returns the port refuses: the socket of
// a listener is closed only when nobody is in its Accept any more.
func (b *backend) stop() {
	if b.helper != nil {
		b.helper.stop()
	}
	unshared(func() {
		if over := b.die(); over != nil {
			<-over
		}
	})
}

// die closes everything and returns what is closed when the last Accept has returned.
func (b *backend) die() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops++
	if b.ln != nil {
		b.blind += turnAway(b.ln)
		b.ln.Close()
		b.ln = nil
	}
	for c, v := range b.conns {
		switch {
		case v.answered:
		case v.question == "":
			b.blind++
		default:
			b.cut[v.question] = true
		}
		c.Close()
	}
	b.conns = nil
	for _, fd := range b.fds {
		unix.Close(fd)
	}
	b.fds = nil
	return b.over
}

// turnAway closes the connections that the kernel has taken for a listener, and returns how many there were. It shortens
// the queue first, so that few can come in before the listener is closed, even if this process has to wait meanwhile.
func turnAway(ln net.Listener) (n int) {
	t, ok := ln.(*net.TCPListener)
	if !ok {
		return 0
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		unix.Listen(int(fd), 0)
		for {
			c, _, err := unix.Accept(int(fd))
			if err != nil {
				return
			}
			unix.Close(c)
			n++
		}
	})
	return n
}

// fill listens with a queue of length zero and fills it, so that further connects get no answer at all.
func (b *backend) fill() error {
	addr, err := net.ResolveTCPAddr("tcp4", b.addr)
	if err != nil {
		return err
	}
	sa := &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	const fillers = 3 // Linux completes one connect more than the queue is long; the others stay half open
	for i := range 1 + fillers {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		b.fds = append(b.fds, fd)
		unix.CloseOnExec(fd)
		if i == 0 {
			err = errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 0))
		} else if err = unix.SetNonblock(fd, true); err == nil {
			if err = unix.Connect(fd, sa); errors.Is(err, unix.EINPROGRESS) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// backendsOf looks up backends by name.
func (sc *scenario) backendsOf(names []string) ([]*backend, error) {
	var all []*backend
	for _, name := range names {
		b := sc.backends[name]
		if b == nil {
			return nil, fmt.Errorf("no backend %q", name)
		}
		all = append(all, b)
	}
	return all, nil
}

// halt NAME... kills backends: the port and all connections are closed.
func haltBackends(sc *scenario, args []string) (string, error) {
	all, err := sc.backendsOf(args)
	for _, b := range all {
		b.stop()
	}
	return "", err
}

// start NAME... starts backends again, on the address that they had.
func restartBackends(sc *scenario, args []string) (string, error) {
	all, err := sc.backendsOf(args)
	for _, b := range all {
		err = errors.Join(err, b.start())
	}
	return "", err
}

// answer NAME TEXT... sets what a backend of kind agent says from now on.
func setAnswer(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: answer NAME TEXT...")
	}
	all, err := sc.backendsOf(args[:1])
	for _, b := range all {
		b.mu.Lock()
		b.answer = strings.Join(args[1:], " ")
		b.mu.Unlock()
	}
	return "", err
}

// TestListening checks what all scenarios rely on: that a listener is seen without being connected to.
func TestListening(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("no /proc/net/tcp")
	}
	b := &backend{name: "A", kind: "hang", network: "tcp", addr: "127.0.0.1:" + strconv.Itoa(freePort())}
	for _, want := range []bool{false, true, false} {
		if got := listening(b.addr); got != want {
			t.Errorf("listening(%s) = %v, want %v", b.addr, got, want)
		}
		if want {
			b.stop()
		} else if err := b.start(); err != nil {
			t.Fatal(err)
		}
	}
	b.stop()
}

// ask sends a line and returns the one that comes back.
func ask(c net.Conn, r *bufio.Reader, text string) (string, error) {
	if _, err := c.Write([]byte(text + "\n")); err != nil {
		return "", err
	}
	answer, err := r.ReadString('\n')
	return strings.TrimRight(answer, "\r\n"), err
}
