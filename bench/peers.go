//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Peer is a row of the table: a way to get from the client to the origin.
type Peer struct {
	Name    string
	Help    string
	Program string   // default path; empty if this program plays the part itself
	Version []string // arguments that make it print its version
	Can     Ability
	Rival   rivalry // when it counts as the best peer is looked for
	Variant bool    // takes part only in tests that name it
	Launch  func(Setup) Launch
}

// Ability is a set of things that not every peer can do. What every peer can do needs no ability.
type Ability uint

const (
	canMemory   Ability = 1 << iota // is a process of its own whose memory can be asked for
	canForward                      // adds X-Forwarded-For to requests
	canDatagram                     // forwards datagrams
	canTLS                          // speaks TLS to clients
	bulkOnly                        // differs from another peer in bulk only: left out of the other tests
	tlsOnly                         // does nothing else
)

// rivalry is a set of kinds of tests.
type rivalry uint

const (
	inPlain rivalry = 1 << iota
	inTLS
)

// Setup is what a peer is asked to do.
type Setup struct {
	Program     string
	Dir         string // for its files; exists and is empty
	Listen      string // address:port of the loopback interface
	Origin      string
	Connections int         // of clients at the same time, some to spare included
	Forwarded   bool        // add X-Forwarded-For
	Datagrams   bool        // not streams
	Once        bool        // one datagram and one answer make a flow
	Certificate certificate // to show to clients; none = no TLS
	Spare       string      // another address to listen on
	Fakes       []string    // servers to be probed
	Commands    []string    // for pen, on its command line
}

// Launch is how to start a peer: a command line that stays in the foreground, and the files it reads.
type Launch struct {
	Args  []string          // after the program
	Files map[string]string // name within Setup.Dir → content

	Scrape string // where its metrics are, to be asked for each second of the load
}

const (
	ours   = "pen"
	direct = "direct"

	basePen = "pen-base"

	backlog = 4096 // connections waiting to be accepted; all peers alike, default of net.core.somaxconn
)

// peers is the table, the usual ones first. In every round they are started in turn, not always in this order.
var peers = slices.Concat(usualPeers, variantPeers())

var usualPeers = []Peer{
	{Name: direct, Help: "no proxy: what the load side can do at most; with TLS the origin speaks it, on the proxy's cores", Can: canDatagram | canTLS},
	{Name: ours, Help: "the pen under test (--pen)", Program: "bin/pen", Version: []string{"--version"},
		Can: canMemory | canForward | canDatagram | canTLS, Launch: launchPen},
	{Name: basePen, Help: "another pen (--base)", Program: "bin/pen", Version: []string{"--version"},
		Can: canMemory | canForward | canDatagram | canTLS, Launch: launchPen},
	{Name: "penc", Help: "the C pen", Program: "/usr/bin/pen", Version: penVersion,
		Can: canMemory | canForward | canDatagram, Rival: inPlain, Launch: launchPen}, // TLS with the curve P-256 only
	{Name: "haproxy", Help: "HAProxy, one thread", Program: "/usr/sbin/haproxy", Version: []string{"-v"},
		Can: canMemory | canForward | canTLS, Rival: inPlain | inTLS, Launch: launchHAProxy("")},
	{Name: "haproxy-splice", Help: "HAProxy, splice forced", Program: "/usr/sbin/haproxy", Version: []string{"-v"},
		Can: canMemory | bulkOnly, Launch: launchHAProxy("  option splice-request\n  option splice-response\n")},
	{Name: "nginx", Help: "nginx stream, one worker", Program: "/usr/sbin/nginx", Version: []string{"-v"},
		Can: canMemory | canDatagram | canTLS, Rival: inPlain | inTLS, Launch: launchNginx},
	{Name: "hitch", Help: "hitch, one worker", Program: "/usr/sbin/hitch", Version: []string{"--version"},
		Can: canMemory | canTLS | tlsOnly, Rival: inTLS, Launch: launchHitch},
	{Name: "netpoll", Help: "a plain proxy built on cloudwego/netpoll", Can: canMemory, Launch: launchNetpoll},
}

