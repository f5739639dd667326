// Command penlogd receives the log lines of web servers and those of the pen in front of them, and writes the web servers' lines
// with the clients' real addresses.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"pen/cmd/daemon"
	"pen/cmd/version"
)

const usage = `Usage:
  penlogd [options] port

  -d, --debug          debugging on
  -f, --foreground     stay in foreground
  -j, --chroot DIR     run in chroot; DIR becomes the working directory
  -l, --log FILE       write log to file, as seen in the jail and by the user
  -b, --unbuffered     write each line at once, not within a second
  -n, --entries N      number of pen log entries to cache [1000]
  -p, --pidfile FILE   write pid to file
  -u, --user USER      run as alternative user
  -h, --help           print this text
      --version        print the version
  port                 UDP port, on all IPv4 addresses; or address:port for one
                       address, [::]:port for all of IPv6 and IPv4

HUP writes what is buffered and opens the log file again, TERM ends.
`

const (
	defaultEntries = 1000
	maxEntries     = 10_000_000 // some GB of memory
	socketBuffer   = 4 << 20    // bytes that the system may hold for us; it gives what it allows
)

// options is what the command line says.
type options struct {
	debug, foreground, unbuffered bool

	jail, log, pidFile, user string

	entries int
	address string
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run does what the command line says and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	o, status, done := parse(args, stdout, stderr)
	if done {
		return status
	}
	var child *daemon.Child
	if !o.foreground {
		var err error
		if child, err = daemon.Background(nil); child == nil {
			return report(stderr, err)
		}
	}
	err := o.serve(child, stdout, o.logger(stderr))
	child.Ready(err)
	return report(stderr, err)
}

// report prints an error, if there is one, and returns the exit status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "penlogd: %v\n", err)
	return 1
}

// parse reads the command line. If that is all there is to do, done is true.
func parse(args []string, stdout, stderr io.Writer) (o *options, status int, done bool) {
	o = &options{}
	var help, showVersion bool
	flags := pflag.NewFlagSet("penlogd", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.BoolVarP(&o.debug, "debug", "d", false, "")
	flags.BoolVarP(&o.foreground, "foreground", "f", false, "")
	flags.StringVarP(&o.jail, "chroot", "j", "", "")
	flags.StringVarP(&o.log, "log", "l", "", "")
	flags.BoolVarP(&o.unbuffered, "unbuffered", "b", false, "")
	flags.IntVarP(&o.entries, "entries", "n", defaultEntries, "")
	flags.StringVarP(&o.pidFile, "pidfile", "p", "", "")
	flags.StringVarP(&o.user, "user", "u", "", "")
	flags.BoolVarP(&help, "help", "h", false, "")
	flags.BoolVar(&showVersion, "version", false, "")
	err := flags.Parse(args)
	switch {
	case showVersion:
		io.WriteString(stdout, version.Line("penlogd"))
		return nil, 0, true
	case err != nil:
		fmt.Fprintf(stderr, "penlogd: %v\n", err)
		fallthrough // to 0, as scripts for the C program know it
	case help, flags.NArg() != 1, flags.Arg(0) == "0":
		io.WriteString(stdout, usage)
		return nil, 0, true
	}
	if o.entries < 1 || o.entries > maxEntries {
		return nil, report(stderr, fmt.Errorf("%d entries to cache: want 1 to %d", o.entries, maxEntries)), true
	}
	o.address = flags.Arg(0)
	return o, 0, false
}

// serve opens everything, gives up privileges, tells the child's parent, and receives until a signal ends it.
func (o *options) serve(child *daemon.Child, stdout io.Writer, logger *slog.Logger) (err error) {
	signals := watchSignals()
	conn, err := listen(o.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := o.dropPrivileges(); err != nil {
		return err
	}
	if o.pidFile != "" {
		if err := daemon.WritePidFile(o.pidFile); err != nil {
			return err
		}
		defer os.Remove(o.pidFile) // when all is written: scripts wait for it
	}
	out, err := openOutput(o.log, stdout, o.unbuffered)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	child.Ready(nil)
	logger.Debug("receiving", "address", conn.LocalAddr().String(), "log", o.log)
	r := &receiver{conn: conn, out: out, entries: newEntries(o.entries), names: newNames(lookupHost), logger: logger}
	return r.run(signals)
}

// listen opens the socket: on all IPv4 addresses for a port alone.
func listen(address string) (*net.UDPConn, error) {
	network := "udp"
	if !strings.Contains(address, ":") {
		network, address = "udp4", "0.0.0.0:"+address
	}
	local, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", address, err)
	}
	conn, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err // it names network and address
	}
	conn.SetReadBuffer(socketBuffer) // with a smaller one bursts are lost earlier, nothing else
	return conn, nil
}

// dropPrivileges goes to jail and becomes the user, as far as asked for.
func (o *options) dropPrivileges() error {
	var user *daemon.User
	if o.user != "" {
		var err error
		if user, err = daemon.LookupUser(o.user); err != nil {
			return err
		}
	}
	if o.jail != "" {
		if err := daemon.Chroot(o.jail); err != nil {
			return err
		}
	}
	if user != nil {
		return daemon.Become(user)
	}
	return nil
}

// logger returns where diagnostics go: to stderr in the foreground, to syslog in the background.
func (o *options) logger(stderr io.Writer) *slog.Logger {
	handler := slog.HandlerOptions{Level: slog.LevelInfo}
	if o.debug {
		handler.Level = slog.LevelDebug
	}
	if o.foreground {
		return slog.New(slog.NewTextHandler(stderr, &handler))
	}
	system, err := syslog.New(syslog.LOG_USER|syslog.LOG_ERR, "penlogd")
	if err != nil {
		return slog.New(slog.DiscardHandler) // no syslog here: there is nowhere to complain
	}
	handler.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // syslog has its own
		}
		return a
	}
	return slog.New(slog.NewTextHandler(toSyslog{system}, &handler))
}

// toSyslog gives messages to syslog with the priority that their level has.
type toSyslog struct{ *syslog.Writer }

func (s toSyslog) Write(message []byte) (int, error) {
	if bytes.HasPrefix(message, []byte("level=DEBUG")) {
		return len(message), s.Debug(string(message))
	}
	return len(message), s.Err(string(message))
}
