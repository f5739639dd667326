package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
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
	stderr  bool      // --stderr
	check   bool      // --check
	help    bool      // --help
	version bool      // --version
}

// option is a row of the table of options. The usage text, the manual page, shell completion and the parser are derived
// from it.
type option struct {
	letter  string // "" = there is only the long form
	name    string // the long form
	value   string // what the value is called; "" = the option takes none
	command string // the command that it is; "" = take does it, or, without either, nobody: pen has long ignored it
	help    string // for the usage text; a default is in brackets at its end
	take    func(c *commandLine, value string) error
}

// generalOptions are those of the C pen that have an effect. Nearly all options are commands, which know what is right.
var generalOptions = []option{
	{"B", "abuse", "HOST:PORT", "abuse", "abuse server for naughty clients", nil},
	{"C", "control", "ADDR", "control", "control port, on this machine unless an address is given, or path of a Unix socket", nil},
	{"F", "config", "FILE", "", "name of configuration file, read last and after a HUP signal", (*commandLine).config},
	{"H", "http", "", "http", "add X-Forwarded-For header in http requests", nil},
	{"O", "command", "COMMAND", "", "use command in penctl format", (*commandLine).execute},
	{"P", "poll", "", "poll", "use poll to wait for events", nil},
	{"T", "tracking", "SEC", "tracking", "tracking time in seconds (0 = forever) [0]", nil},
	{"U", "udp", "", "udp", "use udp protocol support", nil},
	{"W", "weight", "", "weight", "use weight for server selection", nil},
	{"X", "enable-exit", "", "exit_enabled", "enable 'exit' command for control port", nil},
	{"a", "ascii", "", "ascii", "debugging dumps in ascii format", nil},
	{"b", "blacklist", "SEC", "blacklist", "blacklist time in seconds [30]", nil},
	{"c", "clients-max", "N", "clients_max", "max number of clients [65536]", nil},
	{"d", "debug", "", "", "debugging on (repeat -d for more)", (*commandLine).debug},
	{"e", "emergency", "HOST:PORT", "emergency", "emergency server of last resort", nil},
	{"f", "foreground", "", "foreground", "stay in foreground", nil},
	{"h", "hash", "", "hash", "use hash for initial server selection", nil},
	{"j", "chroot", "DIR", "chroot", "run in chroot", nil},
	{"l", "log", "FILE", "log", "request log, a file or host:port of a penlogd", nil},
	{"m", "multi-accept", "N", "multi_accept", "accept up to N connections at a time [64]", nil},
	{"o", "option", "COMMAND", "", "like -O", (*commandLine).execute},
	{"p", "pid-file", "FILE", "pid_file", "write pid to file", nil},
	{"q", "listen-queue", "N", "listen_queue", "let up to N connections wait to be accepted [4096]", nil},
	{"r", "roundrobin", "", "roundrobin", "bypass client tracking in server selection", nil},
	{"s", "stubborn", "", "stubborn", "stubborn selection, i.e. don't fail over", nil},
	{"t", "timeout", "SEC", "timeout", "connect timeout in seconds [3]", nil},
	{"u", "user", "USER", "user", "run as alternative user", nil},
	{"w", "web-stats", "FILE", "web_stats", "save statistics in HTML format in a file", nil},
	{"x", "conn-max", "N", "conn_max", "max number of simultaneous connections [as many as the descriptor limit allows]", nil},
}

// tlsOptions are about TLS with clients. With -E or -K given again there are several certificates side by side.
var tlsOptions = []option{
	{"E", "tls-cert", "FILE", "", "use the given certificate in PEM format (repeat -E for more)", oneMore("ssl_cert")},
	{"K", "tls-key", "FILE", "", "use the given key in PEM format (repeat -K for more)", oneMore("ssl_key")},
	{"G", "tls-ca", "FILE", "ssl_ca_file", "file containing the CA's certificate", nil},
	{"A", "tls-ca-dir", "DIR", "ssl_ca_dir", "directory containing CA certificates", nil},
	{"R", "tls-verify", "", "", "require valid peer certificate", func(c *commandLine, _ string) error { return c.say("ssl_verify", "required") }},
	{"L", "tls-protocol", "NAME", "ssl_protocol", "least version of the protocol [tls1.2]", nil},
}

