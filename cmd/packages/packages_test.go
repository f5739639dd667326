package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contents returns the lines "MODE PATH" that a package must have for its files.
func contents(t *testing.T, place string) []string {
	t.Helper()
	rows, _, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range rows {
		if !r.in(place) || r.kind == kindDir {
			continue
		}
		if r.kind == kindMan && place != "sun" {
			r.target += ".gz"
		}
		lines = append(lines, fmt.Sprintf("%04o %s", r.mode, r.target))
	}
	slices.Sort(lines)
	return lines
}

// same compares what is in a package with what must be.
func same(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// file is a member of an archive.
type file struct {
	*tar.Header
	text []byte
}

// untar reads an archive; Alpine's is three of them, each compressed on its own, in a row.
func untar(t *testing.T, path string) []file {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{h, text})
	}
}

func TestDebContents(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		deb := made(t, "pen_*_"+arch+".deb")
		want(t, false, "dpkg-deb", "lintian")
		var got []string
		for line := range strings.Lines(output(t, exec.Command("dpkg-deb", "-c", deb))) {
			words := strings.Fields(line)
			if line[0] == '-' {
				got = append(got, octal(words[0])+" "+strings.TrimPrefix(words[5], "."))
			}
			if words[1] != "root/root" {
				t.Errorf("%s is not root's: %s", arch, line)
			}
		}
		same(t, got, contents(t, "deb"))
		// It runs as any user, and has no file of ours where it could hold a reason against us.
		if out, err := exec.Command("lintian", "--fail-on", "error,warning", deb).CombinedOutput(); err != nil {
			t.Errorf("lintian: %v\n%s", err, out)
		}
	}
}

// octal makes rwxr-xr-x of ls a number.
func octal(ls string) string {
	var n uint
	for _, c := range ls[1:10] {
		n <<= 1
		if c != '-' {
			n |= 1
		}
	}
	return fmt.Sprintf("%04o", n)
}

func TestRPMContents(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		pkg := made(t, "pen-*."+arch+".rpm")
		want(t, false, "rpm")
		var got []string
		for line := range strings.Lines(output(t, exec.Command("rpm", "-qlvp", pkg))) {
			if words := strings.Fields(line); line[0] == '-' {
				got = append(got, octal(words[0])+" "+words[8])
			}
		}
		same(t, got, contents(t, "rpm"))
		settings := strings.Fields(output(t, exec.Command("rpm", "-qp", "--queryformat", `[%{FILENAMES}:%{FILEFLAGS:fflags}\n]`, pkg)))
		for _, path := range settingsOf(t, "rpm") {
			if !slices.Contains(settings, path+":cn") {
				t.Errorf("%s: an upgrade would overwrite %s: %q", arch, path, settings)
			}
		}
		if out := output(t, exec.Command("rpm", "-K", "--nosignature", pkg)); !strings.Contains(out, "digests OK") {
			t.Errorf("%s: %s", arch, out)
		}
	}
}

// settingsOf returns the files of a package that an upgrade must leave alone.
func settingsOf(t *testing.T, place string) []string {
	t.Helper()
	rows, _, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range rows {
		if r.in(place) && r.kind == kindConf {
			paths = append(paths, r.target)
		}
	}
	return paths
}

func TestAPKContents(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		pkg := made(t, "pen-*."+arch+".apk")
		var got []string
		var info string
		for _, f := range untar(t, pkg) {
			switch {
			case f.Name == ".PKGINFO":
				info = string(f.text)
			case f.Typeflag == tar.TypeReg && !strings.HasPrefix(f.Name, "."):
				got = append(got, fmt.Sprintf("%04o /%s", f.Mode&0o777, f.Name))
			}
		}
		same(t, got, contents(t, "apk"))
		form := regexp.MustCompile(`(?m)^pkgver = \d+(\.\d+)*(_pre\d+)?(-r\d+)?$`)
		if !form.MatchString(info) || !strings.Contains(info, "arch = "+arch+"\n") {
			t.Errorf("%s: %s", arch, info)
		}
	}
}

func TestSunContents(t *testing.T) {
	for _, system := range []string{"solaris", "illumos"} {
		pkg := made(t, "pen-*."+system+"-amd64.tar.gz")
		var got []string
		var others []string
		for _, f := range untar(t, pkg) {
			_, name, _ := strings.Cut(f.Name, "/")
			path, ours := strings.CutPrefix(name, "root/")
			switch {
			case ours && f.Typeflag == tar.TypeReg:
				got = append(got, fmt.Sprintf("%04o /%s", f.Mode, path))
			case !ours:
				others = append(others, name)
			}
			if strings.HasPrefix(path, "usr/bin/pen") && !bytes.HasPrefix(f.text, []byte("\x7fELF")) {
				t.Errorf("%s: %s is no program", system, path)
			}
		}
		same(t, got, contents(t, "sun"))
		if want := []string{"pen.p5m", "svr4/copyright", "svr4/pkginfo", "svr4/postinstall", "svr4/prototype"}; !slices.Equal(others, want) {
			t.Errorf("%s: got %q beside the tree, want %q", system, others, want)
		}
	}
}

