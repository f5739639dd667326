// Package engine is pen's data plane: it accepts clients, chooses servers and moves bytes between them.
//
// It is not concerned with commands, files, logs, signals and probes; those are the control plane's
// (pen/engine/control), which reaches the data plane by the methods of Engine alone. Read engine.go, plan.go,
// reactor.go, listener.go, session.go and balance.go, in this order; then greet.go and layers.go, on which stand
// proxyproto.go, route.go, tls.go and http.go; and, for datagrams, udp.go, udp_listener.go, udp_forward.go and
// udp_table.go.
//
// Who owns what:
//
//   - Engine's methods, but for the queries, are called by one goroutine, the control plane's. With it goes the registry.
//   - A plan is immutable once published. Reactors load the pointer once per turn.
//   - A reactor owns its poller, sessions, deadlines, buffers and counters. Others send it functions with Post.
//   - Reactors share a server's atomics, the client table and the connection table, touched when a connection begins
//     and ends, never per byte.
//
// A panic in one session closes that session; a panic in the loop ends the program.
package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pen/conf"
	"pen/engine/tlsio"
)

// Engine is the data plane of one process.
type Engine struct {
	start       time.Time // the clock counts from here
	registry    *registry // the control goroutine's
	passed      Passed    // the control goroutine's
	plan        atomic.Pointer[plan]
	reactors    []*reactor
	running     bool
	done        sync.WaitGroup // counts the reactors that run
	connections *connections
	clients     *clients
	visitors    *visitors
	signers     *tlsio.Signers
	heap        *heapPace // nil = there was no TLS yet
	troubles    chan Trouble
	events      chan Event
	dropped     atomic.Uint64 // events that found no room
	copies      copies        // of the reactors' counters
}

// eventQueue is how many events may wait for the control plane.
const eventQueue = 1024

// New compiles s and opens its listeners, or takes passed sockets for them. Nobody is served before Run, so that the caller
// can give up privileges and change the root directory in between. The descriptor limit is taken as it is at that time.
func New(s *conf.Settings, passed ...*passedSocket) (*Engine, error) {
	e := &Engine{
		passed:      passed,
		start:       time.Now(),
		registry:    newRegistry(),
		clients:     newClients(s.Limits.Clients),
		connections: newConnections(connectionsMax(s)),
		visitors:    newVisitors(s.Limits.Clients),
		signers:     &tlsio.Signers{},
		troubles:    make(chan Trouble, troubleQueue),
		events:      make(chan Event, eventQueue),
	}
	e.registry.start = e.start
	n := s.Limits.Reactors
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	for id := range n {
		r, err := newReactor(e, id, s.Limits.Poller)
		if err != nil {
			e.abort()
			return nil, err
		}
		e.reactors = append(e.reactors, r)
	}
	e.signers.Max = n
	if err := e.Publish(s); err != nil {
		e.abort()
		return nil, err
	}
	return e, nil
}

// abort takes back a New that failed half-way.
func (e *Engine) abort() {
	for _, r := range e.reactors {
		r.pool.Close()
		r.poller.Close()
	}
}

// Run starts the reactors and returns. One more processor is left to the control plane.
func (e *Engine) Run() {
	runtime.GOMAXPROCS(len(e.reactors) + 1)
	e.running = true
	for _, r := range e.reactors {
		r.tick()
		r.adopt(e.plan.Load()) // here, so that it has its sockets even if there is another plan before it runs
		e.done.Add(1)
		go r.run()
	}
}

// Publish makes s the configuration. If it can't be compiled or a listener can't be opened, nothing has changed. When it
// returns, the reactors work by s. The caller does not modify s afterwards.
func (e *Engine) Publish(s *conf.Settings) error {
	old := e.plan.Load()
	if err := startOnly(s, old); err != nil {
		return err
	}
	p, err := e.registry.compile(s, old)
	if err != nil {
		return err
	}
	if err := e.listen(p, old); err != nil {
		return err
	}
	for _, v := range p.services {
		v.state.line.follow(v)
		v.settle()
	}
	e.plan.Store(p)
	e.paceHeap(p)
	e.clients.resize(s.Limits.Clients)
	e.visitors.resize(s.Limits.Clients)
	thereIsRoom(e.connections.resize(connectionsMax(s)))
	if e.running {
		// Each reactor has the plan before there is another one, or sockets of a plan that it never saw would stay open. It
		// adopts it here: its turn may have looked for a plan before there was this one.
		ask(e, func(r *reactor) bool { r.adopt(e.plan.Load()); return true })
	}
	return nil
}

// Check compiles s like Publish, but opens nothing and changes nothing.
func Check(s *conf.Settings) error {
	_, err := newRegistry().compile(s, nil)
	return err
}

