package control

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// probeExec runs a command by the shell; status 0 means that the server works. The command finds the server in its
// environment: PEN_SERVICE, PEN_SERVER (the number), PEN_ADDRESS (without the port, or the path), PEN_PORT. It runs as
// the account and below the root directory of pen, and is killed with all that it started when its time is over.
func probeExec(ctx context.Context, t *subject) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", t.probe.Arg)
	cmd.Env = append(os.Environ(), t.environment()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = execDelay
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if line := out.line(); err != nil && line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// execDelay is how long the output of a command that has ended may be held open by what it has left behind.
const execDelay = 100 * time.Millisecond

func (t *subject) environment() []string {
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil { // a path
		host, port = t.Address, ""
	}
	if t.probe.Port != 0 {
		port = strconv.Itoa(t.probe.Port)
	}
	return []string{"PEN_SERVICE=" + t.service, "PEN_SERVER=" + strconv.Itoa(t.Index), "PEN_ADDRESS=" + host, "PEN_PORT=" + port}
}

// head keeps the beginning of what a command prints.
type head struct{ bytes.Buffer }

// Write implements [io.Writer].
func (h *head) Write(p []byte) (int, error) {
	const most = 200 // bytes: enough for a reason
	h.Buffer.Write(p[:min(len(p), max(0, most-h.Len()))])
	return len(p), nil
}

// line returns the first line.
func (h *head) line() string {
	line, _, _ := bytes.Cut(h.Bytes(), []byte("\n"))
	return string(bytes.TrimSpace(line))
}