// penVersion makes the C pen say its version: it has no option for that, but the debug output begins with it. It ends at
// once because the user is unknown.
var penVersion = []string{"-f", "-d", "-u", "no-such-user", "127.0.0.1:0", "127.0.0.1:9"}

// takesPart tells if a peer can run a test and is worth running in it.
func (p Peer) takesPart(t Test) bool {
	switch {
	case p.Can&t.Needs != t.Needs,
		p.Can&bulkOnly != 0 && t.Unit.Name != byteCount.Name,
		p.Can&tlsOnly != 0 && !t.secure():
		return false
	case len(t.Among) > 0:
		return slices.Contains(t.Among, p.Name)
	}
	return !p.Variant
}

// rivals tells if a peer is one that pen is compared with in a test.
func (p Peer) rivals(t Test) bool {
	if t.secure() {
		return p.Rival&inTLS != 0
	}
	return p.Rival&inPlain != 0
}

// launchPen starts either pen: theirs and ours take the same command line. Without tcp_nodelay the C pen waits some
// 40 ms for a delayed acknowledgement in every bulk reply; with it the comparison is about the proxy.
func launchPen(s Setup) Launch {
	args := []string{"-f", "-x", strconv.Itoa(s.Connections), "-m", "64", "-q", strconv.Itoa(backlog), "-O", "tcp_nodelay"}
	if s.Forwarded {
		args = append(args, "-H")
	}
	if s.Certificate != (certificate{}) {
		args = append(args, "-E", s.Certificate.Cert, "-K", s.Certificate.Key)
	}
	if s.Datagrams {
		args = append(args, "-U")
	}
	for _, c := range s.Commands {
		args = append(args, "-O", c)
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
  bind %s backlog %d%s
  server origin %s
`, s.Connections, mode, options, s.Listen, backlog, haproxyTLS(s.Certificate), s.Origin)},
		}
	}
}

// What all peers speak. The load client offers no other curve, so that pen need not be told.
const (
	tlsCurve = "X25519"
	tlsSuite = "TLS_AES_128_GCM_SHA256"
)

func haproxyTLS(c certificate) string {
	if c == (certificate{}) {
		return ""
	}
	return fmt.Sprintf(" ssl crt %s ssl-min-ver TLSv1.3 ciphersuites %s curves %s", c.Both, tlsSuite, tlsCurve)
}

func nginxTLS(c certificate) string {
	if c == (certificate{}) {
		return ""
	}
	return fmt.Sprintf(`
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites %s;
    ssl_ecdh_curve %s;`, c.Cert, c.Key, tlsSuite, tlsCurve)
}

// launchHitch starts hitch, which has a child do the work and refuses to be root.
func launchHitch(s Setup) Launch {
	host, port, _ := strings.Cut(s.Listen, ":")
	backendHost, backendPort, _ := strings.Cut(s.Origin, ":")
	user := ""
	if os.Geteuid() == 0 {
		user = "user = \"nobody\"\ngroup = \"nogroup\"\n"
	}
	return Launch{
		Args: []string{"--config=" + s.Dir + "/hitch.conf"},
		Files: map[string]string{"hitch.conf": fmt.Sprintf(`frontend = { host = "%s" port = "%s" }
backend = "[%s]:%s"
pem-file = "%s"
tls-protos = TLSv1.3
ciphersuites = "%s"
ecdh-curve = "%s"
workers = 1
backlog = %d
daemon = off
log-level = 0
%s`, host, port, backendHost, backendPort, s.Certificate.Both, tlsSuite, tlsCurve, backlog, user)},
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
	if s.Certificate != (certificate{}) {
		kind += " ssl"
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
    proxy_pass %s;%s%s
  }
}
`, load, perConnection*s.Connections, s.Listen, kind, s.Origin, answers, nginxTLS(s.Certificate))},
	}
}

func launchNetpoll(s Setup) Launch {
	return Launch{Args: []string{roleCommand, role{Proxy: &proxyRole{Listen: s.Listen, Origin: s.Origin}}.String()}}
}

var versionPattern = regexp.MustCompile(`(?i)(pen|haproxy version|nginx|hitch)[ /]\d[\w.+~-]*`)

// parseVersion finds the version in what a program prints, empty if it says none.
func parseVersion(output string) string { return versionPattern.FindString(output) }
