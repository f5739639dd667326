package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is a pen that runs: in the foreground as our child, or in the background, known by its pid file alone.
type program struct {
	name    string
	pid     int
	control string        // address of the control socket; "" = none
	done    chan struct{} // closed when the child has ended; nil for a program in the background
	err     error         // how the child ended; valid after done
	ended   bool          // the script has taken note of the end
	stderr  output
	marked  usage
}

// output collects what a program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// pen NAME [-files N] [-root] ARG... starts pen in the foreground and waits until its ports are open. As root with a
// control port it runs as nobody, as pen demands; -root leaves that out and expects no control port. With -files it gets
// no more than N file descriptors.
func startPen(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: pen NAME [-files N] [-root] ARG...")
	}
	p := &program{name: args[0], done: make(chan struct{})}
	args = args[1:]
	line := []string{}
	if args[0] == "-files" {
		line = append(line, "sh", "-c", "ulimit -n "+args[1]+` && exec "$0" "$@"`)
		args = args[2:]
	}
	line = append(line, filepath.Join(sc.dir, "pen"), "-f")
	root := args[0] == "-root"
	if root {
		args = args[1:]
	}
	listen, control, user := operands(args)
	if root {
		control = ""
	}
	if control != "" && user == "" && os.Geteuid() == 0 {
		line = append(line, "-u", "nobody")
	}
	cmd := exec.Command(line[0], append(line[1:], args...)...)
	cmd.Dir = sc.ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), sc.environ...)
	cmd.Stderr = &p.stderr
	cmd.Stdout = &p.stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	p.pid = cmd.Process.Pid
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	sc.know(p, control)
	return "", sc.awaitPorts(p, listen, control)
}

// know registers a program.
func (sc *scenario) know(p *program, control string) {
	p.control = reachable(control)
	sc.programs[p.name] = p
}

// awaitPorts waits until somebody listens on all addresses, or p has ended.
func (sc *scenario) awaitPorts(p *program, addrs ...string) error {
	for _, addr := range addrs {
		if addr == "" {
			continue
		}
		ok := poll(func() bool { return p.hasEnded() || listening(addr) })
		if p.hasEnded() {
			return fmt.Errorf("%s ended at once (%v): %s", p.name, p.err, p.stderr.String())
		}
		if !ok {
			return fmt.Errorf("%s does not listen on %s: %s", p.name, addr, p.stderr.String())
		}
	}
	return nil
}

// valued holds the option letters of pen that take a value.
const valued = "BCFOSTbceijlmopqtuwxEKGAL"

// operands finds the listening address, the control address and the user in pen's command line.
func operands(args []string) (listen, control, user string) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			if listen == "" {
				listen = args[i]
			}
			continue
		}
		at := strings.IndexAny(args[i][1:], valued) + 1
		if strings.HasPrefix(args[i], "--") || at == 0 {
			continue
		}
		letter, value := args[i][at], args[i][at+1:]
		if value == "" && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch letter {
		case 'C':
			control = value
		case 'u':
			user = value
		}
	}
	return listen, control, user
}

// reachable turns an address to listen on into one to connect to.
func reachable(addr string) string {
	if addr == "" || strings.ContainsAny(addr, ":/") {
		return addr
	}
	return "127.0.0.1:" + addr
}

func (p *program) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default: // a nil channel as well: a program in the background
		return p.done == nil && !alive(p.pid)
	}
}

// alive reports whether the process runs; one that nobody has waited for yet does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// end ends the program by TERM, unless the script has seen its end, and checks how it went.
func (p *program) end() error {
	if p.ended {
		return nil
	}
	if p.hasEnded() && p.done != nil {
		return fmt.Errorf("ended by itself: %v", p.err)
	}
	syscall.Kill(p.pid, syscall.SIGTERM)
	if !poll(p.hasEnded) {
		syscall.Kill(p.pid, syscall.SIGKILL)
		return errors.New("does not end after TERM")
	}
	if strings.Contains(p.stderr.String(), "goroutine ") {
		return errors.New("it panicked, or the race detector found something")
	}
	return p.err
}

