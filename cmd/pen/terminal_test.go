package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// terminal is a program in a terminal: a tmux server of its own.
type terminal struct{ socket string }

func (t *terminal) tmux(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-S", t.socket, "-f", os.DevNull}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("tmux %q: %w: %s", args, err, out)
	}
	return string(out), err
}

// end ends the program. It may have ended already, and tmux with it.
func (t *terminal) end() { t.tmux("kill-server") }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// terminal NAME COMMAND... runs a program in a terminal of 130 columns and 24 lines.
func startTerminal(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: terminal NAME COMMAND...")
	}
	t := &terminal{filepath.Join(sc.ts.Getenv("WORK"), "tmux-"+args[0])}
	sc.terminals[args[0]] = t
	if ours := filepath.Join(sc.dir, args[1]); exists(ours) {
		args[1] = ours
	}
	_, err := t.tmux(append([]string{"new-session", "-d", "-x", "130", "-y", "24"}, args[1:]...)...)
	return "", err
}

// screen NAME REGEXP waits until the screen shows this, and prints it.
func screen(sc *scenario, args []string) (string, error) {
	if len(args) != 2 || sc.terminals[args[0]] == nil {
		return "", errors.New("usage: screen NAME REGEXP, of a terminal")
	}
	match, err := regexp.Compile("(?s)" + args[1])
	if err != nil {
		return "", err
	}
	var text string
	if !poll(func() bool {
		text, err = sc.terminals[args[0]].tmux("capture-pane", "-p")
		return err != nil || match.MatchString(text)
	}) {
		err = fmt.Errorf("the screen never showed %q; at last:\n%s", args[1], text)
	}
	return text, err
}

// keys NAME KEY... types.
func keys(sc *scenario, args []string) (string, error) {
	if len(args) < 2 || sc.terminals[args[0]] == nil {
		return "", errors.New("usage: keys NAME KEY..., of a terminal")
	}
	return sc.terminals[args[0]].tmux(append([]string{"send-keys"}, args[1:]...)...)
}
