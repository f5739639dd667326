package control

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"pen/conf"
)

// ErrAborted says that pen was told to end at once and to tell what it was doing: by USR2.
var ErrAborted = errors.New("aborted by USR2")

// notify takes over the signals.
func (c *Control) notify() {
	c.signals = make(chan os.Signal, 16) // more than arrive while a name is being resolved; a repeated HUP or USR1 may get lost
	signal.Notify(c.signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	c.urgent = make(chan os.Signal, 16)
	signal.Notify(c.urgent, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGPIPE)
}

// await waits for the end of the control goroutine. It hears what must work even when that goroutine hangs: USR2, and
// the second of the signals that end pen, which does so at once.
func (c *Control) await(done <-chan struct{}) error {
	told := false
	for {
		select {
		case <-done:
			return nil
		case sig := <-c.urgent:
			if sig == syscall.SIGUSR2 {
				c.Log.Error("aborted by USR2; this is what all goroutines were doing:\n" + stacks())
				return ErrAborted
			}
			if told {
				return nil
			}
			told = true
		}
	}
}

// signal does what a signal asks for.
func (c *Control) signal(sig os.Signal) {
	c.Log.Debug("signal", "name", sig.String())
	switch sig {
	case syscall.SIGHUP:
		c.tell(Reloading, "")
		c.tell(Ready, c.reload())
	case syscall.SIGUSR1:
		c.stats()
	case syscall.SIGTERM, syscall.SIGINT:
		c.end(c.settings.Process.Drain)
	}
}

// reload opens the log files again by their names, as they may have been renamed, reads the files of TLS again, and the
// configuration file, as one change. A file with an error changes nothing. The result says in a line how it went.
func (c *Control) reload() string {
	if err := c.OpenLogs(); err != nil {
		c.Log.Error("the logs stay where they were", "err", err)
	}
	if err := c.web.reread(); err != nil {
		c.Log.Error("the token of the status page stays as it was", "err", err)
	}
	c.keeper.reload()
	file := c.settings.Process.ConfigFile
	if file == "" {
		return c.summary()
	}
	c.engine.Refresh()
	var replies bytes.Buffer
	d := c.draft()
	err := d.Load(file, &replies)
	if err == nil {
		err = c.publish(d.Settings()) // changed or not: names may have new addresses, and files new contents
	}
	c.web.reloaded(err)
	if err != nil {
		c.complain(err)
		c.Log.Error("the configuration has not been changed")
		first, _, _ := strings.Cut(err.Error(), "\n")
		return "the configuration has not been changed: " + first
	}
	c.Stdout.Write(replies.Bytes()) // as pen does; nobody may be there to read it
	d.Finish(runtime{c.engine, c})
	return c.summary()
}

// stats writes the web statistics to their file if there is one, else a report to the log.
func (c *Control) stats() {
	if c.settings.WebStats != "" {
		if _, err := conf.SaveStatus(c.settings, everyService, runtime{c.engine, c}); err != nil {
			c.Log.Error("can't write the web statistics", "err", err)
		}
		return
	}
	for _, r := range c.reports(everyService) {
		for _, message := range r.text() {
			c.Log.Info(message)
		}
	}
}

// stacks returns what all goroutines are doing.
func stacks() string {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 2) // a Buffer takes everything
	return b.String()
}
