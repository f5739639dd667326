package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The .deb in a Debian of its own: a folder that debootstrap fills from the mirror that apt of this machine uses, and that
// programs see as their root. Nothing starts services there, so the tests run the command lines of the units themselves.

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// debian is such a folder.
type debian struct {
	*testing.T
	root string
}

var bootstrapping sync.Mutex // once is enough

// newDebian makes one. What debootstrap has made is kept in bin/ for the next test.
func newDebian(t *testing.T) *debian {
	t.Helper()
	want(t, true, "debootstrap", "apt-get", "dpkg-deb", "tar")
	bootstrapping.Lock()
	defer bootstrapping.Unlock()
	suite, mirror := mirrorOf(t)
	archive := filepath.Join(filepath.Dir(os.Getenv("PEN_PACKAGES")), "debian-"+suite+".tar")
	if _, err := os.Stat(archive); err != nil {
		dir := t.TempDir()
		output(t, exec.Command("debootstrap", "--variant=minbase", suite, dir, mirror))
		output(t, exec.Command("tar", "-C", dir, "--numeric-owner", "-cf", archive+".part", "."))
		if err := os.Rename(archive+".part", archive); err != nil {
			t.Fatal(err)
		}
	}
	d := &debian{t, t.TempDir()}
	output(t, exec.Command("tar", "-C", d.root, "--numeric-owner", "-xf", archive))
	for _, name := range []string{"resolv.conf", "hosts"} { // the network of today
		if text, err := os.ReadFile("/etc/" + name); err == nil {
			d.write("/etc/"+name, string(text))
		}
	}
	t.Cleanup(func() {
		for _, pid := range d.processes() {
			t.Errorf("process %d is left behind", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return d
}

// mirrorOf returns name and address of the Debian that apt has here.
func mirrorOf(t *testing.T) (suite, mirror string) {
	t.Helper()
	out := output(t, exec.Command("apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)", "Created-By: Packages"))
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) == 4 && words[0] == "Debian" && words[1] == "main" && !strings.Contains(words[2], "-") {
			return words[2], words[3]
		}
	}
	t.Fatalf("apt knows no Debian: %s", out)
	return "", ""
}

// command returns a command that has the folder as its root.
func (d *debian) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/usr/bin/env", append([]string{name}, args...)...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: d.root}
	return cmd
}

// run runs a command, which must succeed.
func (d *debian) run(name string, args ...string) string {
	d.Helper()
	return output(d.T, d.command(name, args...))
}

// apt runs apt-get as scripts do: it may ask nothing.
func (d *debian) apt(args ...string) string {
	d.Helper()
	out := d.run("apt-get", append([]string{"-y", "-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=0"}, args...)...)
	if strings.Contains(out, "conffile prompt") {
		d.Errorf("apt-get %q has a question:\n%s", args, out)
	}
	return out
}

// install installs a package of ours.
func (d *debian) install(deb string) string {
	d.Helper()
	text, err := os.ReadFile(deb)
	if err != nil {
		d.Fatal(err)
	}
	d.write("/tmp/"+filepath.Base(deb), string(text))
	return d.apt("install", "/tmp/"+filepath.Base(deb))
}

func (d *debian) write(path, text string) {
	d.Helper()
	if err := os.WriteFile(d.root+path, []byte(text), 0o644); err != nil {
		d.Fatal(err)
	}
}

func (d *debian) read(path string) string {
	d.Helper()
	text, err := os.ReadFile(d.root + path)
	if err != nil {
		d.Fatal(err)
	}
	return string(text)
}

func (d *debian) has(path string) bool {
	_, err := os.Lstat(d.root + path)
	return err == nil
}

// processes returns those whose root is the folder.
func (d *debian) processes() []int {
	var pids []int
	roots, _ := filepath.Glob("/proc/[0-9]*/root")
	for _, link := range roots {
		if to, err := os.Readlink(link); err == nil && to == d.root {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// account returns the numbers of a user and its group.
func (d *debian) account(name string) *syscall.Credential {
	d.Helper()
	for line := range strings.Lines(d.read("/etc/passwd")) {
		words := strings.Split(line, ":")
		if words[0] != name {
			continue
		}
		uid, err := strconv.ParseUint(words[2], 10, 32)
		gid, err2 := strconv.ParseUint(words[3], 10, 32)
		if err != nil || err2 != nil {
			d.Fatalf("passwd: %s", line)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	d.Fatalf("there is no user %s", name)
	return nil
}

// unit returns the values of a setting of the service.
func (d *debian) unit(setting string) []string {
	d.Helper()
	var values []string
	for line := range strings.Lines(d.read("/usr/lib/systemd/system/pen.service")) {
		if value, ok := strings.CutPrefix(line, setting+"="); ok {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// startService does what systemd does for the unit: its directories, its user, its command line; it returns when the
// service has said that it is ready.
func (d *debian) startService() *os.Process {
	d.Helper()
	user := d.account(d.unit("User")[0])
	for _, dir := range []struct{ setting, below string }{{"RuntimeDirectory", "/run/"}, {"StateDirectory", "/var/lib/"}, {"LogsDirectory", "/var/log/"}} {
		for _, name := range d.unit(dir.setting) {
			if err := os.MkdirAll(d.root+dir.below+name, 0o755); err != nil {
				d.Fatal(err)
			}
			if err := os.Chown(d.root+dir.below+name, int(user.Uid), int(user.Gid)); err != nil {
				d.Fatal(err)
			}
		}
	}
	name := "@" + strings.ReplaceAll(d.root, "/", "-")
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		d.Fatal(err)
	}
	defer news.Close()
	words := slices.DeleteFunc(strings.Fields(d.unit("ExecStart")[0]), func(w string) bool { return w == "$PEN_OPTIONS" })
	cmd := d.command(words[0], words[1:]...)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name)
	cmd.SysProcAttr.Credential = user
	log, err := os.Create(d.root + "/tmp/service.log")
	if err != nil {
		d.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	news.SetReadDeadline(time.Now().Add(patience))
	for buffer := make([]byte, 4096); ; {
		n, err := news.Read(buffer)
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			d.Fatalf("%q is not ready: %v\n%s", words, err, d.read("/tmp/service.log"))
		}
		if slices.Contains(strings.Split(string(buffer[:n]), "\n"), "READY=1") {
			return cmd.Process
		}
	}
}

// stop ends a process and wants its status to be 0, if it is a child of the test.
func (d *debian) stop(p *os.Process) {
	d.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		d.Fatal(err)
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		d.Errorf("the service ended with %v, %v", state, err)
	}
}

// servers starts two small web servers, each of which answers with its name.
func servers(t *testing.T) (ports []string) {
	for _, name := range []string{"a", "b"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) }))
		t.Cleanup(s.Close)
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// freePort returns a port that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// ask sends a request to a port and returns the answer.
func ask(t *testing.T, port string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:"+port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files returns what is in the folder, without what package tools keep for themselves.
func (d *debian) files() []string {
	d.Helper()
	own := regexp.MustCompile(`^/(tmp|run|var/(lib/(dpkg|apt|systemd/deb-systemd-helper-.*)|cache|log)|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$)`)
	return slices.DeleteFunc(installed(d.T, d.root), own.MatchString)
}

// debArch returns Debian's name for the processor of this machine.
func debArch(t *testing.T) string {
	t.Helper()
	want(t, false, "dpkg")
	return strings.TrimSpace(output(t, exec.Command("dpkg", "--print-architecture")))
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// background starts a pen in the background, as an operator without systemd does, and returns its process id.
func (d *debian) background(port string, args ...string) int {
	d.Helper()
	const pidFile = "/tmp/pen.pid"
	os.Remove(d.root + pidFile)
	d.run("pen", append([]string{"-p", pidFile}, args...)...)
	pid := 0
	eventually(d.T, "the pid file", func() bool {
		text, _ := os.ReadFile(d.root + pidFile)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	d.awaitPort(port)
	return pid
}

// awaitPort waits until somebody listens.
func (d *debian) awaitPort(port string) {
	d.Helper()
	eventually(d.T, "a listener on port "+port, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// end ends a process that is no child of the test.
func (d *debian) end(pid int) {
	d.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		d.Fatal(err)
	}
	eventually(d.T, "the end of pen", func() bool { return !slices.Contains(d.processes(), pid) })
}
