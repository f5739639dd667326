// Pen is a load balancer for TCP. The command line becomes settings (options.go), the settings a control
// plane, which this package does not own. It knows in which order a server of the system starts and what its exit
// status is, no more.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"pen/cmd/daemon"
	"pen/cmd/version"
	"pen/conf"
	"pen/engine/control"
)

// The exit statuses.
const (
	exitDone    = 0 // also for the usage text when there is nothing to do, as in pen
	exitFailed  = 1
	exitUsage   = 2 // the command line is wrong
	exitAborted = 2 // by USR2, as a Go program that is told to quit
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for its exit. In the background it runs twice: in the parent, which prints the replies
// and the complaints and leaves, and in the child, whose outputs lead nowhere.
func run(args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stdout, stderr)
	switch {
	case err != nil && c.check:
		fmt.Fprintln(stderr, err)
		return status(err)
	case err != nil:
	case c.help:
		io.WriteString(stdout, usage())
	case c.version:
		io.WriteString(stdout, version.Line("pen"))
	case c.check:
		err = control.Check(c.draft.Settings())
	default:
		err = start(c, stdout, stderr)
	}
	complain(stderr, err)
	return status(err)
}

// complain prints an error: each of its lines after the name of the program.
func complain(stderr io.Writer, err error) {
	if err == nil || errors.Is(err, control.ErrAborted) { // that one has been logged at length
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "pen: %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// status returns the exit status that tells of err.
func status(err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		return exitUsage
	case errors.Is(err, control.ErrAborted):
		return exitAborted
	}
	return exitFailed
}

// start runs pen, if there is anything to listen on: the settings say it, or sockets that pen was given.
func start(c *commandLine, stdout, stderr io.Writer) error {
	s := c.draft.Settings()
	passed, err := control.Pass(daemon.Sockets())
	if err != nil {
		return err
	}
	passed.Name(s)
	switch {
	case !listens(s) && s.Process.ConfigFile != "":
		return usageError{fmt.Errorf("%s: expected a line like 'listen 80', or an address to listen on as operand", s.Process.ConfigFile)}
	case !listens(s):
		_, err := io.WriteString(stdout, usage())
		return err
	case len(passed) > 0 && !s.Process.Foreground:
		return errors.New("expected option -f: sockets that were passed can't be taken to the background")
	}
	return serve(c, control.Options{Sockets: passed, Stdout: stdout, Version: version.String()}, stderr)
}

// serve runs pen until its end, in the foreground or in the background. The parent of a pen in the background returns
// as soon as that is ready, or with the error that keeps it from being so.
func serve(line *commandLine, o control.Options, stderr io.Writer) error {
	s := line.draft.Settings()
	var child *daemon.Child
	if !s.Process.Foreground {
		var err error
		if child, err = daemon.Background(line.keeps()); child == nil {
			return err
		}
	}
	o.Log = line.log(stderr)
	o.Tell = (&supervision{child: child, log: o.Log}).tell
	c, err := open(line.draft, o)
	if err != nil {
		child.Ready(err)
		return err
	}
	// What reading the settings left is given back. After two rounds the collector has all the memory that it needs for itself,
	// and no client waits for it later.
	runtime.GC()
	debug.FreeOSMemory()
	err = c.Run()
	if file := s.Process.PidFile; file != "" && err == nil {
		os.Remove(file) // fails where the user may write the file but not its directory: there it stays
	}
	return err
}

// keeps returns the output that a pen in the background keeps, nil if none.
func (c *commandLine) keeps() *os.File {
	if c.stderr {
		return os.Stderr
	}
	return nil
}

// log returns where diagnostics go: to standard error, or, in the background, to the log of the system.
func (c *commandLine) log(stderr io.Writer) *control.Log {
	if c.draft.Settings().Process.Foreground || c.stderr {
		return control.NewLog(stderr)
	}
	log, err := control.NewSyslog()
	if err != nil { // nobody listens; pen works all the same
		return control.NewLog(io.Discard)
	}
	return log
}

// open does all that can fail and all that needs privileges, and gives those up. Nobody has been served when it returns.
func open(d *conf.Draft, o control.Options) (*control.Control, error) {
	s := d.Settings()
	if _, err := daemon.RaiseFileLimit(); err != nil {
		o.Log.Warn("fewer connections are possible", "err", err)
	}
	user, owner, err := account(s.Process.User)
	if err != nil {
		return nil, err
	}
	o.Owner = owner
	if o.Watchdog, err = daemon.Watchdog(); err != nil {
		return nil, err
	}
	c, err := control.New(d, o)
	if err != nil {
		return nil, err
	}
	if s.Process.Chroot != "" {
		if err := daemon.Chroot(s.Process.Chroot); err != nil {
			return nil, err
		}
	}
	if user != nil {
		if err := daemon.Become(user); err != nil {
			return nil, err
		}
	}
	if err := c.OpenLogs(); err != nil {
		return nil, err
	}
	if s.Process.PidFile != "" {
		if err := daemon.WritePidFile(s.Process.PidFile); err != nil {
			return nil, err
		}
	}
	if s.Process.Sandbox {
		if err := sandbox(s).Restrict(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// account returns the account to run as, nil to stay as we are, and the owner that Unix control sockets get.
func account(name string) (*daemon.User, control.Owner, error) {
	if name == "" {
		return nil, control.Owner{}, nil
	}
	user, err := daemon.LookupUser(name)
	if err != nil {
		return nil, control.Owner{}, err
	}
	return user, control.Owner{Change: true, UID: user.UID, GID: user.GID}, nil
}
