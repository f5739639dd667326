package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// helperArg as the first argument makes the test binary a helper: backends or clients with a descriptor table of their
// own. It says "ready" when its work is set up, and ends when its standard input does.
const helperArg = "be-a-helper"

// helper is such a process, seen by the test.
type helper struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// startHelper starts a process and waits until it is ready.
func startHelper(args ...string) (*helper, error) {
	cmd := exec.Command(os.Args[0], append([]string{helperArg}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &helper{cmd: cmd, stdin: stdin}
	if word, err := bufio.NewReader(stdout).ReadString('\n'); word != "ready\n" {
		h.stop()
		return nil, fmt.Errorf("helper %q: %q %w", args, word, errors.Join(err, errors.New("not ready")))
	}
	return h, nil
}

// stop ends the process, and with it all its connections.
func (h *helper) stop() {
	h.stdin.Close()
	h.cmd.Wait()
}

// runHelper is the process itself; it returns the exit status.
func runHelper(args []string) int {
	var err error
	switch args[0] {
	case "backend":
		b := &backend{name: args[1], kind: args[2], network: args[3], addr: args[4]}
		err = b.start()
	case "hold":
		_, err = connectMany(args[1:])
	default:
		err = fmt.Errorf("unknown helper %s", strings.Join(args, " "))
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}