// adopt NAME PIDFILE [CONTROL] makes a program in the background one of the script's.
func adopt(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: adopt NAME PIDFILE [CONTROL]")
	}
	p := &program{name: args[0]}
	ok := poll(func() bool {
		text, err := os.ReadFile(sc.ts.MkAbs(args[1]))
		p.pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && p.pid > 1
	})
	if !ok {
		return "", fmt.Errorf("no pid in %s", args[1])
	}
	sc.know(p, strings.Join(args[2:], ""))
	return "", nil
}

// find returns the program with that name.
func (sc *scenario) find(args []string) (*program, []string, error) {
	if len(args) == 0 {
		return nil, nil, errors.New("the name of a program is missing")
	}
	p := sc.programs[args[0]]
	if p == nil {
		return nil, nil, fmt.Errorf("no program %q", args[0])
	}
	return p, args[1:], nil
}

// ctl NAME COMMAND... sends a command through penctl and prints the reply. In place of NAME an address may stand.
func ctl(sc *scenario, args []string) (string, error) {
	if len(args) > 0 && strings.ContainsAny(args[0], ":/") {
		return sc.penctl(args[0], args[1:])
	}
	p, words, err := sc.find(args)
	if err != nil {
		return "", err
	}
	return sc.penctl(p.control, words)
}

func (sc *scenario) penctl(addr string, words []string) (string, error) {
	cmd := exec.Command(filepath.Join(sc.dir, "penctl"), append([]string{addr}, words...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("penctl %s %q: %w: %s", addr, words, err, stderr.String())
	}
	return stdout.String(), nil
}

// control NAME ADDR tells where the control socket of a program is that got it from a file.
func control(sc *scenario, args []string) (string, error) {
	p, rest, err := sc.find(args)
	if err != nil {
		return "", err
	}
	p.control = reachable(strings.Join(rest, ""))
	return "", nil
}

// await ADDR... waits until somebody listens on all of the addresses.
func await(sc *scenario, args []string) (string, error) {
	for _, addr := range args {
		if !poll(func() bool { return listening(addr) }) {
			return "", fmt.Errorf("nobody listens on %s", addr)
		}
	}
	return "", nil
}

// signal NAME SIGNAL sends TERM, INT, HUP, USR1, USR2 or KILL.
func signalProgram(sc *scenario, args []string) (string, error) {
	p, rest, err := sc.find(args)
	if err != nil {
		return "", err
	}
	signals := map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "KILL": syscall.SIGKILL,
	}
	s, ok := signals[strings.Join(rest, "")]
	if !ok {
		return "", fmt.Errorf("unknown signal %q", rest)
	}
	return "", syscall.Kill(p.pid, s)
}

// exited NAME waits for the program's end and prints its exit status; of a program in the background nothing.
func exited(sc *scenario, args []string) (string, error) {
	p, _, err := sc.find(args)
	if err != nil {
		return "", err
	}
	if !poll(p.hasEnded) {
		return "", fmt.Errorf("%s has not ended", p.name)
	}
	p.ended = true
	if p.done == nil {
		return "", nil
	}
	if code := (*exec.ExitError)(nil); errors.As(p.err, &code) {
		return strconv.Itoa(code.ExitCode()) + "\n", nil
	}
	return "0\n", p.err
}

// said NAME REGEXP requires that the program's diagnostics contain this.
func said(sc *scenario, args []string) (string, error) {
	p, rest, err := sc.find(args)
	if err != nil {
		return "", err
	}
	re, err := regexp.Compile("(?m)" + strings.Join(rest, " "))
	if err != nil {
		return "", err
	}
	if !poll(func() bool { return re.MatchString(p.stderr.String()) }) {
		return "", fmt.Errorf("%s did not say %q but:\n%s", p.name, re, p.stderr.String())
	}
	return "", nil
}
