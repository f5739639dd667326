package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scenarios in testdata/*.txtar run the built programs against real sockets. docs/testing.md explains how to write
// one and lists the commands; commands() below is the list itself.
//
// A script with a line "oracle" is run a second time with the C pen in the place of ours, and what its commands printed
// must be the same, port numbers, pids, paths and times apart.

// patience bounds every wait for something that must happen. It is long because machines that run tests are slow; a
// passing scenario never comes near it.
const patience = 30 * time.Second

// command is one word of the scripts. What it prints can be examined by the commands expect and stdout.
type command func(sc *scenario, args []string) (stdout string, err error)

// commands returns all words: one row each, grouped by the file that implements them.
func commands() map[string]command {
	return map[string]command{
		// scenario_test.go
		"oracle":     func(*scenario, []string) (string, error) { return "", nil },
		"ours":       ours,
		"expect":     expect,
		"eventually": eventually,
		"need":       need,
		"fill":       fillIn,

		// netns_test.go
		"netns": makeHosts,

		// recipe_test.go
		"recipe": recipe,

		// program_test.go
		"pen":     startPen,
		"ctl":     ctl,
		"await":   await,
		"signal":  signalProgram,
		"exited":  exited,
		"said":    said,
		"adopt":   adopt,
		"control": control,

		// resources_test.go
		"mark":  mark,
		"grown": grown,
		"cpu":   cpu,

		// backends_test.go
		"port":    port,
		"backend": startBackend,
		"halt":    haltBackends,
		"start":   restartBackends,
		"accept":  acceptFrom,
		"answer":  setAnswer,

		// clients_test.go
		"get":      get,
		"transfer": transfer,
		"hold":     hold,
		"release":  release,

		// datagram_test.go
		"mirror":  startMirror,
		"shatter": stopMirrors,
		"mend":    restartMirrors,
		"ask":     askServers,
		"flood":   flood,

		// load_test.go
		"load":   startLoad,
		"churn":  churn,
		"finish": finishLoad,

		// browser_test.go
		"browse": browse,
		"shows":  shows,
		"press":  press,
		"shot":   shot,

		// prometheus_test.go
		"asked": asked,

		// service_test.go
		"supervise": supervise,
		"told":      told,

		// tls_test.go
		"certificate": certificate,

		// terminal_test.go
		"terminal": startTerminal,
		"screen":   screen,
		"keys":     keys,

		// dialogue_test.go
		"dial":   dial,
		"send":   send,
		"recv":   recv,
		"line":   line,
		"half":   half,
		"eof":    eof,
		"gone":   gone,
		"silent": silent,
		"shut":   shut,
		"reset":  reset,
	}
}

// scenario is the state of one run of one script.
type scenario struct {
	tb        testing.TB
	ts        *testscript.TestScript
	dir       string // where the programs are
	reference bool   // the programs are the C ones
	names     map[string]string
	backends  map[string]*backend
	mirrors   map[string]*mirror
	programs  map[string]*program
	streams   map[string]*stream
	held      map[string]*held
	loads     map[string]*load
	browsers  map[string]*browser
	terminals map[string]*terminal
	hosts     []string // network namespaces
	manager   *manager
	environ   []string     // of the programs that pen starts, beside what the test has
	printed   string       // by the last command
	record    bytes.Buffer // what every command printed, for the comparison of two programs
}

type scenarioKey struct{}

func TestScenarios(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the scenarios read /proc; they run on Linux only")
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	if os.Getenv("PEN_ORACLE") != "" { // for those who write scripts: does the C pen agree?
		runScripts(t, files, "/usr/bin", true)
		return
	}
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	var own, other map[string]string
	t.Run("pen", func(t *testing.T) { own = runScripts(t, files, dir, false) })
	t.Run("oracle", func(t *testing.T) {
		if err := ensure("/usr/bin/pen"); err != nil {
			skip(t, err)
		}
		other = runScripts(t, slices.DeleteFunc(files, func(f string) bool { return !hasOracle(t, f) }), "/usr/bin", true)
	})
	t.Run("same", func(t *testing.T) { compareRecords(t, own, other) })
}

// runScripts runs the files with the programs of dir. The map that it returns is filled when the test t has ended: what
// each script printed, by the script's name.
func runScripts(t *testing.T, files []string, dir string, reference bool) map[string]string {
	records := make(map[string]string)
	done := make(chan *scenario, len(files))
	t.Cleanup(func() {
		close(done)
		for sc := range done {
			records[sc.ts.Name()] = sc.record.String()
		}
	})
	p := testscript.Params{
		Files:               files,
		Cmds:                make(map[string]func(*testscript.TestScript, bool, []string)),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           func(name string) (bool, error) { return condition(name, reference) },
		Setup:               func(env *testscript.Env) error { return setup(env, dir, reference, done) },
	}
	for name, c := range commands() {
		p.Cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) { run(ts, name, c, neg, args) }
	}
	testscript.Run(t, p)
	return records
}

func condition(name string, reference bool) (bool, error) {
	switch name {
	case "reference":
		return reference, nil
	case "root":
		return os.Geteuid() == 0, nil
	case "race": // the programs have been built with the race detector, which takes memory and time
		return os.Getenv("PEN_RACE") != "", nil
	case "soak": // there is time
		return os.Getenv("PEN_SOAK") != "", nil
	case "ipv6":
		return hasIPv6(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// setup makes a scenario and opens the work directory for the user that pen becomes.
func setup(env *testscript.Env, dir string, reference bool, done chan<- *scenario) error {
	for _, d := range []string{env.WorkDir, filepath.Dir(env.WorkDir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			return err
		}
	}
	sc := &scenario{
		tb: env.T().(testing.TB), dir: dir, reference: reference,
		names: map[string]string{env.WorkDir: "WORK"}, backends: make(map[string]*backend), mirrors: make(map[string]*mirror), programs: make(map[string]*program),
		streams: make(map[string]*stream), held: make(map[string]*held), loads: make(map[string]*load), browsers: make(map[string]*browser),
		terminals: make(map[string]*terminal),
	}
	env.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("TEST", os.Args[0])
	repo, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	env.Setenv("REPO", repo)
	env.Values[scenarioKey{}] = sc
	env.Defer(func() {
		sc.end()
		if sc.ts != nil {
			done <- sc
		}
	})
	return nil
}

// end closes what the script left open; pen goes first, while its servers and clients are still there.
func (sc *scenario) end() {
	for _, b := range sc.browsers {
		b.cancel()
	}
	for _, t := range sc.terminals {
		t.end()
	}
	for _, p := range sc.programs {
		if err := p.end(); err != nil {
			sc.tb.Errorf("%s: %v", p.name, err)
		}
		if sc.tb.Failed() {
			sc.tb.Logf("stderr of %s:\n%s", p.name, p.stderr.String())
		}
	}
	for _, s := range sc.streams {
		s.conn.Close()
	}
	for _, h := range sc.held {
		h.close()
	}
	for _, b := range sc.backends {
		b.stop()
	}
	if sc.manager != nil {
		sc.manager.conn.Close()
	}
	sc.removeHosts()
}

// run runs one command for testscript and records what it printed.
func run(ts *testscript.TestScript, name string, c command, neg bool, args []string) {
	sc := ts.Value(scenarioKey{}).(*scenario)
	sc.ts = ts
	out, err := c(sc, args)
	fmt.Fprint(ts.Stdout(), out)
	if name != "expect" {
		sc.printed = out
	}
	if neg && err == nil {
		ts.Fatalf("unexpected success; it printed %q", out)
	}
	if err != nil && !neg {
		ts.Fatalf("%v", err)
	}
	if err != nil {
		ts.Logf("%v (expected)", err)
	}
	if name != "ours" && name != "eventually" {
		fmt.Fprintf(&sc.record, "%s\n%s\n", sc.normal(strings.Join(append([]string{name}, args...), " ")), sc.normal(out))
	}
}

var (
	numbers = regexp.MustCompile(`\b\d{4,7}\b`) // ports
	stamps  = regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`)
)

// normal replaces what differs from run to run by names. A process id is one only where it is all that was printed: any
// number may happen to be one.
func (sc *scenario) normal(s string) string {
	for _, p := range sc.programs {
		if strings.TrimSpace(s) == strconv.Itoa(p.pid) {
			return "PID"
		}
	}
	s = stamps.ReplaceAllString(s, "TIME")
	for _, value := range slices.Sorted(maps.Keys(sc.names)) {
		if strings.Contains(value, "/") {
			s = strings.ReplaceAll(s, value, sc.names[value])
		}
	}
	return numbers.ReplaceAllStringFunc(s, func(n string) string {
		if name, ok := sc.names[n]; ok {
			return name
		}
		return n
	})
}

// hasOracle reports whether the script wants to be compared with the C pen.
func hasOracle(t *testing.T, file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(text, []byte("\noracle\n"))
}

// compareRecords fails for every script that ran on both programs and printed different things, at the first difference.
func compareRecords(t *testing.T, own, other map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(other)) {
		t.Run(name, func(t *testing.T) {
			got, want := strings.Split(own[name], "\n"), strings.Split(other[name], "\n")
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("after %q\ngot  %q\nwant %q, as the C pen", got[max(0, i-1)], got[i], want[i])
				}
			}
			if len(got) != len(want) {
				t.Fatalf("got %d lines, want %d", len(got), len(want))
			}
		})
	}
}

// ours COMMAND... runs a command unless the program is the C pen, which is known to be wrong there.
func ours(sc *scenario, args []string) (string, error) {
	if sc.reference {
		return "", nil
	}
	return sc.call(args)
}

// call runs the command in args; a leading "!" inverts its result.
func (sc *scenario) call(args []string) (string, error) {
	neg := len(args) > 0 && args[0] == "!"
	if neg {
		args = args[1:]
	}
	if len(args) == 0 {
		return "", errors.New("a command is missing")
	}
	c, ok := commands()[args[0]]
	if !ok {
		return "", fmt.Errorf("unknown command %q", args[0])
	}
	if args[0] == "expect" {
		return sc.printed, second(c(sc, args[1:]))
	}
	out, err := c(sc, args[1:])
	if neg && err == nil {
		return out, fmt.Errorf("unexpected success of %q; it printed %q", args, out)
	}
	if neg {
		err = nil
	}
	return out, err
}

func second(_ string, err error) error { return err }

// expect TEXT requires that the last command printed exactly this, blanks and newlines at the ends apart.
func expect(sc *scenario, args []string) (string, error) {
	got, want := strings.TrimSpace(sc.printed), strings.Join(args, " ")
	if got != want {
		return "", fmt.Errorf("got  %q\nwant %q", got, want)
	}
	return "", nil
}

// eventually [-match REGEXP] COMMAND... repeats the command until it succeeds and prints what matches.
func eventually(sc *scenario, args []string) (string, error) {
	match := regexp.MustCompile("")
	if len(args) > 1 && args[0] == "-match" {
		var err error
		if match, err = regexp.Compile("(?m)" + args[1]); err != nil {
			return "", err
		}
		args = args[2:]
	}
	var out string
	var err error
	ok := poll(func() bool {
		out, err = sc.call(args)
		return err == nil && match.MatchString(out)
	})
	if !ok && err == nil {
		err = fmt.Errorf("%q never printed %q; at last: %q", args, match, out)
	}
	return out, err
}

// poll calls f until it returns true, or gives up after patience. The pauses leave the processor to those who work.
func poll(f func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return true
		}
	}
	return f()
}

// fill FILE... replaces $NAME in files of the script by the value of the variable.
func fillIn(sc *scenario, args []string) (string, error) {
	for _, name := range args {
		file := sc.ts.MkAbs(name)
		if err := os.WriteFile(file, []byte(os.Expand(sc.ts.ReadFile(name), sc.ts.Getenv)), 0o666); err != nil {
			return "", err
		}
	}
	return "", nil
}

// TestCommandsAreReached guards against words that testscript has itself: its own ones win, and "stop" would end a script
// early as a success.
func TestCommandsAreReached(t *testing.T) {
	const builtin = "cd chmod cmp cmpenv cp env exec exists grep kill mkdir mv rm skip stderr stdin stdout stop symlink ttyin ttyout unix2dos unquote wait"
	for name := range strings.FieldsSeq(builtin) {
		if commands()[name] != nil {
			t.Errorf("the word %q is one of testscript, which never calls ours", name)
		}
	}
}

// TestCommandsDocumented keeps docs/testing.md complete.
func TestCommandsDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for name := range commands() {
		words = append(words, name)
	}
	for kind := range kinds {
		words = append(words, kind)
	}
	for _, word := range words {
		if !regexp.MustCompile("`" + word + "[` ]").Match(guide) {
			t.Errorf("docs/testing.md does not explain %q", word)
		}
	}
}
