package control

import (
	"container/heap"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"pen/conf"
	"pen/engine"
)

// Probes. One goroutine, the prober's, owns the state of all servers that are probed and a heap of when each is due;
// a probe that is due runs in a goroutine of its own, which lives for as long as the probe and sends one result, unless it
// does no more than connect (probe_knock.go). There is one timer, at most one probe per server, and at most maxProbes in all. What changes is sent to the control goroutine,
// which tells the engine; clients never wait for a probe.

// probeFunc asks a server once. nil means that it works. The time for it is that of ctx.
type probeFunc func(ctx context.Context, t *subject) error

// probeKinds are the kinds of the command probe, one file each.
var probeKinds = map[string]probeFunc{
	"tcp": probeTCP, "tls": probeTLS, "http": probeHTTP, "smtp": probeSMTP, "dns": probeDNS, "udp": probeUDP, "exec": probeExec,
}

// maxProbes bounds the probes at a time, and with them descriptors and memory. A probe of a server that is well takes
// milliseconds, so thousands of servers a second do not come near it; if many servers are silent, probes are late.
const maxProbes = 512

// jitter is the part of the interval by which a probe may come sooner or later, so that they do not come together.
const jitter = 0.1

// subject is a server and how it is probed.
type subject struct {
	engine.Target
	service  string
	datagram bool // the service is one of datagrams
	source   netip.Addr
	probe    conf.Probe // Kind "" = there is only the agent
	agent    int        // port; 0 = none
}

// change is what has become of a server.
type change struct {
	*subject
	from, to engine.Standing
	why      string
}

// prober probes. Its exported counterpart is [Control.Probes].
type prober struct {
	ask      map[string]probeFunc
	askAgent func(context.Context, *subject) (agentAnswer, error)
	changes  chan []change          // to the control goroutine
	troubles <-chan engine.Trouble  // from the reactors
	wake     chan struct{}          // holds one: wanted has been set
	results  chan result            // has room for all probes that run
	stop     context.CancelFunc     // ends the goroutine and all probes
	mu       sync.Mutex             // guards what follows
	wanted   []subject              // what control wants to have probed; nil = taken
	reports  map[int32]*ProbeReport // by Target.ID

	// The rest belongs to the goroutine.
	servers map[int32]*probed
	due     dueHeap
	knocks  *knocks // nil = all probes have a goroutine
	running int
	pending []change
}

// probed is a server under probe.
type probed struct {
	*subject
	health  health
	agent   agentAnswer
	told    engine.Standing // what the control goroutine knows
	why     string          // why it is down
	due     time.Time
	index   int // in the heap; -1 = its probe runs
	dropped bool
}

// result is what a probe found out.
type result struct {
	*probed
	asked  *subject // what was probed; another one by now if the settings have changed
	took   time.Duration
	err    error // of the probe
	agent  agentAnswer
	silent bool // the agent gave no answer
}

func newProber(troubles <-chan engine.Trouble) *prober {
	return &prober{
		ask: probeKinds, askAgent: askAgent, troubles: troubles,
		changes: make(chan []change), wake: make(chan struct{}, 1), results: make(chan result, maxProbes),
		reports: map[int32]*ProbeReport{}, servers: map[int32]*probed{}, stop: func() {}, knocks: newKnocks(),
	}
}

// want makes these the servers that are probed. Those that were probed before keep their state. It never waits.
func (p *prober) want(targets []subject) {
	p.mu.Lock()
	p.wanted = targets
	if p.wanted == nil {
		p.wanted = []subject{}
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// begin starts the prober's goroutine, which ends with stop.
func (p *prober) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go p.run(ctx)
}

// run is the prober's goroutine.
func (p *prober) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	if p.knocks != nil {
		defer p.knocks.Close()
	}
	for {
		p.start(ctx)
		p.listen()
		timer.Reset(p.wait())
		var out chan<- []change
		if len(p.pending) > 0 {
			out = p.changes
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.wake:
			p.adopt()
		case r := <-p.results:
			p.take(r)
			for range len(p.results) {
				p.take(<-p.results)
			}
		case t := <-p.troubles:
			p.observed(t)
		case out <- p.pending:
			p.pending = nil
		}
	}
}

