package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// newer makes the next version of a package, which has a line more in a file of settings.
func (d *debian) newer(deb string) string {
	d.Helper()
	dir := d.TempDir()
	output(d.T, exec.Command("dpkg-deb", "-R", deb, dir))
	control, err := os.ReadFile(dir + "/DEBIAN/control")
	if err != nil {
		d.Fatal(err)
	}
	control = regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(control, []byte("Version: 1000.0"))
	if err := os.WriteFile(dir+"/DEBIAN/control", control, 0o644); err != nil {
		d.Fatal(err)
	}
	f, err := os.OpenFile(dir+"/etc/pen/pen.conf.sample", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		d.Fatal(err)
	}
	fmt.Fprintln(f, "# news")
	f.Close()
	output(d.T, exec.Command("dpkg-deb", "-Zgzip", "-b", dir, dir+".deb"))
	return dir + ".deb"
}

// fiveLines takes the # away from the five lines that the sample has to begin with, and puts addresses in.
func fiveLines(t *testing.T, sample, port, control string, servers []string) string {
	t.Helper()
	_, rest, found := strings.Cut(sample, "# Five lines to begin with")
	if !found {
		t.Fatal("the sample has no five lines to begin with")
	}
	lines := strings.SplitN(rest, "\n", 7)[1:6]
	values := []string{"user pen", "listen 127.0.0.1:" + port, "server 0 address 127.0.0.1 port " + servers[0], "server 1 address 127.0.0.1 port " + servers[1], "control 127.0.0.1:" + control}
	for i, line := range lines {
		words := strings.Fields(strings.TrimPrefix(line, "#"))
		if !strings.HasPrefix(line, "#\t") || !strings.HasPrefix(values[i], words[0]) {
			t.Fatalf("got line %q of the sample, want one like %q", line, values[i])
		}
		sample = strings.Replace(sample, line+"\n", values[i]+"\n", 1)
	}
	return sample
}

