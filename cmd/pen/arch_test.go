package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importRule says what a package may import from outside of the standard library, and why no more.
type importRule struct {
	pkg  string
	may  []string
	test []string // more for its tests
	why  string
}

// importRules say who may import what. A package is a pattern: "pen/engine" is that package alone, "pen/engine/..." all below it as
// well. The first rule that fits a package is its rule.
var importRules = []importRule{
	{pkg: "pen/conf", why: "what an operator can say is pure: no sockets, nothing of the engine"},
	{pkg: "pen/engine/logline", why: "the tools that read logs must not carry the engine along"},
	{pkg: "pen/cmd/version", why: "it is a string"},
	{pkg: "pen/poller", may: []string{"golang.org/x/sys/unix"}, why: "readiness knows nothing of balancing"},
	{pkg: "pen/splice", may: []string{"golang.org/x/sys/unix"}, why: "bytes are moved by code that knows nothing of balancing"},
	{pkg: "pen/engine", may: []string{"golang.org/x/sys/unix", "pen/conf", "pen/poller", "pen/splice", "pen/engine/logline"},
		why: "the data plane is below the control plane"},
	{pkg: "pen/engine/control", may: []string{"golang.org/x/sys/unix", "pen/conf", "pen/engine", "pen/engine/logline",
		"pen/cmd/version", "github.com/prometheus/client_golang/..."},
		why: "the control plane reaches sockets of clients through the engine only"},
	{pkg: "pen/cmd/pen", may: []string{"golang.org/x/sys/unix", "github.com/spf13/pflag", "pen/cmd/daemon", "pen/cmd/version", "pen/conf",
		"pen/engine", "pen/engine/control"}, test: []string{"github.com/rogpeppe/go-internal/testscript"},
		why: "main turns options into settings and hands them over"},
	{pkg: "pen/cmd/daemon", may: []string{"golang.org/x/sys/unix"}, why: "background, user and pid file are the same for pen and penlogd"},
	{pkg: "pen/cmd/demo", may: []string{"golang.org/x/sys/unix"}, why: "it shows the built programs"},
	{pkg: "pen/cmd/...", may: []string{"golang.org/x/sys/unix", "github.com/spf13/pflag", "pen/cmd/daemon", "pen/cmd/version",
		"pen/conf", "pen/engine/logline"}, why: "the small programs stay small"},
	{pkg: "pen/bench/...", may: []string{"golang.org/x/sys/unix", "github.com/spf13/pflag", "github.com/cloudwego/netpoll",
		"github.com/HdrHistogram/hdrhistogram-go", "pen/bench/..."},
		why: "measurements are made from outside, on the built binaries"},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		at := slices.IndexFunc(importRules, func(r importRule) bool { return matches(r.pkg, p.ImportPath) })
		if at < 0 {
			t.Errorf("no rule for %s", p.ImportPath)
			continue
		}
		r := importRules[at]
		check := func(imports, may []string) {
			for _, i := range imports {
				if isStd(i) || i == p.ImportPath || slices.ContainsFunc(may, func(m string) bool { return matches(m, i) }) {
					continue
				}
				t.Errorf("%s must not import %s: %s", p.ImportPath, i, r.why)
			}
		}
		check(p.Imports, r.may)
		check(slices.Concat(p.TestImports, p.XTestImports), slices.Concat(r.may, r.test))
	}
}

func listPackages(t *testing.T) []goPackage {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "pen/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// isStd reports whether the package is of the standard library.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != "pen" && !strings.Contains(first, ".")
}

// matches reports whether a pattern of importRules covers the package.
func matches(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return path == pattern
}