// ourOptions are those that the C pen does not have.
var ourOptions = []option{
	{"", "least-connections", "", "least_connections", "choose the server with the fewest connections", nil},
	{"", "two-choices", "", "two_choices", "choose the one with fewer connections of two servers drawn at random", nil},
	{"", "maglev", "", "maglev", "choose the server by a consistent hash of the client's address", nil},
	{"", "metrics", "ADDR", "metrics", "metrics for Prometheus and a status page; a bare port is on 127.0.0.1", nil},
	{"", "stderr", "", "", "in the background, too, send diagnostics to standard error",
		func(c *commandLine, _ string) error { c.stderr = true; return nil }},
}

// askingOptions make pen say something and start nothing.
var askingOptions = []option{
	{"", "check", "", "", "read options and files, say what is wrong with them, and do nothing",
		func(c *commandLine, _ string) error { c.check = true; return nil }},
	{"", "help", "", "", "show this text", func(c *commandLine, _ string) error { c.help = true; return nil }},
	{"", "version", "", "", "show the version", func(c *commandLine, _ string) error { c.version = true; return nil }},
}

// obsoleteOptions are accepted with a notice, or, the last one, refused with a reason.
var obsoleteOptions = []option{
	{"D", "delayed-forward", "", "", "data is never held back", nil},
	{"Q", "kqueue", "", "", "kqueue is used wherever there is one", nil},
	{"Z", "tls-compat", "", "", "TLS needs no workarounds for the defects of others", nil},
	{"S", "servers", "N", "", "the table of servers is as long as it has to be", nil},
	{"n", "non-blocking", "", "", "sockets never block", nil},
	{"i", "install", "NAME", "", "for Windows only", windowsOnly},
}

// optionGroups holds all options, in the order in which they are shown.
var optionGroups = [][]option{generalOptions, tlsOptions, ourOptions, askingOptions, obsoleteOptions}

// usageGroups is how many of these the usage text shows in full.
const usageGroups = 4

// options are all of them.
var options = slices.Concat(optionGroups...)

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
			set.FuncP(o.name, o.letter, o.value, func(value string) error { return o.execute(c, value) })
			continue
		}
		set.BoolFuncP(o.name, o.letter, "", func(value string) error {
			if value != "true" { // that is what pflag says if there is none
				return errors.New("expected no value")
			}
			return o.execute(c)
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

// execute does what an option asks for; words are its value, or none.
func (o option) execute(c *commandLine, words ...string) error {
	switch {
	case o.take != nil:
		return o.take(c, strings.Join(words, ""))
	case o.command != "":
		return c.say(append([]string{o.command}, words...)...)
	}
	fmt.Fprintf(c.notes, "pen: option -%s is obsolete: %s\n", o.letter, o.help)
	return nil
}

// say executes the command of an option. Its reply is not shown; notices are.
func (c *commandLine) say(words ...string) error {
	var reply bytes.Buffer
	err := c.draft.ExecWords(&reply, words...)
	for line := range strings.Lines(reply.String()) {
		if strings.Contains(line, " bumped to ") || strings.Contains(line, conf.NoticeMark) {
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

// oneMore is the option that adds to what a command takes several of.
func oneMore(name string) func(*commandLine, string) error {
	return func(c *commandLine, value string) error {
		t := &c.draft.Settings().Services[0].TLS
		list := t.Certs
		if name == "ssl_key" {
			list = t.Keys
		}
		return c.say(slices.Concat([]string{name}, list, []string{value})...)
	}
}

func windowsOnly(*commandLine, string) error { return errors.New("for Windows only") }