// wait is how long until a probe is due.
func (p *prober) wait() time.Duration {
	look := p.nextLook()
	if len(p.due) == 0 || p.running == maxProbes {
		return look // something else will happen first, if nobody is looked for
	}
	return min(look, time.Until(p.due[0].due))
}

// beat is the time within which probes that are due are sent together: to wake up for each costs more than the probe.
// It is short because a burst of probes is felt where cores are short: with 2,000 servers a second and all of pen on one core,
// 10 ms raise the p99 of small requests by a third or more, 5 ms by a fifth, and 1 ms by some percent.
const beat = time.Millisecond

// start begins the probes that are due.
func (p *prober) start(ctx context.Context) {
	for now := time.Now(); len(p.due) > 0 && p.running < maxProbes && p.due[0].due.Before(now.Add(beat)); {
		s := heap.Pop(&p.due).(*probed)
		p.running++
		if s.due.Before(now) {
			s.due = now
		}
		s.due = s.due.Add(spread(s.probe.Interval))
		if to, ok := p.knocksOn(s.subject); ok {
			p.knock(s, to)
		} else {
			go p.probe(ctx, s, s.subject)
		}
	}
}

// spread returns an interval give or take the jitter.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}

// probe asks one server. It runs in a goroutine of its own.
func (p *prober) probe(ctx context.Context, s *probed, t *subject) {
	r := result{probed: s, asked: t}
	timed := func(ask func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, t.probe.Timeout)
		defer cancel()
		ask(ctx)
	}
	if t.probe.Kind != "" {
		begun := time.Now()
		timed(func(ctx context.Context) { r.err = p.ask[t.probe.Kind](ctx, t) })
		r.took = time.Since(begun)
	}
	if t.agent != 0 {
		timed(func(ctx context.Context) {
			var err error
			r.agent, err = p.askAgent(ctx, t)
			r.silent = err != nil
		})
	}
	p.results <- r
}

// adopt takes over what control wants.
func (p *prober) adopt() {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	if wanted == nil {
		return
	}
	now := time.Now()
	keep := make(map[int32]*probed, len(wanted))
	for i := range wanted {
		t := &wanted[i]
		s := p.servers[t.ID]
		if s == nil {
			s = &probed{told: unprobed, health: health{state: engine.Probing}, agent: agentAnswer{share: 100}}
			s.due = now.Add(time.Duration(rand.Int64N(int64(firstSpread)*int64(len(wanted)) + 1)))
			heap.Push(&p.due, s)
		} else if s.subject.probe != t.probe && s.index >= 0 {
			s.due = now
			heap.Fix(&p.due, s.index)
		}
		if t.agent == 0 {
			s.agent = agentAnswer{share: 100}
		}
		s.subject = t
		keep[t.ID] = s
		p.tell(s)
	}
	p.drop(keep)
	p.servers = keep
}

// firstSpread is the time for each server in which the first probes are sent, so that they do not come all at once.
const firstSpread = 250 * time.Microsecond

// unprobed is the standing of a server that nobody asks.
var unprobed = engine.Standing{Health: engine.Unprobed, Share: 100}

// drop forgets the servers that are not to be kept.
func (p *prober) drop(keep map[int32]*probed) {
	for id, s := range p.servers {
		if keep[id] != nil {
			continue
		}
		s.dropped = true
		if s.index >= 0 {
			heap.Remove(&p.due, s.index)
		}
		p.pending = append(p.pending, change{s.subject, s.told, unprobed, ""})
		p.mu.Lock()
		delete(p.reports, id)
		p.mu.Unlock()
	}
}

