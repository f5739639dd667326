package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The soak: clients at a steady rate while everything else that can happen to a pen happens all the time. `make soak`
// takes a minute, the tests a few seconds.

const (
	soakRate    = 1000                   // connections per second
	soakTick    = 10 * time.Millisecond  // between two bursts of them
	soakShort   = 5 * time.Second        // unless $PEN_SOAK says how long
	soakHUP     = 150 * time.Millisecond // between two HUPs
	soakUSR1    = 330 * time.Millisecond // between two USR1s
	soakCommand = 3 * time.Millisecond   // between two commands
	soakEntries = 1000                   // of an access list
	soakClients = 500                    // addresses
	soakMemory  = 96 << 10               // kB that pen may grow by, whatever the time
)

// soak is a running soak.
type soak struct {
	*arena
	pen      *rival
	stop     atomic.Bool
	requests atomic.Int64
	failed   atomic.Int64
	others   int // requests to the other service; belongs to who moves it
	mu       sync.Mutex
	errs     []error // the first ones
	rotated  int     // log files that have been renamed; the HUP goroutine's
}

// TestSoak wants that no request fails, no descriptor leaks, memory stays bounded and no log line is lost.
func TestSoak(t *testing.T) {
	duration := soakShort
	if text := os.Getenv("PEN_SOAK"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	s := &soak{arena: ownArena(t)}
	s.prepare()
	s.pen = s.launch(own, "-F soak.cfg -w soak.html -l request.log -C 127.0.0.1:$CTL 127.0.0.1:$P $L0 $L1 $L2")
	defer s.pen.finish()
	s.burst(soakRate) // tables, pools and stacks have their size after this
	if err := s.pen.settle(0); err != nil {
		t.Fatal(err)
	}
	before, err := s.pen.usage()
	if err != nil {
		t.Fatal(err)
	}
	s.run(duration)
	if err := s.pen.settle(0); err != nil {
		t.Error(err)
	}
	s.checkUsage(before)
	s.checkTables()
	if status := s.pen.finish(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, s.pen.stderr.String())
	}
	s.checkLogs()
	for _, err := range s.errs {
		t.Error(err)
	}
	t.Logf("%d requests in %v, %d failed, %d log files", s.requests.Load(), duration, s.failed.Load(), s.rotated+1)
}

// prepare starts the servers and writes the files.
func (s *soak) prepare() {
	for i := range 4 {
		port := freePort()
		b := &backend{name: fmt.Sprint("L", i), kind: "line", network: "tcp", addr: fmt.Sprintf("127.0.0.1:%d", port), cut: map[string]bool{}}
		if err := b.start(); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(b.stop)
		s.vars[b.name], s.vars[b.name+"PORT"] = b.addr, fmt.Sprint(port)
	}
	for i := range 3 {
		s.vars[fmt.Sprint("Q", i)] = fmt.Sprint(freePort())
	}
	s.configure(0)
	for i := range 2 {
		s.write(fmt.Sprintf("acl%d.cfg", i), s.list(i))
	}
}

// write makes a file as a whole.
func (s *soak) write(name, text string) {
	file := filepath.Join(s.vars["DIR"], name)
	err := os.WriteFile(file+".new", []byte(s.expand(text)), 0o644)
	if err = errors.Join(err, os.Rename(file+".new", file)); err != nil {
		s.fail(err)
	}
}

// configure writes the configuration file in its n-th form.
func (s *soak) configure(n int) {
	text := fmt.Sprintf("server 0 weight 1\nserver 1 address 127.0.0.1 port $L1PORT weight 1 max %d\nblacklist %d\nidle_timeout %d\naccess_log access.log %s\n",
		10000+n, 1+n%5, 100+n%7, []string{"json", "text"}[n%2])
	text += []string{"weight\n", "no weight\n", "hash\n", "no hash\n", "roundrobin\n", "no roundrobin\n"}[n%6]
	text += "service other\nserver 0 address 127.0.0.1 port $L3PORT\n"
	s.write("soak.cfg", text)
}

// list returns commands that fill access list 1 with entries that deny nobody of ours.
func (s *soak) list(n int) string {
	text := "no acl 1\n"
	for i := range soakEntries {
		text += fmt.Sprintf("acl 1 deny 10.%d.%d.%d\n", n, i/250, i%250)
	}
	return text + "acl 1 permit 127.0.0.0 255.0.0.0\n"
}

// run has everything happen for a while.
func (s *soak) run(duration time.Duration) {
	var disturbers sync.WaitGroup
	disturbers.Go(func() { s.repeat(soakHUP, s.reload) })
	disturbers.Go(func() { s.repeat(soakUSR1, func(int) { syscall.Kill(s.pen.pid, syscall.SIGUSR1) }) })
	disturbers.Go(func() { s.repeat(soakCommand, s.command) })
	disturbers.Go(func() { s.repeat(soakCommand, s.move) })
	s.burst(int(duration * soakRate / time.Second))
	s.stop.Store(true)
	disturbers.Wait()
	s.must(s.pen, "idlers 0") // the commands may have ended before it
}

// repeat calls f with 0, 1, 2 … until the end.
func (s *soak) repeat(pause time.Duration, f func(n int)) {
	for n := 0; !s.stop.Load(); n++ {
		f(n)
		time.Sleep(pause) // the rate of what happens
	}
}

