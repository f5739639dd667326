// Package daemon is what pen and penlogd do to run as a server of the system: go to the background, become another
// user inside a jail, leave a pid file, raise the limit on open files.
//
// The order that keeps privileges where they are needed, and lets the parent tell what went wrong:
//
//	bg, err := daemon.Background(nil)    // the child goes on from here
//	open ports                           // below 1024 too
//	user, err := daemon.LookupUser(name) // while the user database can be seen
//	err = daemon.Chroot(dir)
//	err = daemon.Become(user)
//	open log files, daemon.WritePidFile(path)
//	bg.Ready(nil), or bg.Ready(err) at the first failure
//
// It keeps no state but what Background left in the environment of the child.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// marker is the environment variable that tells a program that it is the child; its value is the number of the
// pipe on which the parent waits to hear that it is ready.
const (
	marker  = "PEN_BACKGROUND_PIPE"
	readyFD = 3 // the first of exec.Cmd's ExtraFiles
)

// ready is what the child writes when it is; anything else is the text of its error.
const ready = "\x00ready"

// Child is the side of Background that goes on as a server. A nil Child is a program that stayed in the foreground.
type Child struct{ pipe *os.File }

// Background puts the program into the background. As Go cannot fork, the program is started once more with the same
// arguments, in a session of its own, with /dev/null for its input and outputs, but for errors if stderr is not nil; the
// working directory is kept.
//
// In the child it returns a Child, whose Ready must be called. In the parent it waits for that call and
// returns nil and what Ready was given, or that the child ended without a word: the parent has nothing left
// to do but to print the error, if any, and to exit.
//
// It should be called early: what the program does before is done by both.
func Background(stderr *os.File) (*Child, error) {
	if child := inChild(); child != nil {
		return child, nil
	}
	return nil, startChild(stderr)
}

// Ready tells the waiting parent that the server works (nil) or what kept it from working. Only the first call counts.
// A nil Child has no parent to tell.
func (c *Child) Ready(err error) {
	if c == nil || c.pipe == nil {
		return
	}
	text := ready
	if err != nil {
		text = err.Error()
	}
	io.WriteString(c.pipe, text) // a parent that was killed misses nothing
	c.pipe.Close()
	c.pipe = nil
}

// inChild returns the Child if Background has started this process, and removes the traces from its environment.
func inChild() *Child {
	if os.Getenv(marker) != fmt.Sprint(readyFD) {
		return nil
	}
	os.Unsetenv(marker)
	var stat syscall.Stat_t
	if err := syscall.Fstat(readyFD, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil // the variable was somebody else's
	}
	syscall.CloseOnExec(readyFD)
	return &Child{pipe: os.NewFile(readyFD, "ready pipe")}
}

// startChild starts the child and waits until it is ready or has failed.
func startChild(stderr *os.File) error {
	program, err := find(os.Executable, os.Args[0])
	if err != nil {
		return fmt.Errorf("background: find the program: %w", err)
	}
	answer, pipe, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("background: %w", err)
	}
	defer answer.Close()
	child := exec.Command(program)
	child.Args = os.Args
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", marker, readyFD))
	child.ExtraFiles = []*os.File{pipe}
	if stderr != nil {
		child.Stderr = stderr
	}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = child.Start()
	pipe.Close()
	if err != nil {
		return fmt.Errorf("background: %w", err)
	}
	return await(child, answer)
}

// find returns the path of the program: from the system, which on Linux wants /proc for it, or as a shell found it, since a
// jail may have no /proc.
func find(executable func() (string, error), arg0 string) (string, error) {
	path, err := executable()
	if err == nil {
		return path, nil
	}
	if path, lookErr := exec.LookPath(arg0); lookErr == nil {
		return path, nil
	}
	return "", err
}

// await reads the answer of the child.
func await(child *exec.Cmd, answer io.Reader) error {
	text, err := io.ReadAll(answer)
	switch {
	case err != nil:
		return fmt.Errorf("background: hear from process %d: %w", child.Process.Pid, err)
	case string(text) == ready:
		return child.Process.Release()
	case len(text) > 0:
		child.Wait() // it is about to exit; once it has, a second attempt finds the ports free
		return errors.New(strings.TrimSpace(string(text)))
	}
	if err := child.Wait(); err != nil {
		return fmt.Errorf("background: process %d ended before it was ready: %w", child.Process.Pid, err)
	}
	return fmt.Errorf("background: process %d ended before it was ready", child.Process.Pid)
}
