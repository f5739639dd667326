package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// installed returns the files below a folder, as paths from its root.
func installed(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// script returns the run of install.sh that make install and make uninstall are.
func script(action, bin, destdir, prefix, sysconfdir string) *exec.Cmd {
	cmd := exec.Command("sh", "conf/etc/packages/install.sh", action)
	cmd.Env = append(os.Environ(), "BIN="+bin, "DESTDIR="+destdir, "PREFIX="+prefix, "SYSCONFDIR="+sysconfdir)
	return cmd
}

func TestInstallAndUninstall(t *testing.T) {
	bin, dest := t.TempDir(), t.TempDir()
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	rows, _, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range rows {
		if !r.in(runtime.GOOS) || r.kind == kindDir {
			continue
		}
		path := r.target
		if strings.HasPrefix(path, "/usr/") {
			path = "/opt/pen" + strings.TrimPrefix(path, "/usr")
		} else if strings.HasPrefix(path, "/etc/") {
			path = "/opt/etc" + strings.TrimPrefix(path, "/etc")
		}
		want = append(want, path)
	}
	slices.Sort(want)

	output(t, script("install", bin, dest, "/opt/pen", "/opt/etc"))
	if got := installed(t, dest); !slices.Equal(got, want) {
		t.Errorf("got files\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if info, err := os.Stat(dest + "/opt/pen/bin/pen"); err != nil || info.Mode() != 0o755 {
		t.Errorf("pen: %v, %v", info, err)
	}
	for _, path := range want {
		text, err := os.ReadFile(dest + path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "/opt/pen/lib/systemd/") && strings.Contains(path, ".service") &&
			(strings.Contains(string(text), "/usr/bin/pen") || strings.Contains(string(text), " /etc/pen") || !strings.Contains(string(text), "ExecStart=/opt/pen/bin/pen ")) {
			t.Errorf("%s is about other paths:\n%s", path, text)
		}
	}

	// A second one, over a sample that has been changed.
	sample := dest + "/opt/etc/pen/pen.conf.sample"
	if err := os.WriteFile(sample, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := output(t, script("install", bin, dest, "/opt/pen", "/opt/etc")); !strings.Contains(out, sample+" has been changed") {
		t.Errorf("nothing about %s in %q", sample, out)
	}
	if text, err := os.ReadFile(sample); err != nil || string(text) != "# mine\n" {
		t.Errorf("got sample %q, %v, want it as it was", text, err)
	}

	// pen.conf is the operator's, whatever happens.
	if err := os.WriteFile(dest+"/opt/etc/pen/pen.conf", []byte("listen 80\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, script("uninstall", bin, dest, "/opt/pen", "/opt/etc"))
	left := []string{"/opt/etc/pen/pen.conf", "/opt/etc/pen/pen.conf.sample"}
	if got := installed(t, dest); !slices.Equal(got, left) {
		t.Errorf("got files %q after uninstall, want %q", got, left)
	}
	if _, err := os.Stat(dest + "/opt/pen/share/doc/pen"); err == nil {
		t.Error("an empty folder of pen is still there")
	}
}
