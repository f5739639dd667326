// Command packages makes the packages of pen: .deb, .rpm and .apk for Linux, and for Solaris and illumos an archive with the
// tree of files, an IPS manifest and what pkgmk wants. What is in them is said by the table conf/etc/packages/files, and
// so it is for make install. The same sources give the same bytes, wherever and whenever they are built.
//
// It is a program of the sources, as is the demo: run it by make packages.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// programs are the programs of a package.
var programs = []string{"pen", "penctl", "penlog", "penlogd", "mergelogs"}

// targets are the systems that packages are made for.
var targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"solaris", "amd64"}, {"illumos", "amd64"}}

// target is a system and a processor.
type target struct{ system, arch string }

func (t target) String() string { return t.system + "/" + t.arch }

// release is what all packages of a run have in common.
type release struct {
	version string    // as programs print it: 1.0.0, or 1.0.0~pre20261126140000 on the way there
	ldflags string    // that the programs are built with, which is how they know the version
	time    time.Time // of all files
	out     string    // where the packages go
	cache   string    // for the build of the programs, if not Go's own: an empty one shows that nothing depends on it
	log     io.Writer
}

func main() {
	var r release
	flag.StringVar(&r.version, "version", "", "`version` of pen")
	flag.StringVar(&r.ldflags, "ldflags", "-s -w", "`flags` for the linker")
	flag.StringVar(&r.out, "out", "bin/packages", "`directory` for the packages")
	flag.StringVar(&r.cache, "cache", "", "`directory` in the place of Go's build cache")
	date := flag.String("date", "", "`time` of all files, like 2006-01-02T15:04:05Z; that of the change log if left out")
	only := flag.String("only", "", "one `system/processor`, of the four")
	flag.Parse()
	r.log = os.Stdout
	if err := r.run(*date, *only); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

// run makes the packages of all targets, or of one.
func (r *release) run(date, only string) error {
	rows, _, err := readTable(tablePath)
	if err != nil {
		return err
	}
	if err := r.complete(date); err != nil {
		return err
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return only != "" && t.String() != only })
	if len(chosen) == 0 {
		return fmt.Errorf("no packages for %s; want one of %v", only, targets)
	}
	for _, t := range chosen {
		s := &stage{release: r, target: t, dir: filepath.Join(r.out, "work", t.system+"-"+t.arch)}
		if err := s.make(rows); err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
	}
	return os.RemoveAll(filepath.Join(r.out, "work"))
}

// complete takes from the change log what the command line does not say.
func (r *release) complete(date string) error {
	log, err := readChanges(changesPath)
	if err != nil {
		return err
	}
	if r.version == "" {
		r.version = log.version
	}
	r.time = log.time
	if date != "" {
		r.time, err = time.Parse(time.RFC3339, date)
	}
	return err
}

// number returns the release that the version is of or leads to, and what says that it is not there yet, or nothing.
func (r *release) number() (number, pre string) {
	number, pre, _ = strings.Cut(r.version, "~")
	return number, pre
}

// command runs a program in the module's folder with variables added to the environment. Its output is shown if it fails.
func command(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// tool runs one of the tools that tools.mod names. They have a list of their own because pen needs none of what they need.
func tool(env []string, args ...string) error {
	return command(env, "go", append([]string{"tool", "-modfile=conf/etc/packages/tools.mod"}, args...)...)
}
