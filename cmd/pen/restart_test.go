package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrittenFileIsTheSamePen starts a pen with settings of every kind, from the command line, a file and the control
// socket, has it write a file, starts another one from nothing but that file, and compares what that writes.
func TestWrittenFileIsTheSamePen(t *testing.T) {
	ar := ownArena(t)
	options := `-X -p $DIR/pid -c 5000 -x 700 -h -W -s -r -a -d -P -b 7 -t 8 -T 9 -m 5 -q 600 -l $DIR/request.log -w $DIR/status.html
		-e $A -B $B -F $DIR/own.conf -C 127.0.0.1:$CTL 127.0.0.1:$P $A:1:2:3:4 $B /nowhere/socket`
	commands := `abort_on_error|access_log $DIR/access.log json|acl 3 permit 10.0.0.0 255.0.255.0|acl 3 deny 2001:db8::/32|acl 3 permit country SE
		client_acl 2|control_acl 4|tcp_fastclose both|tcp_nodelay|keepalive|peek|dummy|source 127.0.0.1|drain 3|idle_timeout 77|idlers 1
		pending_max 99|prio|server 0 acl 3 max 9|server 4 address ::1 port 81 weight 5 prio 6|block|delayed_forward|service other
		service other listen 127.0.0.1:$Q|service other server 1 address 127.0.0.1 port 9|service other weight`
	if err := os.WriteFile(filepath.Join(ar.vars["DIR"], "own.conf"), []byte("reactors 1\ntracking 10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	first := ar.launch(own, options)
	for _, line := range strings.FieldsFunc(commands, func(r rune) bool { return r == '|' || r == '\n' }) {
		reply, err := first.ask(strings.TrimSpace(ar.expand(line)))
		if err != nil || strings.Contains(reply, "expected") {
			t.Errorf("%s: %v %q", line, err, reply)
		}
	}
	ar.must(first, "write $DIR/one")
	first.finish()
	want := settings(ar.read("one"))

	second := ar.run(own, nil, []string{"-F", filepath.Join(ar.vars["DIR"], "one")}, ar.vars["P"], ar.vars["CTL"])
	second.control = reachable(ar.vars["CTL"])
	ar.must(second, "write $DIR/two")
	if got := settings(ar.read("two")); got != want {
		t.Errorf("the second file is not the first one:\n%s\nwant\n%s", got, want)
	}
	if status := second.finish(); status != 0 {
		t.Errorf("exit status %d: %s", status, second.stderr.String())
	}

	if out, err := exec.Command(filepath.Join(ar.bin[own], "pen"), "--check", "-F", filepath.Join(ar.vars["DIR"], "one")).CombinedOutput(); err != nil {
		t.Errorf("--check: %v: %s", err, out)
	}
}

// settings returns the lines of a written file without the comments, which hold the time and the name of the file.
func settings(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
