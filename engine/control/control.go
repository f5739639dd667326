// Package control is the control plane: it owns the settings and changes them on command, from the control socket, by
// signals and from files. It is not on the path of any connection that pen forwards.
//
// One goroutine, the control goroutine, owns the [conf.Settings] and is the only caller of [engine.Engine.Publish]; it
// may block, allocate and log. Everybody else sends it messages: the goroutines of the control connections (penctl.go)
// their command lines, the system its signals, the reactors their events. A command is a transaction: it is executed on
// a draft, the engine compiles and publishes the result, and if anything fails the reply is the error and nothing has
// changed. A configuration file is the same with many lines.
//
// The control socket has no passwords; who may use it is decided by where it listens and by control_acl. A Unix socket
// has mode 0600 and belongs to the account that pen runs as. A TCP socket without an address (-C 8888) listens on
// 127.0.0.1; once the list of control_acl has entries, which then decide, it listens on 0.0.0.0 as in pen. It moves as
// soon as a change of the lists asks for it. As root without -u there is no control socket.
package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"time"

	"pen/conf"
	"pen/engine"
)

// Options are what the control plane needs to know besides the settings.
type Options struct {
	Log     *Log
	Stdout  io.Writer // takes the replies of commands that are read from files, as in pen
	Owner   Owner     // of a Unix control socket
	Version string    // of pen

	Sockets  engine.Passed           // were opened by who started pen
	Tell     func(Condition, string) // tells who started pen how it is and, in a line, what it does; nil = nobody wants to know
	Watchdog time.Duration           // how long pen may be silent before it counts as dead; 0 = forever
}

// Pass takes over sockets that were opened for pen by who started it.
func Pass(files []*os.File) (engine.Passed, error) { return engine.Pass(files) }

// Control is the control plane. After Run has been called everything but the fields marked otherwise belongs to the
// control goroutine.
type Control struct {
	Options
	start    *conf.Draft // holds what is to be done when pen runs
	settings *conf.Settings
	engine   *engine.Engine
	penctl   *penctl        // has its own goroutines
	socket   seat           // the control socket
	web      *web           // has its own goroutines
	signals  chan os.Signal // HUP, USR1, TERM, INT
	urgent   chan os.Signal // read by Run: USR2, and TERM and INT once more
	logs     *logs
	prober   *prober          // has its own goroutine
	keeper   *keeper          // has its own goroutine
	events   events           // may be used by all goroutines
	reasons  map[int32]string // why servers are down, by Target.ID
	stopped  chan struct{}    // closed when the engine has stopped; nil until it is told to
}

// rootMessage is what pen says when it starts without a control socket because it would be root's.
const rootMessage = "Won't open control port running as root; use -u to run as different user"

// errEnding is the reply to commands that come too late.
var errEnding = errors.New("pen is ending: nothing can be changed any more")

// Check says whether pen could work by s, as far as this can be known without opening anything.
func Check(s *conf.Settings) error { return check(s, engine.Check) }

func check(s *conf.Settings, compile func(*conf.Settings) error) error {
	if _, err := placeOf(s); err != nil {
		return err
	}
	return compile(s)
}

// New makes an engine by the settings of start, opens the listeners and the control socket, as the account that pen was
// started as, and takes over the signals. The draft belongs to the control plane from now on. Nobody is served before
// [Control.Run].
func New(start *conf.Draft, o Options) (*Control, error) {
	s := start.Settings()
	e, err := engine.New(s, o.Sockets...)
	if err != nil {
		return nil, err
	}
	c := &Control{Options: o, start: start, settings: s, engine: e, penctl: newPenctl(), logs: newLogs(o.Log),
		prober: newProber(e.Troubles()), reasons: map[int32]string{}}
	c.Log.SetDebug(s.Process.Debug)
	c.socket = seat{name: "control", owner: o.Owner, passed: o.Sockets, serve: c.penctl.serve}
	c.web = newWeb(c)
	c.keeper = newKeeper(e, c.tls)
	if err := c.openSockets(s); err != nil {
		return nil, err
	}
	c.adopt(s)
	c.notify()
	for _, socket := range o.Sockets.Unused() {
		c.Log.Warn("a socket that was passed has no service that listens there: its clients will wait forever", "socket", socket)
	}
	return c, nil
}

// OpenLogs opens the logs of requests and connections, or opens them again. It is called once before Run, when pen has
// become who it runs as: the files are made by that account, and inside of its root directory.
func (c *Control) OpenLogs() error {
	targets, err := c.logs.open(c.settings, true)
	if err == nil {
		c.logs.use(c.engine, targets)
	}
	return err
}

// Addr returns where the control socket listens, or nil if there is none. It may be called before Run only.
func (c *Control) Addr() net.Addr {
	return c.socket.addr()
}

// Run serves until pen is to end, by a signal or the command exit, and the engine has stopped: then it returns nil.
// [ErrAborted] means that USR2 has asked for the end without further ado.
func (c *Control) Run() error {
	defer signal.Stop(c.signals)
	defer signal.Stop(c.urgent)
	c.engine.Run()
	c.prober.begin()
	c.keeper.begin()
	c.start.Finish(runtime{c.engine, c})
	c.announce()
	c.socket.begin()
	c.web.begin()
	done := make(chan struct{})
	go func() {
		c.loop()
		close(done)
	}()
	return c.await(done)
}

