package engine

import (
	"net/netip"
	"time"

	"pen/engine/logline"
	"pen/splice"
)

// Logs are the sinks of one service. They exist whether something is logged or not, and outlive changes of where to.
type Logs struct {
	Requests *Sink[byte]         // command log: lines of package logline, one for each chunk read from a client
	Access   *Sink[AccessRecord] // command access_log
}

// AccessRecord is what is known of a connection at its end.
type AccessRecord struct {
	Time       time.Time // of its end
	Service    string
	Client     netip.Addr // not valid if it came through a Unix socket
	ClientPort uint16
	Server     string        // the last one that was tried; "" = none
	Received   uint64        // bytes from the client that went to the server
	Sent       uint64        // bytes from the server that went to the client
	Connect    time.Duration // from accept until the server's side stood; 0 = it never did
	FirstByte  time.Duration // from accept until the first byte went to the client; 0 = none did
	Total      time.Duration
	End        string     // why it ended
	TLS        *TLSRecord // with the client; nil = none was agreed on
}

// TLSRecord is what a client and pen have agreed on.
type TLSRecord struct {
	Version string // "TLSv1.3"
	Cipher  string
	Name    string // that the client asked for; "" = none
	Client  string // common name in the client's certificate; "" = none
	Resumed bool   // a session of before
}

// Logs returns the sinks of a service, which the control plane empties; nil if there is no such service.
func (e *Engine) Logs(service string) *Logs {
	v := e.service(service)
	if v == nil {
		return nil
	}
	return v.state.logs
}

// waitingLogs are what a reactor has logged for one service and not handed over yet.
type waitingLogs struct {
	requests sinkBatch[byte]
	access   sinkBatch[AccessRecord]
}

// logsOf returns the reactor's side of a service's logs.
func (r *reactor) logsOf(v *serviceState) *waitingLogs {
	for int(v.id) >= len(r.logs) {
		r.logs = append(r.logs, nil)
	}
	if r.logs[v.id] == nil {
		r.logs[v.id] = &waitingLogs{sinkBatch[byte]{sink: v.logs.Requests}, sinkBatch[AccessRecord]{sink: v.logs.Access}}
	}
	return r.logs[v.id]
}

// handDelay is how long an entry may wait for others: waking the writer for each turn costs more than writing.
const handDelay = int64(50 * time.Millisecond)

// logged has what was logged handed over after a delay, or before that if it has become much.
func (r *reactor) logged(delay int64) {
	if at := r.now + delay; r.logsDue == 0 || at < r.logsDue {
		r.logsDue = at
	}
}

// handLogs passes on what was logged, at the end of a turn: all, if it is time, or where it has become much.
func (r *reactor) handLogs() {
	due := r.logsDue != 0 && r.now >= r.logsDue
	for _, l := range r.logs {
		if l != nil {
			l.requests.hand(due)
			l.access.hand(due)
		}
	}
	if due {
		r.logsDue = 0
	}
}

// tap is a side of a session whose bytes somebody wants to see as they are read. It is not a plain socket, so its
// bytes are copied, never spliced.
type tap struct {
	splice.End
	reactor *reactor
	session *session
	side    side
}

// Read is part of splice.End.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.End.Read(p)
	if n > 0 {
		t.reactor.seen(t.session, t.side, p[:n])
	}
	return n, err
}

// source returns the end to read a side of a session from: its end, or the reactor's tap on that.
func (r *reactor) source(s *session, x side) splice.End {
	if !r.debugging(dumpLevel) && (x == up || s.service.conf.Log == "") {
		return s.end(x)
	}
	r.tap = tap{s.end(x), r, s, x}
	return &r.tap
}

// seen logs and dumps a chunk that was read.
func (r *reactor) seen(s *session, x side, chunk []byte) {
	if x == down && s.service.conf.Log != "" {
		r.logRequest(s.service, s.client, s.server, chunk)
	}
	r.dump(chunk)
}

// logRequest logs what a client sent to a server.
func (r *reactor) logRequest(v *service, client netip.Addr, server *place, chunk []byte) {
	b := &r.logsOf(v.state).requests
	switch {
	case !b.room():
	case v.logNet:
		b.set(logline.AppendNet(b.content, client, server.addr.host, chunk))
		r.logged(0) // penlogd is to know of the request before the server has answered and logged it
	default:
		b.set(logline.AppendFile(b.content, client, r.wall.Unix(), server.addr.host, chunk))
		r.logged(handDelay)
	}
}

// logAccess makes the record of a session that is ending.
func (r *reactor) logAccess(s *session) {
	b := &r.logsOf(s.service.state).access
	if !b.room() {
		return
	}
	a := AccessRecord{
		Time: r.wall, Service: s.service.conf.Name, Client: s.client, ClientPort: s.port,
		Received: s.moved[up], Sent: s.moved[down],
		Connect: s.connectTook.duration(), FirstByte: s.firstByte.duration(), Total: time.Duration(r.now - s.begun),
		End: s.why.String(),
	}
	if s.server != nil {
		a.Server = s.server.addr.text
	}
	if f, ok := s.tlsFacts(); ok {
		a.TLS = &TLSRecord{Version: f.version, Cipher: f.cipher, Name: f.name, Client: f.client, Resumed: f.resumed}
	}
	b.set(append(b.content, a))
	r.logged(handDelay)
}

// logFlow makes the record of a flow of datagrams that is ending. It never waited for a connection.
func (r *reactor) logFlow(f *flow) {
	b := &r.logsOf(f.service.state).access
	if !b.room() {
		return
	}
	a := AccessRecord{
		Time: r.wall, Service: f.service.conf.Name, Client: f.client, ClientPort: f.port,
		Received: f.moved[up], Sent: f.moved[down], FirstByte: f.firstByte.duration(), Total: time.Duration(r.now - f.begun),
		End: f.why.String(),
	}
	if f.server != nil {
		a.Server = f.server.addr.text
	}
	b.set(append(b.content, a))
	r.logged(handDelay)
}

// micros is a time since accept, small enough to be kept for every session: 0 = not yet, at most 71 minutes.
type micros uint32

// mark takes the time of an event that happens once.
func (m *micros) mark(since int64) {
	if *m == 0 {
		*m = micros(min(max(since/1000, 1), 1<<32-1))
	}
}

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

// dumpLevel is the debug level at which what is forwarded is shown.
const dumpLevel = 3

// dump reports a chunk as pen shows it: its length, and what is in it.
func (r *reactor) dump(chunk []byte) {
	if r.debugging(dumpLevel) {
		r.engine.report(dumpLevel, "%d: %s", len(chunk), dumped(chunk, r.plan.settings.Process.ASCII))
	}
}

const hexDigits = "0123456789abcdef"

// dumped is a chunk in hexadecimal bytes, or as text with dots for what is neither white space nor printable.
func dumped(chunk []byte, ascii bool) []byte {
	out := make([]byte, 0, 3*len(chunk))
	for _, c := range chunk {
		switch {
		case !ascii:
			out = append(out, hexDigits[c>>4], hexDigits[c&15], ' ')
		case (c < ' ' || c > '~') && (c < '\t' || c > '\r'):
			out = append(out, '.')
		default:
			out = append(out, c)
		}
	}
	return out
}
