package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"pen/conf"
)

// commandLine is what the arguments ask for. Options and operands are executed on a draft as they are read.
type commandLine struct {
	draft   *conf.Draft
	replies io.Writer // takes the replies of -O, -o and -F
	notes   io.Writer // takes notices
	check   bool      // --check
	help    bool      // --help
	version bool      // --version
}

// option is a row of the table of options.
type option struct {
	letter string // "" = there is only the long form
	name   string // the long form
	value  string // what the value is called; "" = the option takes none
	take   func(c *commandLine, value string) error
}

// options are those of the C pen and, without a letter, our own. Nearly all are commands, which know what is right.
var options = []option{
	{"A", "tls-ca-dir", "DIR", unavailable("TLS")},
	{"B", "abuse", "HOST:PORT", command("abuse")},
	{"C", "control", "ADDR", command("control")},
	{"D", "delayed-forward", "", obsolete("-D", "data is never held back")},
	{"E", "tls-cert", "FILE", unavailable("TLS")},
	{"F", "config", "FILE", (*commandLine).config},
	{"G", "tls-ca", "FILE", unavailable("TLS")},
	{"H", "http", "", turnOn("http")},
	{"K", "tls-key", "FILE", unavailable("TLS")},
	{"L", "tls-protocol", "NAME", unavailable("TLS")},
	{"O", "command", "COMMAND", (*commandLine).execute},
	{"P", "poll", "", turnOn("poll")},
	{"Q", "kqueue", "", obsolete("-Q", "kqueue is used wherever there is one")},
	{"R", "tls-verify", "", unavailable("TLS")},
	{"S", "servers", "N", obsolete("-S", "the table of servers is as long as it has to be")},
	{"T", "tracking", "SEC", command("tracking")},
	{"U", "udp", "", turnOn("udp")},
	{"W", "weight", "", turnOn("weight")},
	{"X", "enable-exit", "", turnOn("exit_enabled")},
	{"Z", "tls-compat", "", unavailable("TLS")},
	{"a", "ascii", "", turnOn("ascii")},
	{"b", "blacklist", "SEC", command("blacklist")},
	{"c", "clients-max", "N", command("clients_max")},
	{"d", "debug", "", (*commandLine).debug},
	{"e", "emergency", "HOST:PORT", command("emergency")},
	{"f", "foreground", "", turnOn("foreground")},
	{"h", "hash", "", turnOn("hash")},
	{"i", "install", "NAME", windowsOnly},
	{"j", "chroot", "DIR", command("chroot")},
	{"l", "log", "FILE", command("log")},
	{"m", "multi-accept", "N", command("multi_accept")},
	{"n", "non-blocking", "", obsolete("-n", "sockets never block")},
	{"o", "option", "COMMAND", (*commandLine).execute},
	{"p", "pid-file", "FILE", command("pid_file")},
	{"q", "listen-queue", "N", command("listen_queue")},
	{"r", "roundrobin", "", turnOn("roundrobin")},
	{"s", "stubborn", "", turnOn("stubborn")},
	{"t", "timeout", "SEC", command("timeout")},
	{"u", "user", "NAME", command("user")},
	{"w", "web-stats", "FILE", command("web_stats")},
	{"x", "conn-max", "N", command("conn_max")},
	{"", "check", "", func(c *commandLine, _ string) error { c.check = true; return nil }},
	{"", "least-connections", "", turnOn("least_connections")},
	{"", "maglev", "", turnOn("maglev")},
	{"", "two-choices", "", turnOn("two_choices")},
	{"", "help", "", func(c *commandLine, _ string) error { c.help = true; return nil }},
	{"", "metrics", "ADDR", command("metrics")},
	{"", "version", "", func(c *commandLine, _ string) error { c.version = true; return nil }},
}

// usageError is a wrong command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() + "\ntry 'pen --help'" }
func (e usageError) Unwrap() error { return e.err }

