//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// Peer is a row of the table: a way to get from the client to the origin.
type Peer struct {
	Name    string
	Help    string
	Program string   // default path; empty if this program plays the part itself
	Version []string // arguments that make it print its version
	Can     Ability
	Rival   bool // counts when the best peer is looked for
	Launch  func(Setup) Launch
}

// Ability is a set of things that not every peer can do. What every peer can do needs no ability.
type Ability uint

const (
	canMemory   Ability = 1 << iota // is a process of its own whose memory can be asked for
	canForward                      // adds X-Forwarded-For to requests
	canDatagram                     // forwards datagrams
	bulkOnly                        // differs from another peer in bulk only: left out of the other tests
)

// Setup is what a peer is asked to do.
type Setup struct {
	Program     string
	Dir         string // for its files; exists and is empty
	Listen      string // address:port of the loopback interface
	Origin      string
	Connections int  // of clients at the same time, some to spare included
	Forwarded   bool // add X-Forwarded-For
	Datagrams   bool // not streams
	Once        bool // one datagram and one answer make a flow
}

// Launch is how to start a peer: a command line that stays in the foreground, in one process, and the files it reads.
type Launch struct {
	Args  []string          // after the program
	Files map[string]string // name within Setup.Dir → content
}

const (
	ours   = "pen"
	direct = "direct"

	backlog = 4096 // connections waiting to be accepted; all peers alike, default of net.core.somaxconn
)

// peers is the table. In every round they are started in turn, not always in this order.
var peers = []Peer{
	{Name: direct, Help: "no proxy: what the load side can do at most", Can: canDatagram},
	{Name: ours, Help: "the pen under test (--pen)", Program: "bin/pen", Version: penVersion,
		Can: canMemory | canForward | canDatagram, Launch: launchPen},
	{Name: "penc", Help: "the C pen", Program: "/usr/bin/pen", Version: penVersion,
		Can: canMemory | canForward | canDatagram, Rival: true, Launch: launchPen},
	{Name: "haproxy", Help: "HAProxy, one thread", Program: "/usr/sbin/haproxy", Version: []string{"-v"},
		Can: canMemory | canForward, Rival: true, Launch: launchHAProxy("")},
	{Name: "haproxy-splice", Help: "HAProxy, splice forced", Program: "/usr/sbin/haproxy", Version: []string{"-v"},
		Can: canMemory | bulkOnly, Launch: launchHAProxy("  option splice-request\n  option splice-response\n")},
	{Name: "nginx", Help: "nginx stream, one worker", Program: "/usr/sbin/nginx", Version: []string{"-v"},
		Can: canMemory | canDatagram, Rival: true, Launch: launchNginx},
	{Name: "netpoll", Help: "a plain proxy built on cloudwego/netpoll", Can: canMemory, Launch: launchNetpoll},
}

// penVersion makes a pen say its version: it has no option for that, but the debug output begins with it. It ends at
// once because the user is unknown.
var penVersion = []string{"-f", "-d", "-u", "no-such-user", "127.0.0.1:0", "127.0.0.1:9"}

// takesPart tells if a peer can run a test and is worth running in it.
func (p Peer) takesPart(t Test) bool {
	if p.Can&t.Needs != t.Needs {
		return false
	}
	return p.Can&bulkOnly == 0 || t.Unit.Name == byteCount.Name
}

// launchPen starts either pen: theirs and ours take the same command line. Without tcp_nodelay the C pen waits some
// 40 ms for a delayed acknowledgement in every bulk reply; with it the comparison is about the proxy.
func launchPen(s Setup) Launch {
	args := []string{"-f", "-x", strconv.Itoa(s.Connections), "-m", "64", "-q", strconv.Itoa(backlog), "-O", "tcp_nodelay"}
	if s.Forwarded {
		args = append(args, "-H")
	}
	if s.Datagrams {
		args = append(args, "-U")
	}
	if s.Datagrams && s.Once {
		args = append(args, "-O", "udp_responses 1") // the C pen, which does not know it, takes the oldest flow's place
	}
	return Launch{Args: append(args, s.Listen, s.Origin)}
}

// launchHAProxy returns how to start HAProxy with some more lines in its defaults.
func launchHAProxy(options string) func(Setup) Launch {
	return func(s Setup) Launch {
		mode := "  mode tcp\n"
		if s.Forwarded {
			mode = "  mode http\n  option forwardfor\n"
		}
		return Launch{
			Args: []string{"-db", "-f", s.Dir + "/haproxy.cfg"},
			Files: map[string]string{"haproxy.cfg": fmt.Sprintf(`global
  maxconn %d
  nbthread 1
defaults
%s%s  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen bench
  bind %s backlog %d
  server origin %s
`, s.Connections, mode, options, s.Listen, backlog, s.Origin)},
		}
	}
}

// nginxStream is where Debian keeps the stream module; elsewhere it is built in.
const nginxStream = "/usr/lib/nginx/modules/ngx_stream_module.so"

func launchNginx(s Setup) Launch {
	var load string
	if _, err := os.Stat(nginxStream); err == nil {
		load = "load_module " + nginxStream + ";\n"
	}
	const perConnection = 2 // sockets; nginx counts them all as connections
	kind, answers := fmt.Sprintf("backlog=%d", backlog), ""
	if s.Datagrams {
		kind = "udp"
	}
	if s.Once {
		answers = "\n    proxy_responses 1;"
	}
	return Launch{
		Args: []string{"-p", s.Dir, "-c", s.Dir + "/nginx.conf", "-e", "stderr"},
		Files: map[string]string{"nginx.conf": fmt.Sprintf(`%sdaemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {
  worker_connections %d;
  multi_accept on;
}
stream {
  server {
    listen %s %s;
    proxy_pass %s;%s
  }
}
`, load, perConnection*s.Connections, s.Listen, kind, s.Origin, answers)},
	}
}

func launchNetpoll(s Setup) Launch {
	return Launch{Args: []string{roleCommand, role{Proxy: &proxyRole{Listen: s.Listen, Origin: s.Origin}}.String()}}
}

var versionPattern = regexp.MustCompile(`(?i)(pen|haproxy version|nginx)[ /]\d[\w.+~-]*`)

// parseVersion finds the version in what a program prints, empty if it says none.
func parseVersion(output string) string { return versionPattern.FindString(output) }
