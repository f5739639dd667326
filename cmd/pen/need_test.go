package main_test

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// need PROGRAM... skips the script unless the programs are there or can be installed.
func need(sc *scenario, args []string) (string, error) {
	for _, name := range args {
		if err := ensure(name); err != nil {
			skip(sc.tb, err)
		}
	}
	return "", nil
}

var installing sync.Mutex // apt-get does not like company

// packageOf names the packages that are not called like their program, or that it wants beside its own.
var packageOf = map[string]string{
	"named": "bind9", "dig": "bind9-dnsutils", "ldapsearch": "ldap-utils", "rsyslogd": "rsyslog", "logger": "bsdutils", "ip": "iproute2",
	"/usr/lib/dovecot/pop3-login": "dovecot-pop3d", "/usr/lib/dovecot/imap-login": "dovecot-imapd",
	"systemd-analyze": "systemd", "systemd-socket-activate": "systemd", "systemd-sysusers": "systemd", "systemd-tmpfiles": "systemd",
	"xmllint": "libxml2-utils", "testssl": "testssl.sh", "swaks": "swaks libnet-ssleay-perl",
}

// ensure installs a program that is missing, as root where there is apt.
func ensure(name string) error {
	installing.Lock()
	defer installing.Unlock()
	if hasProgram(name) {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s is not installed, and only root can install it", name)
	}
	pkg := cmp.Or(packageOf[name], filepath.Base(name))
	cmd := exec.Command("apt-get", append([]string{"install", "-y", "--no-install-recommends"}, strings.Fields(pkg)...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1") // ask nothing, start no service
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s is not installed and apt-get cannot: %w: %.300s", name, err, out)
	}
	if !hasProgram(name) {
		return fmt.Errorf("%s is not there, even after apt-get install", name)
	}
	return nil
}

func hasProgram(name string) bool {
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if _, err := exec.LookPath(dir + name); err == nil {
			return true
		}
	}
	return false
}

// skip skips the test and says so where `make test` shows it: go test keeps the output of passing packages to itself.
func skip(tb testing.TB, why error) {
	tb.Helper()
	note := fmt.Sprintf("skipped %s: %v", tb.Name(), why)
	if file := os.Getenv("PEN_SKIPPED"); file != "" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			fmt.Fprintln(f, note)
			f.Close()
		}
	}
	tb.Skip(note)
}

// hasIPv6 reports whether this machine has ::1.
var hasIPv6 = sync.OnceValue(func() bool {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	ln.Close()
	return true
})