// burst makes n connections at the rate of the soak and waits for their ends.
func (s *soak) burst(n int) {
	var clients sync.WaitGroup
	tick := time.NewTicker(soakTick)
	defer tick.Stop()
	perTick := int(soakRate * soakTick / time.Second)
	for i := range n {
		if i%perTick == 0 {
			<-tick.C
		}
		clients.Go(func() { s.request(s.vars["P"], i) })
	}
	clients.Wait()
}

// request is one client.
func (s *soak) request(addr string, i int) {
	l := &load{addr: addr}
	s.requests.Add(1)
	if err := l.once(fmt.Sprint("question ", i), clientAddr(i%soakClients)); err != nil {
		s.failed.Add(1)
		s.fail(fmt.Errorf("request %d: %w", i, err))
	}
}

// fail keeps the first errors.
func (s *soak) fail(err error) {
	const enough = 10
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) < enough {
		s.errs = append(s.errs, err)
	}
}

// reload renames the logs, changes the configuration file and sends a HUP.
func (s *soak) reload(n int) {
	if n%3 == 0 {
		for _, name := range []string{"request.log", "access.log"} {
			file := filepath.Join(s.vars["DIR"], name)
			if err := os.Rename(file, fmt.Sprintf("%s.%d", file, s.rotated)); err != nil && !errors.Is(err, os.ErrNotExist) {
				s.fail(err)
			}
		}
		s.rotated++
	}
	s.configure(n)
	syscall.Kill(s.pen.pid, syscall.SIGHUP)
}

// soakCommands change what can be changed under load, and ask. No reply may be an error.
var soakCommands = []string{
	"servers", "server 3 address 127.0.0.1 port $L3PORT", "servers json", "recent", "server 0 weight 3", "mode json", "server 1 weight 5 max 0",
	"include acl0.cfg", "client_acl 1", "status", "server 3 address 0.0.0.0 port 0", "connection 0", "server 2 weight 1", "include acl1.cfg",
	"weight", "conn_max 20000", "write written.cfg", "roundrobin", "status json", "server 2 blacklist 1", "client_acl 0", "no weight",
	"server 2 blacklist 0", "no roundrobin", "tcp_nodelay", "check soak.cfg", "close 900000", "idlers 4", "socket 5", "prio", "tracking 9",
	"no prio", "peek", "tracking 0", "idlers 0", "no peek", "acl 2 deny 10.0.0.1", "no acl 2", "help", "no log", "log request.log",
}

func (s *soak) command(n int) {
	line := s.expand(soakCommands[n%len(soakCommands)])
	reply, err := s.pen.ask(line)
	if err != nil || strings.Contains(reply, ": expected ") || strings.HasPrefix(reply, "do_cmd") {
		s.fail(fmt.Errorf("command %q: %v %.200q", line, err, reply))
	}
}

// move has the other service listen somewhere else and asks there.
func (s *soak) move(n int) {
	addr := s.vars[fmt.Sprint("Q", n%3)]
	reply, err := s.pen.ask("service other listen 127.0.0.1:" + addr)
	if err != nil || reply != "127.0.0.1:"+addr+"\n" {
		s.fail(fmt.Errorf("listen: %v %q", err, reply))
		return
	}
	s.others++
	s.request(addr, n)
}

// checkUsage wants that pen has no more descriptors than before, and not much more memory.
func (s *soak) checkUsage(before usage) {
	s.must(s.pen, "service other no listen", "no acl 1")
	var now usage
	ok := poll(func() bool {
		var err error
		now, err = s.pen.usage()
		return err == nil && now.fds <= before.fds
	})
	if !ok {
		s.t.Errorf("descriptors: got %d, want %d", now.fds, before.fds)
	}
	if now.rss > before.rss+soakMemory {
		s.t.Errorf("memory: got %d kB, want at most %d kB more than %d kB", now.rss, soakMemory, before.rss)
	}
	s.t.Logf("before %+v, after %+v", before, now)
}

// checkTables wants that no HUP has cost the table of clients an entry.
func (s *soak) checkTables() {
	recent, err := s.pen.ask("recent 100000")
	if err != nil {
		s.t.Error(err)
	}
	other, err := s.pen.ask("service other recent 100000")
	if err != nil {
		s.t.Error(err)
	}
	var sum int64
	for line := range strings.Lines(recent + other) {
		var address string
		var connects int64
		if _, err := fmt.Sscanf(line, "%s connects %d", &address, &connects); err != nil {
			s.t.Errorf("recent: %q: %v", line, err)
		}
		sum += connects
	}
	if sum != s.requests.Load() {
		s.t.Errorf("connects in the tables: got %d, want %d", sum, s.requests.Load())
	}
}

// checkLogs wants a line for each connection in the access logs, and whole lines in all logs.
func (s *soak) checkLogs() {
	access := s.lines("access.log", func(line string) bool { return strings.Contains(line, "default") && strings.Contains(line, "127.0.") })
	if want := int(s.requests.Load()) - s.others; access != want {
		s.t.Errorf("access logs: got %d lines, want %d, one for each connection", access, want)
	}
	requests := s.lines("request.log", func(line string) bool { return strings.Contains(line, " 0s question ") })
	if requests == 0 { // how many depends on when it was off
		s.t.Error("no line in the request logs")
	}
}

// lines counts the lines of a log and the files that it was renamed to, and reports those that are not right.
func (s *soak) lines(name string, right func(line string) bool) (n int) {
	files, err := filepath.Glob(filepath.Join(s.vars["DIR"], name+"*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if n++; !right(line) || !strings.HasSuffix(line, "\n") {
				s.t.Errorf("%s: a broken line %q", file, line)
			}
		}
	}
	return n
}
