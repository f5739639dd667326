package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for another process before it fails.
const patience = 20 * time.Second

// role tells the test binary to be one of the programs in roles instead of running tests.
const role = "DAEMON_TEST_ROLE"

var roles = map[string]func() int{
	"ready":  func() int { return background(nil) },
	"fail":   func() int { return background(errors.New("listen 127.0.0.1:80: address already in use")) },
	"die":    func() int { return backgroundThen(func() { os.Exit(3) }) },
	"killed": func() int { return backgroundThen(func() { syscall.Kill(os.Getpid(), syscall.SIGKILL) }) },
	"become": become,
}

func TestMain(m *testing.M) {
	if program, ok := roles[os.Getenv(role)]; ok {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

func TestFind(t *testing.T) {
	here := func() (string, error) { return "/here/pen", nil }
	noProc := func() (string, error) { return "", errors.New("readlink /proc/self/exe: no such file or directory") }
	tests := []struct {
		name       string
		executable func() (string, error)
		arg0       string
		want       string // or nothing for an error
	}{
		{"the system knows", here, "sh", "/here/pen"},
		{"no /proc, in the path", noProc, "sh", "sh"},
		{"no /proc, with its place", noProc, "/bin/sh", "/bin/sh"},
		{"no /proc, another name", noProc, "/none/pen", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := find(tt.executable, tt.arg0)
			if tt.want == "" && err == nil || !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q and error %v, want %q", got, err, tt.want)
			}
		})
	}
}

// report is what a child says of itself.
type report struct {
	PID, PPID, SID int
	Dir            string
	Args           []string
	Null           bool // stdin, stdout and stderr are /dev/null
	Marked         bool // the environment still has the marker
}

// background is a server: it reports itself on the unix socket "socket" and lives until that is closed.
func background(failure error) int {
	return backgroundThenReady(func() {
		conn, err := net.Dial("unix", "socket")
		if err != nil {
			os.Exit(4)
		}
		json.NewEncoder(conn).Encode(self())
		if failure == nil {
			go func() { conn.Read(make([]byte, 1)); os.Exit(0) }()
		}
	}, failure)
}

func backgroundThen(end func()) int { return backgroundThenReady(end, nil) }

func backgroundThenReady(before func(), failure error) int {
	child, err := Background(nil)
	if err != nil {
		fmt.Fprintf(os.Stderr, "helper: %v\n", err)
		return 1
	}
	if child == nil {
		return 0
	}
	before()
	child.Ready(failure)
	child.Ready(errors.New("only the first call counts"))
	if failure != nil {
		return 1
	}
	select {}
}

func self() report {
	dir, _ := os.Getwd()
	_, marked := os.LookupEnv(marker)
	sid, _ := unix.Getsid(0)
	return report{os.Getpid(), os.Getppid(), sid, dir, os.Args[1:], isNull(0) && isNull(1) && isNull(2), marked}
}

func isNull(fd int) bool {
	var null, stat syscall.Stat_t
	return syscall.Stat(os.DevNull, &null) == nil && syscall.Fstat(fd, &stat) == nil && stat.Rdev == null.Rdev && stat.Ino == null.Ino
}

// start makes a command of the test binary that plays a role, in a directory of its own.
func start(t *testing.T, name string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-x", "an argument")
	cmd.Env = append(os.Environ(), role+"="+name)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = patience
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

func TestBackground(t *testing.T) {
	tests := []struct {
		role   string
		status int
		stderr string
	}{
		{"ready", 0, ""},
		{"fail", 1, "helper: listen 127.0.0.1:80: address already in use\n"},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			cmd, stderr := start(t, tt.role)
			l, err := net.Listen("unix", filepath.Join(cmd.Dir, "socket"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			l.(*net.UnixListener).SetDeadline(time.Now().Add(patience))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() // ends the child
			var got report
			if err := json.NewDecoder(conn).Decode(&got); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if cmd.ProcessState.ExitCode() != tt.status || stderr.String() != tt.stderr {
				t.Errorf("parent: got status %d, %q on stderr, want %d, %q", cmd.ProcessState.ExitCode(), stderr, tt.status, tt.stderr)
			}
			dir, _ := filepath.EvalSymlinks(cmd.Dir)
			want := report{got.PID, cmd.Process.Pid, got.PID, dir, []string{"-x", "an argument"}, true, false}
			if fmt.Sprint(got) != fmt.Sprint(want) || got.PID == cmd.Process.Pid {
				t.Errorf("child: got %+v, want %+v", got, want)
			}
		})
	}
}

func TestBackgroundNoticesADeadChild(t *testing.T) {
	for name, want := range map[string]string{"die": "exit status 3", "killed": "signal: killed"} {
		t.Run(name, func(t *testing.T) {
			cmd, stderr := start(t, name)
			cmd.Run()
			got := stderr.String()
			if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(got, "ended before it was ready: "+want) {
				t.Errorf("got status %d, %q on stderr, want 1 and a text with %q", cmd.ProcessState.ExitCode(), got, want)
			}
		})
	}
}

func TestReadyInTheForeground(t *testing.T) {
	var c *Child
	c.Ready(nil) // must do nothing
	c.Ready(errors.New("x"))
}

func TestInChildIgnoresAForeignVariable(t *testing.T) {
	t.Setenv(marker, "7")
	if inChild() != nil {
		t.Error("got a child of Background, want none")
	}
}
