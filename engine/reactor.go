package engine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"pen/engine/tlsio"
	"pen/poller"
	"pen/splice"
)

const (
	batch          = 256                    // events taken from the poller at once
	turnBudget     = 1 << 20                // bytes that one direction may move in a turn, so that the others get theirs
	maxPipes       = 64                     // pipes of a reactor at most; a direction without one copies
	presizedOwners = 1 << 20                // entries of the table of owners at start, where the descriptor limit is higher
	yieldTime      = 8 * time.Millisecond   // of the loop, between two visits to Go's scheduler
	restTime       = 100 * time.Millisecond // without accepting, after the system ran out of descriptors or memory
)

// reactor serves its share of the sessions. Everything in it belongs to its own goroutine, which is locked to a
// thread; other goroutines reach it by Post, and by the plan.
type reactor struct {
	engine   *Engine
	id       int
	poller   poller.Poller
	mailbox  mailbox
	plan     *plan     // the one in use
	opaque   bool      // it has been told that there can be no connections from the addresses of clients
	now      int64     // the clock, read once per turn: nanoseconds since the engine was made
	wall     time.Time // the same moment
	yielded  int64     // when it last went through Go's scheduler
	stopping bool
	ended    atomic.Bool // the loop is over; written at its end, read by those who would ask

	owner     []*session // by descriptor; nil = no session's
	top       int        // descriptors that were ever owned are below it
	spare     []*session // unused, so that a connection allocates nothing
	sessions  int        // in use
	listeners []*listener
	pending   int                  // connects under way
	starving  int                  // sessions that wait for a descriptor
	lined     map[*session]*waiter // sessions that wait in the line of their service
	promised  int                  // places on their way to sessions that have gone since
	tarpit    int                  // sessions in the tarpit
	paused    pause
	rest      int64 // end of the pause for lack of descriptors; 0 = none
	idlersDue int64 // when lost idlers are replaced; 0 = none was lost

	deadlines deadlines
	todo      []*session // flows whose budget ran out, to be pumped in the next turn
	retired   []*session // over; reused from the next turn on
	closing   []int      // descriptors to close at the end of the turn
	handed    []int32    // connection numbers to give back at the end of the turn

	pool      *splice.Pool
	tls       *tlsio.Pool
	exchanges []*exchange // unused
	counters  counters
	udp       datagrams
	logs      []*waitingLogs // by serviceState.id; nil = nothing was ever logged
	logsDue   int64          // when they are handed over; 0 = there are none
	tap       tap
	peer      peer
	events    [batch]poller.Event
	again     []*session // spare memory of todo
}

func newReactor(e *Engine, id int, backend string) (*reactor, error) {
	p, err := poller.Open(backend)
	if err != nil {
		return nil, err
	}
	r := &reactor{
		engine: e, id: id, poller: p, pool: splice.NewPool(maxPipes), lined: map[*session]*waiter{},
		// As long as it can get: what is never touched costs nothing, and growing would leave garbage.
		owner: make([]*session, min(descriptorLimit(), presizedOwners)),
	}
	r.tls = tlsio.NewPool(r.pool, e.signers, func(e *tlsio.End) { r.Post(func() { r.signed(e) }) })
	return r, nil
}

// Post runs f on the reactor, between two batches of events. It never waits.
func (r *reactor) Post(f func()) {
	r.mailbox.put(f)
	r.poller.Wake()
}

// run is the loop. No descriptor is closed while a batch is dispatched, so a descriptor in an event is the one that
// was meant.
func (r *reactor) run() {
	runtime.LockOSThread()
	comeSoon()
	defer r.release()
	for !r.stopping || r.sessions > 0 || r.promised > 0 {
		n, err := r.poller.Wait(r.events[:], r.timeout())
		if err != nil {
			panic(fmt.Sprintf("reactor %d: wait: %v", r.id, err)) // only a broken poller does that
		}
		r.tick()
		r.adopt(r.engine.plan.Load())
		r.mailbox.run()
		for i := range r.events[:n] {
			r.dispatch(&r.events[i])
		}
		r.forwardDatagrams()
		r.resumeFlows()
		r.expire()
		r.accept()
		r.closeRetired()
		r.handLogs()
		r.counters.turns.Observe(r.engine.clock() - r.now)
		r.yield()
	}
}

// yield goes through Go's scheduler now and then. Its monitor takes a goroutine that has not done so for 10 ms for one
// that hogs its processor: it interrupts it by a signal, or takes the processor away while the loop waits for events,
// and having done that it looks around every 20 µs for some milliseconds, on the core that we need.
func (r *reactor) yield() {
	if r.now-r.yielded >= int64(yieldTime) {
		r.yielded = r.now
		runtime.Gosched()
	}
}

// tick reads the clock.
func (r *reactor) tick() {
	r.wall = time.Now()
	r.now = int64(r.wall.Sub(r.engine.start))
}