// On a Debian as it is installed: install, edit five lines, start, upgrade while it runs, remove, purge.
func TestDebianFromInstallToPurge(t *testing.T) {
	deb := made(t, "pen_*_"+debArch(t)+".deb")
	t.Parallel()
	d := newDebian(t)
	before := d.files()
	d.install(deb)
	if pids := d.processes(); len(pids) > 0 || d.has("/etc/pen/pen.conf") {
		t.Errorf("without a configuration nothing may start: got processes %v", pids)
	}
	if got := d.unit("ConditionPathExists"); !slices.Equal(got, []string{"/etc/pen/pen.conf"}) {
		t.Errorf("got condition %q of the service, want that there is a pen.conf", got)
	}
	if !d.has("/etc/systemd/system/multi-user.target.wants/pen.service") {
		t.Error("the service is not enabled")
	}
	d.account("pen")

	port, control, backends := freePort(t), freePort(t), servers(t)
	conf := fiveLines(t, d.read("/etc/pen/pen.conf.sample"), port, control, backends)
	d.write("/etc/pen/pen.conf", conf)
	d.write("/etc/pen/web.conf", "# another instance's\n")
	d.write("/etc/logrotate.d/pen", "# mine\n")
	service := d.startService()
	defer func() { service.Kill(); service.Wait() }()
	if got := ask(t, port); got != "a" && got != "b" {
		t.Errorf("got %q, want an answer of a server", got)
	}
	if got := d.run("penctl", "127.0.0.1:"+control, "servers"); !strings.Contains(got, "port "+backends[1]) {
		t.Errorf("penctl: got %q", got)
	}
	check := slices.DeleteFunc(strings.Fields(d.unit("ExecReload")[0]), func(w string) bool { return w == "$PEN_OPTIONS" })
	d.run(check[0], check[1:]...)

	d.install(d.newer(deb))
	if got := d.read("/etc/pen/pen.conf"); got != conf {
		t.Error("the upgrade has changed pen.conf")
	}
	if got := d.read("/etc/logrotate.d/pen"); got != "# mine\n" {
		t.Errorf("the upgrade has changed what the operator had changed: %q", got)
	}
	if !strings.HasSuffix(d.read("/etc/pen/pen.conf.sample"), "# news\n") {
		t.Error("the upgrade has not brought the new sample")
	}
	if got := ask(t, port); got != "a" && got != "b" {
		t.Errorf("got %q during the upgrade, want an answer of a server", got)
	}
	d.stop(service)
	service = d.startService()
	ask(t, port)
	d.stop(service)

	d.apt("remove", "pen")
	if d.has("/usr/bin/pen") || !d.has("/etc/pen/pen.conf") || !d.has("/etc/logrotate.d/pen") {
		t.Error("remove takes the programs and leaves the settings")
	}
	d.apt("purge", "pen")
	after := slices.DeleteFunc(d.files(), func(path string) bool { return path == "/etc/pen/web.conf" })
	if !slices.Equal(before, after) {
		t.Errorf("a purge leaves\n%s\nwant what was there before\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	if !d.has("/etc/pen/web.conf") {
		t.Error("the purge has taken a file that the operator made")
	}
}

// systemctl is a stand-in that notes how it was called and says that two units run.
const systemctl = `#!/bin/sh
echo "$*" >>/tmp/systemctl.log
case "$*" in
*list-units*) echo 'pen.service loaded active running pen'; echo 'pen@web.service loaded active running pen' ;;
*is-enabled*) echo enabled ;;
esac
`

// Where systemd runs: what the scripts of the package tell it.
func TestDebianTellsSystemd(t *testing.T) {
	deb := made(t, "pen_*_"+debArch(t)+".deb")
	t.Parallel()
	d := newDebian(t)
	if err := os.MkdirAll(d.root+"/run/systemd/system", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/usr/bin/systemctl", systemctl)
	if err := os.Chmod(d.root+"/usr/bin/systemctl", 0o755); err != nil {
		t.Fatal(err)
	}
	told := func(what string, out string, want, not []string) {
		t.Helper()
		lines := strings.Split(d.read("/tmp/systemctl.log"), "\n")
		has := func(words string) bool {
			return slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(" "+line, " "+words) })
		}
		for _, words := range want {
			if !has(words) {
				t.Errorf("%s: systemd is not told %q: %q\n%s", what, words, lines, out)
			}
		}
		for _, words := range not {
			if has(words) {
				t.Errorf("%s: systemd is told %q: %q\n%s", what, words, lines, out)
			}
		}
		d.write("/tmp/systemctl.log", "")
	}
	out := d.install(deb)
	told("install", out, []string{"daemon-reload", "start pen.service"}, []string{"restart pen.service"})

	d.write("/etc/default/pen", "PEN_OPTIONS='-r -b 5'\n")
	d.write("/etc/pen/pen.conf", "listen 127.0.0.1:8080\n")
	d.write("/etc/pen/web.conf", "listen 127.0.0.1:8081\nnonsense\n")
	out = d.install(d.newer(deb))
	told("upgrade", out, []string{"daemon-reload", "restart pen.service"}, []string{"restart pen@web.service", "start pen.service"})
	if !strings.Contains(out, "/etc/pen/web.conf:2: ") || !strings.Contains(out, "pen@web.service goes on with the old version") {
		t.Errorf("nothing about web.conf, which is wrong, in\n%s", out)
	}

	out = d.apt("remove", "pen")
	told("remove", out, []string{"stop pen.service", "stop pen@web.service", "daemon-reload"}, nil)
	out = d.install(deb)
	told("install again", out, []string{"start pen.service"}, []string{"restart pen.service"})
	if err := os.Remove(d.root + "/etc/default/pen"); err != nil {
		t.Fatal(err)
	}
	d.apt("purge", "pen")
}