// take draws the conclusions from a result.
func (p *prober) take(r result) {
	s := r.probed
	p.running--
	if s.dropped {
		return
	}
	s.index = -1
	if now := time.Now(); s.due.Before(now) {
		s.due = now
	}
	heap.Push(&p.due, s)
	if r.asked.probe != s.probe || exhausted(r.err) { // the answer to another question, or none
		return
	}
	p.count(s, r)
	if s.probe.Kind != "" && s.health.take(r.err == nil, s.probe.Rise, s.probe.Fall) {
		s.why = cause(r.err, s.probe)
	}
	if !r.silent && s.subject.agent != 0 {
		s.agent = r.agent
		if s.probe.Kind == "" {
			s.health.state = engine.Up
		}
	}
	p.tell(s)
}

// observed takes a server down that has failed its clients too often. Its probes bring it up again.
func (p *prober) observed(t engine.Trouble) {
	s := p.servers[t.Server]
	if s == nil || s.probe.Kind == "" || s.health.state == engine.Down {
		return
	}
	s.health = health{state: engine.Down}
	s.why = "clients: " + t.Why
	p.tell(s)
}

// tell has the control goroutine know what is new about a server.
func (p *prober) tell(s *probed) {
	now := engine.Standing{Health: s.health.state, Drain: s.agent.drain, Share: s.agent.share}
	why := s.why
	if s.agent.down {
		if now.Health != engine.Down {
			why = "its agent says so"
		}
		now.Health = engine.Down
	}
	if now.Health != engine.Down {
		why = ""
	}
	if now == s.told {
		return
	}
	p.pending = append(p.pending, change{s.subject, s.told, now, why})
	s.told = now
	p.note(s, why)
}

// dialer makes the connections of probes. They are too short for keep-alives.
func (t *subject) dialer(network string) net.Dialer {
	d := net.Dialer{KeepAlive: -1}
	if t.source.IsValid() && network == "tcp" {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.source, 0))
	}
	if t.source.IsValid() && network == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(t.source, 0))
	}
	return d
}

// dial connects to the server, at another port if that is not 0. Reads and writes end with the time of ctx. At the port
// that clients get to, the server hears at once, if it wants to, that no client is behind this.
func (t *subject) dial(ctx context.Context, network string, port int) (net.Conn, error) {
	address := t.Address
	if t.Network == "unix" {
		network = "unix"
	} else if port != 0 {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	d := t.dialer(network)
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		err = c.SetDeadline(end)
	}
	switch {
	case err != nil || port != 0 || t.Header == nil:
	case network == "udp":
		return headed{c, t.Header}, nil
	default:
		_, err = c.Write(t.Header)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// headed puts a PROXY header in front of each datagram.
type headed struct {
	net.Conn
	header []byte
}

// Write is part of [net.Conn].
func (c headed) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(slices.Concat(c.header, p))
	return max(n-len(c.header), 0), err
}

// speak is dial for what is asked inside of TLS, if the server speaks that to its clients.
func (t *subject) speak(ctx context.Context, network string, port int) (net.Conn, error) {
	c, err := t.dial(ctx, network, port)
	if err != nil || t.TLS == nil || port != 0 {
		return c, err
	}
	secure := tls.Client(c, t.TLS.Config())
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// exhausted tells if an error is our own: it says nothing about the server.
func exhausted(err error) bool {
	ours := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EAGAIN, context.Canceled}
	return err != nil && slices.ContainsFunc(ours, func(e error) bool { return errors.Is(err, e) })
}

// cause is what is shown of the error of a probe: without the address, which stands beside it.
func cause(err error, p conf.Probe) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok && errors.Is(err, op) {
		text = op.Err.Error()
	}
	if e, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout() {
		text = fmt.Sprintf("no answer within %v", p.Timeout)
	}
	return p.Kind + ": " + text
}

// dueHeap has the server on top that is due first.
type dueHeap []*probed

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *dueHeap) Push(x any) {
	s := x.(*probed)
	s.index = len(*h)
	*h = append(*h, s)
}

// Pop implements [heap.Interface].
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.index = -1
	return s
}