// Each module that go version -m finds in the programs is in the bill and in the copyright, with its licence.
func TestBillAndCopyright(t *testing.T) {
	deb := made(t, "pen_*_amd64.deb")
	want(t, false, "dpkg-deb")
	dir := t.TempDir()
	output(t, exec.Command("dpkg-deb", "-x", deb, dir))
	text, err := os.ReadFile(dir + "/usr/share/doc/pen/sbom.cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := os.ReadFile(made(t, "pen-*.linux-amd64.cdx.json"))
	if err != nil || !bytes.Equal(text, beside) {
		t.Errorf("the bill beside the package is not the one in it: %v", err)
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{b.Metadata.Component.Ref: true}
	listed := map[string]bool{}
	for _, c := range b.Components {
		if len(c.Licenses) != 1 || c.Licenses[0].License.ID == "" {
			t.Errorf("%s has no licence", c.Name)
		}
		if refs[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = true
		listed[c.Name+" "+c.Version] = true
	}
	for _, d := range b.Dependencies {
		for _, ref := range append(d.On, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s is a dependency and no component", ref)
			}
		}
	}
	copyright, err := os.ReadFile(dir + "/usr/share/doc/pen/copyright")
	if err != nil {
		t.Fatal(err)
	}
	dep := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`)
	for _, name := range programs {
		found := dep.FindAllStringSubmatch(output(t, exec.Command("go", "version", "-m", dir+"/usr/bin/"+name)), -1)
		if len(found) == 0 {
			t.Errorf("%s: no modules", name)
		}
		for _, m := range found {
			if !listed[m[1]+" "+m[2]] {
				t.Errorf("%s: %s %s is not in the bill", name, m[1], m[2])
			}
			if !strings.Contains(string(copyright), "\nFiles: "+m[1]+"/*\n") {
				t.Errorf("%s: %s is not in the copyright", name, m[1])
			}
		}
		if !listed[name+" "+b.Metadata.Component.Version] {
			t.Errorf("%s is not in the bill", name)
		}
	}
}

// The programs are static, and each says its version, commit and date.
func TestProgramsOfThePackage(t *testing.T) {
	deb := made(t, "pen_*_amd64.deb")
	want(t, false, "dpkg-deb")
	dir := t.TempDir()
	output(t, exec.Command("dpkg-deb", "-x", deb, dir))
	version := strings.TrimSpace(output(t, exec.Command("dpkg-deb", "-f", deb, "Version")))
	for _, name := range programs {
		path := filepath.Join(dir, "usr/bin", name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("/ld-linux")) {
			t.Errorf("%s wants a dynamic linker", name)
		}
		got := output(t, exec.Command(path, "--version"))
		form := regexp.MustCompile(`^` + name + ` ` + regexp.QuoteMeta(version) + ` \([0-9a-f]{12}(-dirty)?, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)\n$`)
		if !form.MatchString(got) {
			t.Errorf("got %q, want name, version, commit and date", got)
		}
	}
}

// The scripts keep to what every sh understands.
func TestScriptsAreClean(t *testing.T) {
	made(t, "pen_*_amd64.deb") // a test of its own tool, with the others that have some
	want(t, false, "shellcheck")
	scripts, err := filepath.Glob("conf/etc/packages/*/post*")
	if err != nil {
		t.Fatal(err)
	}
	pre, err := filepath.Glob("conf/etc/packages/*/pre*")
	if err != nil {
		t.Fatal(err)
	}
	scripts = append(scripts, pre...)
	if len(scripts) < 7 {
		t.Errorf("got scripts %q, want those of all packages", scripts)
	}
	args := append([]string{"-s", "sh", "conf/etc/packages/install.sh", "conf/etc/packages/restart-services", "conf/etc/openrc/pen"}, scripts...)
	output(t, exec.Command("shellcheck", args...))
}

// The same sources in another folder, built with an empty cache, make the same packages.
func TestSameSourcesMakeTheSameBytes(t *testing.T) {
	first := made(t, "pen_*_amd64.deb")
	t.Parallel()
	dir := t.TempDir()
	files := output(t, exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
	list := exec.Command("tar", "--null", "-T", "-", "--ignore-failed-read", "-cf", dir+".tar")
	list.Stdin = strings.NewReader(files)
	output(t, list)
	output(t, exec.Command("tar", "-xf", dir+".tar", "-C", dir))

	cmd := exec.Command("make", "-s", "packages", "PACKAGEFLAGS=-only linux/amd64 -cache "+t.TempDir(), "VERSION="+os.Getenv("VERSION"), "COMMIT="+os.Getenv("COMMIT"), "DATE="+os.Getenv("DATE"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TZ=Asia/Tokyo", "LC_ALL=C")
	output(t, cmd)
	compared := 0
	for _, path := range installed(t, dir+"/bin/packages") {
		if got, want := sum(t, dir+"/bin/packages"+path), sum(t, filepath.Dir(first)+path); got != want {
			t.Errorf("%s differs: %s, %s", path, got, want)
		}
		compared++
	}
	if compared != 4 { // the three packages and the bill
		t.Errorf("compared %d files, want 4", compared)
	}
}

// sum returns the hash of a file.
func sum(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