// Alpine's package has a script for OpenRC, which Debian has, too.
func TestOpenRC(t *testing.T) {
	deb := made(t, "pen_*_"+debArch(t)+".deb")
	t.Parallel()
	d := newDebian(t)
	want(t, true, "unshare")
	d.install(deb)
	d.apt("update")
	d.apt("install", "--no-install-recommends", "openrc")
	text, err := os.ReadFile("conf/etc/openrc/pen")
	if err != nil {
		t.Fatal(err)
	}
	d.write("/etc/init.d/pen", string(text))
	if err := os.Chmod(d.root+"/etc/init.d/pen", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/run/openrc/softlevel", "") // OpenRC shall believe that it has started the system
	// OpenRC looks for processes in /proc.
	rc := func(action string) (string, error) {
		const script = `mount -t proc proc "$1/proc" && exec chroot "$1" /etc/init.d/pen --nodeps "$2"`
		out, err := exec.Command("unshare", "-m", "sh", "-c", script, "sh", d.root, action).CombinedOutput()
		return string(out), err
	}
	if out, err := rc("start"); err == nil || len(d.processes()) > 0 {
		t.Errorf("without pen.conf: got error %v, %s", err, out)
	}
	port, backends := freePort(t), servers(t)
	conf := "listen 127.0.0.1:" + port + "\nserver 0 address 127.0.0.1 port " + backends[0] + "\n"
	d.write("/etc/pen/pen.conf", conf)
	if out, err := rc("start"); err != nil {
		t.Fatalf("start: %v, %s", err, out)
	}
	d.awaitPort(port)
	ask(t, port)
	if out := d.run("penctl", "/run/pen/control", "blacklist 5"); out != "5\n" {
		t.Errorf("penctl: got %q", out)
	}
	d.write("/etc/pen/pen.conf", conf+"nonsense\n")
	if out, err := rc("reload"); err == nil || !strings.Contains(out, "/etc/pen/pen.conf:3: ") {
		t.Errorf("reload of what is wrong: got error %v, %s", err, out)
	}
	d.write("/etc/pen/pen.conf", conf+"blacklist 77\n")
	if out, err := rc("reload"); err != nil {
		t.Errorf("reload: %v, %s", err, out)
	}
	eventually(t, "the setting of the new file", func() bool { return d.run("penctl", "/run/pen/control", "blacklist") == "77\n" })
	if out, err := rc("stop"); err != nil {
		t.Errorf("stop: %v, %s", err, out)
	}
	eventually(t, "the end of pen", func() bool { return len(d.processes()) == 0 })
}

// Debian's own pen serves, started by the operator's own means with a file in the very place where ours would be. Ours
// takes its place: what runs goes on, the file stays, and the same command line starts the new one. And back.
func TestDebianUpgradeFromThePenOfDebian(t *testing.T) {
	deb := made(t, "pen_*_"+debArch(t)+".deb")
	t.Parallel()
	d := newDebian(t)
	d.apt("update")
	d.apt("install", "--no-install-recommends", "pen")
	old := d.run("dpkg-query", "-W", "-f", "${Version}", "pen")

	port, control, backends := freePort(t), freePort(t), servers(t)
	const conf = "# by hand\nblacklist 7\nacl 1 permit 127.0.0.1\nacl 1 deny 0.0.0.0 0.0.0.0\nclient_acl 1\nno roundrobin\n"
	if err := os.Mkdir(d.root+"/etc/pen", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/etc/pen/pen.conf", conf)
	line := []string{"-C", "127.0.0.1:" + control, "-F", "/etc/pen/pen.conf", "-u", "nobody", "127.0.0.1:" + port, "127.0.0.1:" + backends[0], "127.0.0.1:" + backends[1]}
	pid := d.background(port, line...)
	serves := func(when string) {
		t.Helper()
		if got := ask(t, port); got != "a" && got != "b" {
			t.Errorf("%s: got %q, want an answer of a server", when, got)
		}
		if got := d.run("penctl", "127.0.0.1:"+control, "blacklist"); got != "7\n" {
			t.Errorf("%s: got blacklist %q, want that of pen.conf", when, got)
		}
		if got := d.read("/etc/pen/pen.conf"); got != conf {
			t.Errorf("%s: pen.conf has become %q", when, got)
		}
	}
	serves("Debian's pen")

	d.install(deb)
	serves("the old process, after the upgrade")
	if got := d.processes(); !slices.Equal(got, []int{pid}) {
		t.Errorf("got processes %v, want %d as before: a second pen would take clients from it", got, pid)
	}
	if d.has("/etc/systemd/system/multi-user.target.wants/pen.service") {
		t.Error("the service is enabled beside what starts pen already")
	}
	d.end(pid)
	pid = d.background(port, line...)
	serves("the new process")

	d.apt("install", "--allow-downgrades", "pen="+old)
	serves("the new process, after the way back")
	d.end(pid)
	pid = d.background(port, line...)
	serves("Debian's pen again")
	d.end(pid)
	d.apt("purge", "pen")
}