// announce logs how pen starts.
func (c *Control) announce() {
	if !c.Log.Enabled(context.Background(), debugLevel(1)) {
		return
	}
	c.Log.Debug("pen " + c.Version + " starting")
	for _, v := range c.settings.Services {
		if len(c.settings.Services) > 1 {
			c.Log.Debug("service " + v.Name)
		}
		c.Log.Debug("servers:")
		for i, s := range servers(c.engine, v) {
			set := v.Servers[i]
			c.Log.Debug(fmt.Sprintf("%2d %s:%d:%d:%d:%d:%d", i, s.Address, s.Port, set.Max, set.Hard, set.Weight, set.Prio))
		}
	}
}

// loop is the control goroutine.
func (c *Control) loop() {
	c.tell(Ready, c.summary())
	watchdog := c.watchdog()
	for {
		select {
		case call := <-c.penctl.calls:
			call.reply <- c.command(call.line)
		case sig := <-c.signals:
			c.signal(sig)
		case e := <-c.engine.Events():
			c.Log.Log(context.Background(), debugLevel(e.Level), e.Message)
		case changes := <-c.prober.changes:
			c.found(changes)
		case <-watchdog:
			c.alive()
		case <-c.stopped:
			c.prober.stop()
			c.keeper.stop()
			c.socket.close()
			c.web.close()
			c.penctl.close()
			c.logs.close()
			return
		}
	}
}

// command executes a line from the control socket and returns the reply: the error alone if nothing came of it.
func (c *Control) command(line string) []byte {
	var reply, included bytes.Buffer
	d := c.draft()
	d.Included = &included
	err := d.Exec(line, &reply)
	if err == nil {
		err = c.commit(d)
	}
	if err != nil {
		return []byte(err.Error() + "\n")
	}
	c.Stdout.Write(included.Bytes()) // as pen does; nobody may be there to read it
	return reply.Bytes()
}

// draft begins a change.
func (c *Control) draft() *conf.Draft {
	d := conf.NewDraft(c.settings, runtime{c.engine, c})
	d.Compile = func(s *conf.Settings) error { return check(s, c.engine.Check) }
	return d
}

// commit makes the settings of d those of the program, or returns an error and changes nothing.
func (c *Control) commit(d *conf.Draft) error {
	if d.Changed() {
		if err := c.publish(d.Settings()); err != nil {
			return err
		}
	}
	d.Finish(runtime{c.engine, c})
	return nil
}

// publish makes s the settings: control socket and logs are where s wants them, and the engine works by s.
func (c *Control) publish(s *conf.Settings) error {
	if c.stopped != nil {
		return errEnding
	}
	if err := fixed(s, c.settings); err != nil {
		return err
	}
	targets, err := c.logs.open(s, false)
	if err != nil {
		return err
	}
	if err := c.work(s); err != nil {
		drop(targets)
		return err
	}
	c.logs.use(c.engine, targets)
	return nil
}

// openSockets opens the sockets of the control plane at start.
func (c *Control) openSockets(s *conf.Settings) error {
	to, err := c.placeFor(s)
	if err != nil {
		return err
	}
	if to.network == "" && s.Control.Listen != "" {
		c.Log.Warn(rootMessage)
	}
	web, err := c.web.prepare(s)
	if err != nil {
		return err
	}
	ln, err := c.socket.open(to)
	if err != nil {
		web.drop()
		return err
	}
	c.socket.move(to, ln)
	web.use()
	return nil
}

// work moves the sockets of the control plane to where s wants them and has the engine work by s.
func (c *Control) work(s *conf.Settings) error {
	to, err := c.placeFor(s)
	if err != nil {
		return err
	}
	web, err := c.web.prepare(s)
	if err != nil {
		return err
	}
	ln, err := c.socket.open(to)
	if err == nil {
		if err = c.engine.Publish(s); err == nil {
			c.socket.move(to, ln)
			web.use()
			c.adopt(s)
			return nil
		}
	}
	c.lost(c.socket.stay(to, ln))
	c.lost(web.drop())
	return err
}

// lost logs that a socket which had to be closed for a moment could not be opened again.
func (c *Control) lost(err error) {
	if err != nil {
		c.Log.Error("a socket is lost", "err", err)
	}
}

// adopt takes over the settings that concern the control plane itself.
func (c *Control) adopt(s *conf.Settings) {
	was := c.settings
	c.settings = s
	c.switched(was)
	c.probe()
	c.keeper.changed()
	c.Log.SetDebug(s.Process.Debug)
	c.penctl.setAdmit(c.engine.Matcher(s.Control.ACL).Permit)
	traceback := "single"
	if s.Process.AbortOnError {
		traceback = "crash" // leaves a core file
	}
	debug.SetTraceback(traceback)
}

// placeFor returns where the control socket belongs with the settings s. To open one as root without -u is refused.
func (c *Control) placeFor(s *conf.Settings) (place, error) {
	to, err := placeOf(s)
	if err != nil || os.Geteuid() != 0 || s.Process.User != "" {
		return to, err
	}
	if to.network != "" && s.Control.Listen != c.settings.Control.Listen {
		return place{}, fmt.Errorf("control %s: expected to run as another user than root, by option -u", s.Control.Listen)
	}
	return place{}, nil
}

// end stops the engine, which gives open connections until drain has passed. Queries are answered meanwhile.
func (c *Control) end(drain time.Duration) {
	if c.stopped != nil {
		return
	}
	c.tell(Ending, "")
	c.Log.Debug("ending", "drain", drain, "pid", os.Getpid())
	c.web.ready.Store(false)
	stopped := make(chan struct{})
	c.stopped = stopped
	go func() { // ends with the engine
		c.engine.Stop(drain)
		close(stopped)
	}()
}

// complain logs an error that may be one of several lines, each of which stands for itself.
func (c *Control) complain(err error) {
	for line := range strings.Lines(err.Error()) {
		c.Log.Error(strings.TrimSuffix(line, "\n"))
	}
}