// timeout is how long the loop may wait for events.
func (r *reactor) timeout() time.Duration {
	if len(r.todo) > 0 || r.acceptable() {
		return 0
	}
	wait := r.deadlines.next(r.now)
	for _, at := range [...]int64{r.rest, r.idlersDue, r.flowsDue(), r.logsDue} {
		if left := time.Duration(at - r.now); at != 0 && (wait < 0 || left < wait) {
			wait = max(left, 0)
		}
	}
	return wait
}

// dispatch takes an event to its session or listener. What a session was for may have gone earlier in this batch.
func (r *reactor) dispatch(ev *poller.Event) {
	if s := r.owner[ev.FD]; s != nil {
		r.step(s, ev)
		return
	}
	for _, l := range r.listeners {
		if l.fd == ev.FD {
			l.ready = true
			return
		}
	}
	r.dispatchDatagrams(ev)
}

// step lets a session take an event; a nil event means that its time has come again without one. A defect that shows
// in one session ends that session.
func (r *reactor) step(s *session, ev *poller.Event) {
	defer r.contain(s)
	r.take(s, ev)
}

// contain turns a panic of a session into its end.
func (r *reactor) contain(s *session) {
	if v := recover(); v != nil {
		r.counters.panics++
		r.engine.report(0, "closing connection %d after a defect: %v\n%s", s.number, v, debug.Stack())
		if s.state != stateFree {
			s.because(reasonDefect)
			r.retire(s)
		}
	}
}

// resumeFlows goes on with what used up its budget in the turn before.
func (r *reactor) resumeFlows() {
	todo := r.todo
	r.todo = r.again[:0]
	for i, s := range todo {
		todo[i] = nil
		s.queued = false
		if s.state != stateFree {
			r.step(s, nil)
		}
	}
	r.again = todo
}

// postpone has a session go on in the next turn, after the others.
func (r *reactor) postpone(s *session) {
	if !s.queued {
		s.queued = true
		r.todo = append(r.todo, s)
	}
}

// expire ends waits that took too long, and the pause after a lack of descriptors.
func (r *reactor) expire() {
	for s := r.deadlines.expired(r.now); s != nil; s = r.deadlines.expired(r.now) {
		r.timedOut(s)
	}
	r.expireFlows()
	if r.rest != 0 && r.now >= r.rest {
		r.rest = 0
		r.resume(pauseRest)
	}
	if r.idlersDue != 0 && r.now >= r.idlersDue {
		r.keepIdlers()
	}
}

// closeRetired closes what ended in this turn. Only then are numbers given back, so that the limits on connections
// speak of descriptors that are really free.
func (r *reactor) closeRetired() {
	if len(r.closing) > 0 {
		for _, fd := range r.closing {
			closeSocket(fd)
		}
		r.closing = r.closing[:0]
		r.resume(pauseRest)
	}
	for _, n := range r.handed {
		thereIsRoom(r.engine.connections.give(n))
	}
	r.handed = r.handed[:0]
	for i, s := range r.retired {
		*s = session{queued: s.queued}
		r.spare = append(r.spare, s)
		r.retired[i] = nil
	}
	r.retired = r.retired[:0]
	r.recycleFlows()
}

// own makes the reactor deliver the events of a descriptor to a session; nil for a listener's. The table has room for
// every descriptor that was ever given to the poller.
func (r *reactor) own(fd int, s *session) {
	if fd >= len(r.owner) {
		r.owner = append(r.owner, make([]*session, fd+ownerStep-len(r.owner))...)
	}
	r.owner[fd] = s
	r.top = max(r.top, fd+1)
}

// ownerStep is by how many descriptors the table of owners grows when the descriptor limit was raised after start.
const ownerStep = 1024

// discard has a descriptor closed at the end of the turn; its events mean nothing from now on.
func (r *reactor) discard(fd int) {
	r.owner[fd] = nil
	r.poller.Remove(fd)
	r.closing = append(r.closing, fd)
}

// each calls f for every session in use, in no order.
func (r *reactor) each(f func(*session)) {
	for fd, s := range r.owner[:r.top] {
		if s != nil && (int(s.sock[down].FD) == fd || s.sock[down].FD < 0) {
			f(s)
		}
	}
}

// debugging tells if events of a level are wanted.
func (r *reactor) debugging(level int) bool { return r.plan.settings.Process.Debug >= level }

// stop has the loop end when its sessions have: nobody is accepted any more, except who is in the queue already.
func (r *reactor) stop() {
	r.stopping = true
	for _, l := range r.listeners {
		r.abandon(l)
	}
	r.listeners = nil
	r.stopDatagrams()
	r.each(func(s *session) {
		if s.number == none {
			r.retire(s)
		}
	})
}

// endAll ends all sessions.
func (r *reactor) endAll() {
	r.each(func(s *session) {
		s.because(reasonExit)
		r.retire(s)
	})
}

// release gives back what the reactor holds, at its end.
func (r *reactor) release() {
	r.logged(0)
	r.handLogs()
	r.ended.Store(true)
	for _, l := range r.listeners {
		closeSocket(l.fd)
	}
	r.pool.Close()
	r.poller.Close()
	r.engine.done.Done()
}
