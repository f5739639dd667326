package main

import (
	"errors"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the directory of the module, seen from here.
const root = "../.."

// rule is a row of rules.
type rule struct {
	folder string   // it is about the packages in this folder and below
	allow  []string // packages of ours, and first words of the paths of others
	reason string
}

// The rules say what packages may import besides the standard library, their tests apart. The first one that fits counts.
var rules = []rule{
	{"bench", []string{"github.com", "golang.org/x/sys", "gonum.org/v1/plot"},
		"it measures the programs as they are built, beside others: our packages would make us special"},
	{"cmd/daemon", []string{"golang.org/x/sys", "github.com/coreos/go-systemd", "github.com/landlock-lsm/go-landlock"},
		"pen and penlogd share it: it knows nothing of what they do; what systemd hands over and wants to hear, and Landlock for all threads, are their own libraries' business"},
	{"cmd/packages", nil, "it makes packages of the programs as they are built; what it needs for that are tools, which pen's go.mod is kept free of"},
	{"cmd/version", nil, "all programs share it"},
	{"cmd/demo", []string{"golang.org/x/sys"}, "it shows the programs as they are built"},
	{"cmd/pen", []string{"pen/cmd/daemon", "pen/cmd/version", "pen/conf", "pen/engine/control", "github.com/spf13/pflag"},
		"options become settings and settings a control plane: how bytes move is none of its business"},
	{"cmd/penctl", []string{"pen/cmd/version", "pen/conf", "github.com/spf13/pflag", "charm.land/bubbletea", "golang.org/x/term"}, "it talks to the control socket as any script could"},
	{"cmd", []string{"pen/cmd/daemon", "pen/cmd/version", "pen/engine/logline", "github.com/spf13/pflag", "github.com/schollz/progressbar", "golang.org/x"},
		"the log tools share the format of the lines with pen, no more"},
	{"conf", nil, "what an operator can say is pure: no sockets, no dependencies, tested without either"},
	{"engine/certs", []string{"pen/conf", "golang.org/x/crypto"},
		"files become configurations of TLS, for whoever speaks it; the answers of OCSP are signed structures that are not to be parsed by hand"},
	{"engine/control", []string{"pen/conf", "pen/engine", "pen/engine/certs", "pen/engine/logline", "github.com/prometheus/client_golang", "github.com/prometheus/client_model",
		"golang.org/x/net/dns", "golang.org/x/sys"},
		"the control plane reaches the data plane by the methods of the engine alone, never past it"},
	{"engine/http1", nil, "it judges bytes and nothing else, so that whatever comes can be tried on it, in whatever pieces"},
	{"engine/logline", nil, "the log tools use it, which are to stay small"},
	{"engine/tlsio", []string{"pen/splice"}, "TLS on a socket and nothing else: it must not know what a session is, nor where certificates come from"},
	{"engine", []string{"pen/conf", "pen/engine/certs", "pen/engine/http1", "pen/engine/tlsio", "pen/engine/logline", "pen/poller", "pen/splice", "golang.org/x/sys", "github.com/oschwald/maxminddb-golang", "github.com/pires/go-proxyproto"},
		"the data plane must not know who controls it, and no third-party code is on its path but the look-up of a country where a list has one, and the PROXY header where there is one"},
	{"poller", []string{"golang.org/x/sys"}, "readiness of descriptors and nothing else: it must not know what a session is"},
	{"splice", []string{"golang.org/x/sys"}, "moving bytes and nothing else: it must not know what balancing is"},
}

// systems are those that pen runs on: a package may import different things on each.
var systems = []string{"linux", "freebsd", "openbsd", "netbsd", "darwin", "solaris", "illumos"}

func TestImports(t *testing.T) {
	for dir, imports := range packages(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return dir == r.folder || strings.HasPrefix(dir, r.folder+"/") })
		if i < 0 {
			t.Errorf("%s: there is no rule for it; add one that says what it may import, and why", dir)
			continue
		}
		for _, path := range imports {
			if !rules[i].allows(path) {
				t.Errorf("%s imports %s, which it must not: %s", dir, path, rules[i].reason)
			}
		}
	}
}

// allows reports whether the packages of the rule may import path.
func (r rule) allows(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	standard := first != "pen" && !strings.Contains(first, ".")
	return standard || slices.ContainsFunc(r.allow, func(a string) bool {
		return path == a || !strings.HasPrefix(a, "pen/") && strings.HasPrefix(path, a+"/")
	})
}

// packages returns what each package of the module imports on any system, by its folder.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range folders(t) {
		for _, system := range systems {
			if p := importDir(t, dir, system); p != nil {
				found[dir] = append(found[dir], p.Imports...)
			}
		}
	}
	if len(found) < 5 {
		t.Fatalf("got %d packages below %s, want all of the module", len(found), root)
	}
	for dir, imports := range found {
		slices.Sort(imports)
		found[dir] = slices.Compact(imports)
	}
	return found
}

// importDir returns the package in a folder as a system has it, or nil if there is none but for tests.
func importDir(t *testing.T, dir, system string) *build.Package {
	t.Helper()
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = system, "amd64", false
	p, err := c.ImportDir(filepath.Join(root, dir), 0)
	if _, none := errors.AsType[*build.NoGoError](err); none {
		return nil
	}
	if err != nil {
		t.Fatalf("%s on %s: %v", dir, system, err)
	}
	if len(p.GoFiles) == 0 {
		return nil
	}
	return p
}

// folders returns the folders of the module that may hold packages.
func folders(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == root {
			return err
		}
		if name := d.Name(); name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			return filepath.SkipDir
		}
		dir, err := filepath.Rel(root, path)
		dirs = append(dirs, filepath.ToSlash(dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// The package comment says what a package is, what it is not, and who owns its state: of two comments the reader does
// not know which to believe.
func TestPackageComments(t *testing.T) {
	for _, system := range systems {
		for _, dir := range folders(t) {
			p := importDir(t, dir, system)
			if p == nil {
				continue
			}
			with := slices.DeleteFunc(p.GoFiles, func(file string) bool {
				f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
				if err != nil {
					t.Fatal(err)
				}
				return f.Doc == nil
			})
			if len(with) != 1 {
				t.Errorf("%s on %s: got package comments in %q, want exactly one", dir, system, with)
			}
		}
	}
}