// parse executes args on a new draft: options in their order, then operands, then the configuration file, which wins
// as -O does. Replies of commands go to replies and notices to notes, at once. What is wrong with the arguments
// themselves is a [usageError].
func parse(args []string, replies, notes io.Writer) (*commandLine, error) {
	c := &commandLine{draft: conf.NewDraft(conf.Default(), conf.Offline{}), replies: replies, notes: notes}
	set := c.flagSet()
	if err := set.Parse(args); err != nil {
		return c, usageError{explain(err)}
	}
	if c.help || c.version {
		return c, nil
	}
	if err := c.draft.Operands(set.Args()); err != nil {
		return c, usageError{err}
	}
	return c, c.load()
}

// flagSet makes the table known to pflag, which reads clustered letters, and options after operands, as getopt does.
func (c *commandLine) flagSet() *pflag.FlagSet {
	set := pflag.NewFlagSet("pen", pflag.ContinueOnError)
	set.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName { // the names of commands do as well
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	set.Usage = func() {}
	set.SetOutput(io.Discard)
	for _, o := range options {
		if o.value != "" {
			set.FuncP(o.name, o.letter, o.value, func(value string) error { return o.take(c, value) })
			continue
		}
		set.BoolFuncP(o.name, o.letter, "", func(value string) error {
			if value != "true" { // that is what pflag says if there is none
				return errors.New("expected no value")
			}
			return o.take(c, "")
		})
	}
	return set
}

// explain says in our words what pflag complains about.
func explain(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown option %s", dashed(unknown.GetSpecifiedName()))
	case errors.As(err, &missing):
		return fmt.Errorf("%s: expected a value: %s", dashed(missing.GetSpecifiedName()), missing.GetFlag().Usage)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		if f.Shorthand == "" {
			return fmt.Errorf("--%s: %w", f.Name, invalid.Unwrap())
		}
		return fmt.Errorf("-%s: %w", f.Shorthand, invalid.Unwrap())
	}
	return err
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// command is the option that gives a command its operand.
func command(name string) func(*commandLine, string) error {
	return func(c *commandLine, value string) error { return c.say(name, value) }
}

// turnOn is the option that is a command without an operand.
func turnOn(name string) func(*commandLine, string) error {
	return func(c *commandLine, _ string) error { return c.say(name) }
}

// say executes the command of an option. Its reply is not shown; the notice that a number was raised is.
func (c *commandLine) say(words ...string) error {
	var reply bytes.Buffer
	err := c.draft.ExecWords(&reply, words...)
	for line := range strings.Lines(reply.String()) {
		if strings.Contains(line, " bumped to ") {
			io.WriteString(c.notes, line)
		}
	}
	return err
}

// execute is -O.
func (c *commandLine) execute(line string) error { return c.draft.Exec(line, c.replies) }

// debug is -d: each one is a level more.
func (c *commandLine) debug(string) error {
	return c.say("debug", strconv.Itoa(c.draft.Settings().Process.Debug+1))
}

// config is -F. The file is read when all options are known.
func (c *commandLine) config(file string) error {
	if file == "" {
		return errors.New("expected the name of a file")
	}
	c.draft.Settings().Process.ConfigFile = file
	return nil
}

// load reads the configuration file. As in pen it need not exist, if the command line says what to do.
func (c *commandLine) load() error {
	file := c.draft.Settings().Process.ConfigFile
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !c.check && listens(c.draft.Settings()) {
		fmt.Fprintf(c.notes, "Can't read config file '%s'\n", file)
		return nil
	}
	replies := c.replies
	if c.check {
		replies = io.Discard
	}
	return c.draft.Load(file, replies)
}

// listens says whether there is any address to serve.
func listens(s *conf.Settings) bool {
	for _, v := range s.Services {
		if v.Listen != "" {
			return true
		}
	}
	return false
}

// obsolete is an option that pen has long ignored.
func obsolete(letter, why string) func(*commandLine, string) error {
	return func(c *commandLine, _ string) error {
		fmt.Fprintf(c.notes, "pen: option %s is obsolete: %s\n", letter, why)
		return nil
	}
}

// unavailable is an option whose time has not come.
func unavailable(what string) func(*commandLine, string) error {
	return func(*commandLine, string) error {
		return fmt.Errorf("%s is not available in this version of pen", what)
	}
}

func windowsOnly(*commandLine, string) error { return errors.New("for Windows only") }
