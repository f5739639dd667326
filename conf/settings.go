// Package conf is everything that an operator can say to pen: the settings, the one table of all commands, the
// execution of command lines and files as a change that is prepared on a [Draft], the file that recreates a
// configuration, and access lists. It is pure: it opens no socket, resolves no host name and starts no goroutine;
// what runs is behind [Runtime]. The caller owns every value and uses it from one goroutine at a time.
package conf

import (
	"slices"
	"time"
)

// Settings is everything that an operator can say, with the defaults filled in by [Default]. The control goroutine
// owns the current value; a change is made on a [Settings.Clone] and takes effect when the engine has compiled it.
type Settings struct {
	Process  Process
	Control  Control
	Limits   Limits
	ACL      [ACLs]ACL
	WebStats string     // web_stats, -w: file for the HTML report; "" = none
	GeoIP    string     // geoip: MaxMind database for the countries of access lists; "" = none
	Services []*Service // never empty; the first one is the one that a bare command means
}

// Process is what concerns the process as a whole and is decided at start.
type Process struct {
	User         string        // -u: account to run as; "" = stay
	Chroot       string        // -j: directory; "" = none
	PidFile      string        // -p; "" = none
	ConfigFile   string        // -F, read at start and after HUP; "" = none
	Foreground   bool          // -f
	ExitEnabled  bool          // -X: the exit command works
	AbortOnError bool          // abort_on_error: leave a core file after a fatal error
	Sandbox      bool          // sandbox: reach no files but those that are needed
	Debug        int           // debug, -d: 0 = quiet, 3 = dump what is forwarded
	ASCII        bool          // ascii, -a: dumps as text, not as hexadecimal
	Drain        time.Duration // drain: how long TERM waits for open connections; 0 = not at all
}

// Control says where commands are taken and from whom, and where pen tells how it is.
type Control struct {
	Listen      string // -C: address or path; "" = no control socket
	ACL         int    // control_acl: index into Settings.ACL
	Metrics     string // metrics: address or path for metrics and the status page; "" = none
	StatusAdmin string // status_admin: file with the token that lets the status page do things; "" = it only shows
}

// Limits bound what the process takes on, over all services.
type Limits struct {
	Connections int    // conn_max, -x: 0 = what the descriptor limit allows
	Clients     int    // clients_max, -c: entries of the client table
	Pending     int    // pending_max: connects under way, over all services; one dead server would use up the 100 of the C pen
	MultiAccept int    // -m: connections accepted in one turn of a reactor
	Backlog     int    // -q: length of the kernel's queue of a listener
	Reactors    int    // reactors: 0 = one per core
	Poller      string // epoll, kqueue, poll, select: "" = the best that the system has
}

// Service is one front: an address to listen on and the servers behind it.
type Service struct {
	Name      string // "default" unless a file says "service NAME"
	UDP       bool   // udp, -U: datagrams, not streams
	Listen    string // [host:]port or a path; "" = not open
	Servers   []Server
	Emergency string // -e: host:port or a path, the server of last resort; "" = none
	Abuse     string // -B: host:port or a path, for clients that ClientACL denies; "" = none
	Balance   Balance
	Timeout   Timeout
	Health    Health
	Limit     Limit
	TCP       TCP
	Proxy     Proxy
	Routes    []Route // route: replaced as a whole, never changed in place
	Flow      Flow
	HTTP      HTTP
	TLS       TLS
	ClientACL int    // client_acl: index into Settings.ACL
	Dummy     bool   // dummy: answer as a web server, without servers
	Idlers    int    // idlers: idle connections to the servers that are kept open
	Log       string // log, -l: file, or host:port of a penlogd; "" = none
	AccessLog AccessLog
}

// AccessLog is the log with one line for each connection.
type AccessLog struct {
	To   string // access_log: a file, "syslog" or "stdout"; "" = none
	JSON bool   // a JSON object a line instead of text
}

