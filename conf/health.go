package conf

import (
	"strconv"
	"strings"
	"time"
)

// Health is how the servers of a service are found to work, and what follows if they don't.
type Health struct {
	Probe     Probe
	Agent     int           // agent: port of the servers that says how they are; 0 = none
	Observe   int           // observe: failures of clients in a row that count like a failed probe; 0 = none do
	SlowStart time.Duration // slow_start: a server that comes back gets its full share after so long; 0 = at once
	CloseDown bool          // on_down close: the sessions of a server that goes down end
	FailOpen  bool          // all_down open: if all servers are down, they are used as if they were up
}

// Probe is a question that a server which works answers. The zero value is no probe; one of [NewProbe] has all numbers
// set.
type Probe struct {
	Kind     string        // a name in probeKinds; "" = none
	Arg      string        // what the kind wants: a path, a name, hexadecimal digits, a command
	Expect   string        // http: a status like 200 or 2xx, or a text in the body; "" = a status of 2xx or 3xx
	Host     string        // http: the header Host; tls: the name asked for; "" = the address of the server
	Interval time.Duration // from one probe to the next, give or take a tenth
	Timeout  time.Duration // for the whole probe
	Rise     int           // good answers in a row that bring a server up
	Fall     int           // bad ones that take it down
	Port     int           // 0 = the server's
}

// NoProbe is the kind of a server that is not probed though its service is.
const NoProbe = "none"

// probeKinds are the kinds of probes, with what the word after the kind is called; "" = there is none.
var probeKinds = map[string]string{
	"tcp": "", "tls": "", "http": "PATH", "smtp": "", "dns": "NAME", "udp": "HEX", "exec": "COMMAND",
}

// NewProbe returns a probe of a kind with the default numbers.
func NewProbe(kind string) Probe {
	return Probe{Kind: kind, Interval: 2 * time.Second, Timeout: 2 * time.Second, Rise: 2, Fall: 3}
}

// Probe returns the probe of server i, whose kind is "" if it is not probed: its own one, or else that of the service.
func (v *Service) Probe(i int) Probe {
	switch p := v.Servers[i].Probe; p.Kind {
	case "":
		return v.Health.Probe
	case NoProbe:
		return Probe{}
	default:
		return p
	}
}

// words returns the probe as the operands of the command probe; numbers that are the default are left out.
func (p Probe) words() string {
	var b strings.Builder
	b.WriteString(p.Kind)
	if p.Kind == NoProbe {
		return b.String()
	}
	if p.Arg != "" {
		b.WriteString(" " + Quote(p.Arg))
	}
	key := func(name, value, usual string) {
		if value != usual {
			b.WriteString(" " + name + " " + Quote(value))
		}
	}
	d := NewProbe(p.Kind)
	key("expect", p.Expect, "")
	key("host", p.Host, "")
	key("interval", formatSeconds(p.Interval), formatSeconds(d.Interval))
	key("timeout", formatSeconds(p.Timeout), formatSeconds(d.Timeout))
	key("rise", strconv.Itoa(p.Rise), strconv.Itoa(d.Rise))
	key("fall", strconv.Itoa(p.Fall), strconv.Itoa(d.Fall))
	key("port", strconv.Itoa(p.Port), "0")
	return b.String()
}

// Admin is the operator's own switch of a server. What probes find out is something else.
type Admin uint8

// The positions of the switch.
const (
	Ready Admin = iota
	Drain       // only clients that are remembered as the server's
	Maint       // nobody
)

var admins = [...]string{"ready", "drain", "maint"}

// String returns the word of the command server.
func (a Admin) String() string { return admins[a] }

// Limit is what a service takes on at a time.
type Limit struct {
	Queue      int           // queue: clients that wait for a place on a server that is full; 0 = none
	QueueTime  time.Duration // queue N timeout: so long at most
	Clients    int           // client_max: connections of one address at a time; 0 = any number
	Rate       int           // client_rate: connections of one address in RateTime; 0 = any number
	RateTime   time.Duration
	Tarpit     bool          // limit_action tarpit: who is over a limit is kept waiting, not closed
	TarpitTime time.Duration // for so long
}

// parseSeconds returns a number of seconds, which may have a fraction down to a millisecond.
func (c *call) parseSeconds(what, word string, least, most time.Duration) (time.Duration, error) {
	f, err := strconv.ParseFloat(word, 64)
	d := time.Duration(0)
	if err == nil && f >= 0 && f <= most.Seconds() {
		d = time.Duration(f*1000+0.5) * time.Millisecond
	}
	if d < least || d > most || strings.Trim(word, "0123456789.") != "" {
		return 0, c.wrong("expected %s in seconds from %s to %s, not '%s'", what, formatSeconds(least), formatSeconds(most), clip(word))
	}
	return d, nil
}

// formatSeconds is the reverse of parseSeconds.
func formatSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
