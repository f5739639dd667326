// Command mergelogs makes one log of the logs of all web servers behind a pen, oldest line first, and puts the clients' real
// addresses, which it takes from pen's own log, in place of pen's.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"pen/cmd/version"
)

const usage = `Usage: mergelogs -p penlog [-j jitter] \
        server1:logfile1 [server2:logfile2 ...]

  -c, --no-cache           search all of pen's log for each line, whatever the
                           jitter; keeps all of that log in memory
  -d, --debug              tell how many lines matched; twice: name those that did not
  -p, --penlog FILE        log file from pen
  -j, --jitter SECONDS     how far the clocks of pen and web servers may differ [600]
  -r, --rejects FILE       where to put lines that are not a web server's
  -t, --timezone SECONDS   what the times in pen's log are ahead of UTC [0]
  -h, --help               print this text
      --version            print the version
  server:logfile           address of a web server as in pen's log, and its log file;
                           an IPv6 address may stand in brackets

Log files may be compressed by gzip. The merged log goes to standard output, with times
in the local zone (environment variable TZ).

Example:
  mergelogs -p pen.log 10.0.0.1:access_log.1 [2001:db8::2]:access_log.2.gz
`

const (
	defaultJitter = 600     // seconds, as in mergelogs(1)
	maxJitter     = 1 << 40 // seconds; far more than any log has, far less than overflows
)

// options is what the command line says.
type options struct {
	penlog   string
	sources  []string // server:logfile
	rejects  string
	jitter   int64 // seconds
	timezone int64 // seconds to subtract from the times in pen's log
	noCache  bool
	debug    int
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run does what the command line says and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	var o options
	var help, showVersion bool
	flags := pflag.NewFlagSet("mergelogs", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.BoolVarP(&o.noCache, "no-cache", "c", false, "")
	flags.CountVarP(&o.debug, "debug", "d", "")
	flags.StringVarP(&o.penlog, "penlog", "p", "", "")
	flags.Int64VarP(&o.jitter, "jitter", "j", defaultJitter, "")
	flags.StringVarP(&o.rejects, "rejects", "r", "", "")
	flags.Int64VarP(&o.timezone, "timezone", "t", 0, "")
	flags.BoolVarP(&help, "help", "h", false, "")
	flags.BoolVar(&showVersion, "version", false, "")
	err := flags.Parse(args)
	o.sources = flags.Args()
	switch {
	case showVersion:
		io.WriteString(stdout, version.Line("mergelogs"))
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "mergelogs: %v\n", err)
		io.WriteString(stdout, usage) // and 0, as scripts for the C program know it
		return 0
	case help, len(o.sources) == 0:
		io.WriteString(stdout, usage)
		return 0
	}
	if err := o.merge(stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "mergelogs: %v\n", err)
		return 1
	}
	return 0
}

// merge opens the files, merges them into stdout, and closes them.
func (o *options) merge(stdout, stderr io.Writer) (err error) {
	if o.penlog == "" {
		return errors.New("no log file of pen given: use -p FILE")
	}
	if o.jitter < 0 || o.jitter > maxJitter {
		return fmt.Errorf("jitter %d: want 0 to %d seconds", o.jitter, int64(maxJitter))
	}
	files := newFiles(stderr)
	defer files.close()
	pen, err := files.open(o.penlog)
	if err != nil {
		return err
	}
	m := merger{pen: newWindow(pen, o.jitter, o.timezone), stderr: stderr, debug: o.debug, rejects: io.Discard}
	m.pen.whole = o.noCache
	if m.sources, err = openSources(files, o.sources); err != nil {
		return err
	}
	if o.rejects != "" {
		f, err := os.Create(o.rejects)
		if err != nil {
			return fmt.Errorf("rejects: %w", err)
		}
		defer func() { err = firstError(err, f.Close()) }()
		m.rejects = f
	}
	files.showProgress()
	out := bufio.NewWriterSize(stdout, 1<<16)
	err = m.run(out)
	return firstError(err, out.Flush())
}

// openSources opens the logs of the web servers.
func openSources(files *files, operands []string) (sources []*source, err error) {
	for _, operand := range operands {
		server, path, err := splitOperand(operand)
		if err != nil {
			return nil, err
		}
		lines, err := files.open(path)
		if err != nil {
			return nil, err
		}
		sources = append(sources, &source{server: server, canonical: canonical(server), lines: lines})
	}
	return sources, nil
}

// firstError returns the first of two errors that is one.
func firstError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// splitOperand splits server:logfile. A server is an IPv6 address if it is in brackets, or if the operand starts with
// one (the longest that leaves a name for the file); otherwise it ends at the first colon.
func splitOperand(operand string) (server, path string, err error) {
	if inner, found := strings.CutPrefix(operand, "["); found {
		server, path, found = strings.Cut(inner, "]:")
		if !found || server == "" || path == "" {
			return "", "", fmt.Errorf("server %q: want [ADDRESS]:LOGFILE", operand)
		}
		return server, path, nil
	}
	if i := endOfIPv6(operand); i > 0 {
		return operand[:i], operand[i+1:], nil
	}
	server, path, found := strings.Cut(operand, ":")
	if !found || server == "" || path == "" {
		return "", "", fmt.Errorf("server %q: want SERVER:LOGFILE", operand)
	}
	return server, path, nil
}