// Balance is how a server is chosen.
type Balance struct {
	RoundRobin bool // -r: do not look up which server the client used last
	Hash       bool // -h
	Weight     bool // -W
	Prio       bool // prio
	Stubborn   bool // -s: no fail-over

	LeastConnections bool // least_connections
	TwoChoices       bool // two_choices
	Maglev           bool // maglev
}

// Timeout holds the durations of a service; pen takes and shows them in whole seconds.
type Timeout struct {
	Connect   time.Duration // timeout, -t
	Idle      time.Duration // idle_timeout: 0 = never
	Blacklist time.Duration // blacklist, -b: 0 = a server that failed is tried again at once
	Tracking  time.Duration // tracking, -T: 0 = a client is never forgotten by age
	Handshake time.Duration // handshake_timeout: for all that a client has to say before a server is chosen
}

// TCP is how the sockets of a service are handled.
type TCP struct {
	FastClose      FastClose // tcp_fastclose
	NoDelay        bool      // tcp_nodelay: shown and written; TCP_NODELAY is always set
	KeepAlive      bool      // keepalive: SO_KEEPALIVE towards the servers
	Peek           bool      // peek: choose the server after the first bytes of the client
	Transparent    bool      // transparent: connect to servers from the client's address
	Source         string    // source: local address of connections to servers; "" = the system's choice
	DelayedForward bool      // delayed_forward: accepted and without effect, as in pen
	Block          bool      // block: accepted and without effect, as in pen
}

// Flow says when a flow of datagrams, which has no end of its own, is over.
type Flow struct {
	Timeout   time.Duration // udp_timeout: without a datagram either way; 0 = never, as in pen
	Responses int           // udp_responses: answers to each datagram of the client; 0 = any number
}

// FastClose says which end of a stream closes both sides at once instead of half-closing.
type FastClose uint8

// The values of tcp_fastclose; FastCloseBoth is FastCloseUp|FastCloseDown.
const (
	FastCloseUp   FastClose = 1 << iota // the server's end
	FastCloseDown                       // the client's end
	FastCloseBoth = FastCloseUp | FastCloseDown
	FastCloseOff  = FastClose(0)
)

// Server is one place in the table of servers.
type Server struct {
	Address string // host name, IP address without brackets, or path; "" = unused place
	Port    int    // 0 = never contacted; not used with a path
	Max     int    // soft limit of connections; 0 = none
	Hard    int    // limit for clients that were here last; 0 = no more than Max
	Weight  int
	Prio    int
	ACL     int // index into Settings.ACL
	Admin   Admin
	Proxy   ProxyVersion
	Probe   Probe // Kind "" = as Health.Probe, NoProbe = not probed
	TLS     ServerTLS
}

// Default returns pen's defaults, with one empty service named "default".
func Default() *Settings {
	return &Settings{
		Limits:   Limits{Clients: 65536, Pending: 4096, MultiAccept: 64, Backlog: 4096},
		Services: []*Service{NewService("default")},
	}
}

// NewService returns a service with pen's defaults.
func NewService(name string) *Service {
	return &Service{
		Name:    name,
		Timeout: Timeout{Connect: 3 * time.Second, Blacklist: 30 * time.Second, Handshake: 10 * time.Second},
		Flow:    Flow{Timeout: time.Minute},
		HTTP:    HTTP{MaxHead: 32 << 10, Timeout: 10 * time.Second},
	}
}

// Clone returns a copy that changes apart from s. They share the entries of access lists, which may be many: a list is
// replaced or appended to, which copies it, but an entry is never changed in place.
func (s *Settings) Clone() *Settings {
	c := *s
	for i := range c.ACL {
		c.ACL[i] = slices.Clip(s.ACL[i])
	}
	c.Services = make([]*Service, len(s.Services))
	for i, v := range s.Services {
		w := *v
		w.Servers = slices.Clone(v.Servers)
		w.TLS = v.TLS.clone()
		c.Services[i] = &w
	}
	return &c
}

// Service returns the service of a name, or nil.
func (s *Settings) Service(name string) *Service {
	for _, v := range s.Services {
		if v.Name == name {
			return v
		}
	}
	return nil
}
