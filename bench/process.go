//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 5 * time.Second
	stopTimeout  = 2 * time.Second // to end on TERM before KILL
	startPoll    = 5 * time.Millisecond
	complaint    = 4 * kilobyte // bytes kept of what a program writes to stderr
)

// process is a child of ours.
type process struct {
	cmd    *exec.Cmd
	stderr complaints
	ended  chan struct{} // closed when it has been waited for
}

// command is how to start a program on the given cores with so many descriptors. It dies with us.
func command(onCores []int, files int, program string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if program == "" {
		program = self
	}
	c := exec.Command(self, append([]string{pinCommand, cores(onCores), strconv.Itoa(files), program}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c, nil
}

// launch starts a command.
func launch(c *exec.Cmd) (*process, error) {
	p := &process{cmd: c, ended: make(chan struct{})}
	c.Stderr = &p.stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int {
	if p == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// why tells how a process ended, empty if it runs.
func (p *process) why() string {
	if p == nil {
		return ""
	}
	select {
	case <-p.ended:
		return strings.TrimSpace(p.cmd.ProcessState.String() + " " + strings.ReplaceAll(p.stderr.String(), "\n", " / "))
	default:
		return ""
	}
}

// ready waits until probe finds somebody at address, or the process has ended.
func (p *process) ready(ctx context.Context, address string, probe func(address string) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := probe(address)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("ended at start: %s", p.why())
		case <-ctx.Done():
			return fmt.Errorf("does not serve: %w", err)
		case <-time.After(startPoll):
		}
	}
}

// accepts tells by its error whether somebody accepts connections at address.
func accepts(address string) error {
	c, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// startOrigin starts the origin of a test and returns its address.
func startOrigin(onCores []int, files int, o originRole) (*process, string, error) {
	return startServer(onCores, files, role{Origin: &o})
}

// startFakes starts so many fake servers and returns their addresses.
func startFakes(onCores []int, servers int) (*process, []string, error) {
	if servers == 0 {
		return nil, nil, nil
	}
	p, port, err := startServer(onCores, servers+spareFiles, role{Fakes: &fakesRole{servers}})
	if err != nil {
		return nil, nil, err
	}
	addresses := make([]string, servers)
	for i := range addresses {
		addresses[i] = fakeAddress(i, port)
	}
	return p, addresses, nil
}

// startServer starts a part of this program that prints a line when it serves, and returns the line.
func startServer(onCores []int, files int, r role) (*process, string, error) {
	c, err := command(onCores, files, "", roleCommand, r.String())
	if err != nil {
		return nil, "", err
	}
	// The pipe is ours, not exec's, whose Wait would close it under the reader.
	in, out, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer in.Close()
	c.Stdout = out
	p, err := launch(c)
	out.Close()
	if err != nil {
		return nil, "", err
	}
	in.SetReadDeadline(time.Now().Add(startTimeout))
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("server: %w %s", err, p.stderr.String())
	}
	return p, strings.TrimSpace(line), nil
}

// runLoads runs the load client, and beside it another one that is not measured if there is one. That is a process of
// its own, so that the two do not wait for each other, and gives way to the measured one and the origin.
func runLoads(ctx context.Context, onCores []int, files int, l loadRole, beside *Client) (Result, error) {
	if beside == nil {
		return runLoad(ctx, onCores, files, l)
	}
	other := l
	other.Client, other.Warmup, other.Duration, other.ProxyPID = *beside, 0, l.Warmup+l.Duration+callsTime, 0
	other.Behind = true
	type outcome struct {
		Result
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		runtime.LockOSThread() // which the child dies with
		r, err := runLoad(ctx, onCores, files, other)
		ended <- outcome{r, err}
	}()
	result, err := runLoad(ctx, onCores, files, l)
	second := <-ended
	if second.err != nil {
		return result, errors.Join(err, fmt.Errorf("beside: %w", second.err))
	}
	result.Failures += second.Failures
	if result.Failure == "" {
		result.Failure = second.Failure
	}
	return result, err
}

// runLoad runs the load client until it has its result or the context ends.
func runLoad(ctx context.Context, onCores []int, files int, l loadRole) (Result, error) {
	c, err := command(onCores, files, "", roleCommand, role{Load: &l}.String())
	if err != nil {
		return Result{}, err
	}
	var out bytes.Buffer
	c.Stdout = &out
	p, err := launch(c)
	if err != nil {
		return Result{}, err
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.stop()
		return Result{}, ctx.Err()
	}
	if !c.ProcessState.Success() {
		return Result{}, fmt.Errorf("%s", strings.TrimPrefix(strings.TrimSpace(p.stderr.String()), "bench: "))
	}
	var result Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return Result{}, fmt.Errorf("load client: %w", err)
	}
	return result, nil
}

// freeAddress returns a loopback address that nobody listened on a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// tail keeps the last bytes written to it.
type tail struct {
	mu    sync.Mutex
	bytes []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, p...)
	if over := len(t.bytes) - complaint; over > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.bytes))
}