// Check does the same while the engine works: keys that may not be read any more are those that it has.
func (e *Engine) Check(s *conf.Settings) error {
	g := newRegistry()
	g.reread = true
	_, err := g.compile(s, e.plan.Load())
	return err
}

// Refresh has the next Publish look host names up again and read the database of countries again. A name that then can't
// be resolved keeps its address.
func (e *Engine) Refresh() {
	e.registry.names.forget()
	e.registry.reread = true
}

// Matcher returns an access list of the plan in use, compiled.
func (e *Engine) Matcher(list int) *conf.Matcher { return e.plan.Load().matchers[list] }

// startOnly refuses to change what is decided at start.
func startOnly(s *conf.Settings, old *plan) error {
	if old == nil {
		return nil
	}
	was := old.settings.Limits
	if s.Limits.Reactors != was.Reactors {
		return fmt.Errorf("reactors can't change from %d to %d while pen runs: restart it", was.Reactors, s.Limits.Reactors)
	}
	if s.Limits.Poller != was.Poller {
		return fmt.Errorf("the event notification can't change from %q to %q while pen runs: restart it", was.Poller, s.Limits.Poller)
	}
	return nil
}

// listen gives each service of p its sockets: those that the old plan has on the same address, or new ones.
func (e *Engine) listen(p, old *plan) error {
	var opened []int
	for _, v := range p.services {
		if v.addr == nil {
			continue
		}
		if v.sockets = old.socketsOn(v.addr, v.conf.UDP); v.sockets != nil {
			continue
		}
		fds, err := e.open(v, old, p.settings.Limits.Backlog)
		if err != nil {
			closeAll(opened)
			return err
		}
		v.sockets = fds
		opened = append(opened, fds...)
	}
	return nil
}

// open makes the sockets of a service on a new address. A port that the balancing of the system would let us share with
// another program is refused all the same: half of the clients would go astray without a word.
func (e *Engine) open(v *service, old *plan, backlog int) ([]int, error) {
	a, udp := v.addr, v.conf.UDP
	only := int(v.state.id) % len(e.reactors)
	if e.passed.find(a, udp) != nil {
		return e.passed.open(a, udp, len(e.reactors), only, backlog)
	}
	balanced, probe := balancedPorts, probePort
	if udp {
		balanced, probe = balancedDatagrams, probeDatagrams
	}
	if balanced && a.path == "" && a.ip.Port() != 0 && !old.usesPort(a.ip.Port(), udp) {
		if err := probe(a); err != nil {
			return nil, fmt.Errorf("can't bind local address %s: %w", a, err)
		}
	}
	if udp {
		return openDatagrams(a, len(e.reactors), only)
	}
	return openListener(a, len(e.reactors), backlog)
}

// Stop closes the listeners, waits up to drain for the sessions to end, closes the rest and ends the reactors.
func (e *Engine) Stop(drain time.Duration) {
	defer e.heap.stop()
	if !e.running {
		e.abort()
		return
	}
	for _, r := range e.reactors {
		r.Post(r.stop)
	}
	ended := make(chan struct{})
	go func() {
		e.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-time.After(drain):
	}
	for _, r := range e.reactors {
		r.Post(r.endAll)
	}
	<-ended
}

// Event is something that the control plane may want to log.
type Event struct {
	Level   int    // as of pen's -d: 0 = always, 1 and 2 = detail, 3 = dumps of what is forwarded
	Message string // without time and newline
}

// Events returns the channel on which the reactors report. A report never waits: what does not fit is dropped.
func (e *Engine) Events() <-chan Event { return e.events }

// report sends an event of a level to the control plane. Where it may happen often, the caller asks r.debugging first.
func (e *Engine) report(level int, format string, args ...any) {
	select {
	case e.events <- Event{level, fmt.Sprintf(format, args...)}:
	default:
		e.dropped.Add(1)
	}
}

// clock is the time since the start in nanoseconds; it never goes back.
func (e *Engine) clock() int64 { return int64(time.Since(e.start)) }

// connectionsMax is the size of the connection table: what was asked for, or half of the descriptors that are left
// when listeners, pollers, logs and pipes have theirs.
func connectionsMax(s *conf.Settings) int {
	if s.Limits.Connections > 0 {
		return s.Limits.Connections
	}
	limit := descriptorLimit()
	return int(max(1, (limit-min(limit/2, otherDescriptors))/2))
}

const (
	otherDescriptors = 512      // for all that is not a connection
	saneDescriptors  = 10 << 20 // where there is no limit on them
)

func descriptorLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return min(uint64(limit.Cur), saneDescriptors)
}

// service returns a service of the plan in use by name, nil if there is none.
func (e *Engine) service(name string) *service { return e.plan.Load().named(name) }
