package main_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is many clients at once, each opening one connection after the other.
type load struct {
	name     string
	addr     string
	delay    time.Duration
	stop     atomic.Bool
	requests atomic.Int64
	mixed    atomic.Int64 // answers to somebody else's question
	clients  sync.WaitGroup

	mu     sync.Mutex
	failed []string // questions
	err    error    // of one of them, for the report
}

// load NAME [-clients N] [-delay D] ADDR starts N clients. Each connects, asks a backend of kind line, which takes D to
// answer, closes, and begins again, until finish.
func startLoad(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: load NAME [-clients N] [-delay D] ADDR")
	}
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	n := f.Int("clients", 100, "clients at once")
	delay := f.Duration("delay", 0, "time that the server takes")
	if err := f.Parse(args[1:]); err != nil {
		return "", err
	}
	l := &load{name: args[0], addr: f.Arg(0), delay: *delay}
	sc.loads[args[0]] = l
	for i := range *n {
		l.clients.Go(func() { l.client(i) })
	}
	return "", nil
}

// client is one of the clients.
func (l *load) client(id int) {
	for turn := 0; !l.stop.Load(); turn++ {
		l.requests.Add(1)
		question := fmt.Sprintf("%s.%d.%d", l.name, id, turn)
		if err := l.once(question, clientAddr(id)); err != nil {
			l.mu.Lock()
			l.failed, l.err = append(l.failed, question), err
			l.mu.Unlock()
		}
	}
}

// once makes one connection with one question.
func (l *load) once(question, from string) error {
	c, err := connect(l.addr, from)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	answer, err := ask(c, bufio.NewReader(c), fmt.Sprintf("%v %s", l.delay, question))
	if err != nil {
		return err
	}
	if _, text, _ := strings.Cut(answer, " "); text != question {
		l.mixed.Add(1)
		return fmt.Errorf("asked %q, got %q", question, answer)
	}
	return nil
}

// churn ROUNDS DURATION NAME... kills one backend after the other for DURATION each, ROUNDS times round.
func churn(sc *scenario, args []string) (string, error) {
	var rounds int
	if len(args) < 3 {
		return "", errors.New("usage: churn ROUNDS DURATION NAME...")
	}
	if _, err := fmt.Sscan(args[0], &rounds); err != nil {
		return "", err
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return "", err
	}
	all, err := sc.backendsOf(args[2:])
	if err != nil {
		return "", err
	}
	for range rounds {
		for _, b := range all {
			b.stop()
			time.Sleep(d) // how long the server is down
			if err := b.start(); err != nil {
				return "", err
			}
			time.Sleep(d)
		}
	}
	return "", nil
}

// finish NAME ends a load and prints "lost N, mixed M". Failures that no balancer could have kept from the clients are
// not counted: questions that a killed backend had got and not answered, and as many more as it had connections without
// a question yet. Two for each kill are allowed on top: the shortest queue that a listener can have.
func finishLoad(sc *scenario, args []string) (string, error) {
	l := sc.loads[strings.Join(args, "")]
	if l == nil {
		return "", fmt.Errorf("no load %q", args)
	}
	l.stop.Store(true)
	l.clients.Wait()
	cut, allowed := make(map[string]bool), 0
	for _, b := range sc.backends {
		b.mu.Lock()
		maps.Copy(cut, b.cut)
		allowed += 2*b.stops + b.blind
		b.stops, b.blind = 0, 0
		b.mu.Unlock()
	}
	unexplained := 0
	for _, question := range l.failed {
		if !cut[question] {
			unexplained++
		}
	}
	sc.tb.Logf("%d requests, %d failures, %d of them unexplained, %d allowed; last: %v",
		l.requests.Load(), len(l.failed), unexplained, allowed, l.err)
	return fmt.Sprintf("lost %d, mixed %d\n", max(0, unexplained-allowed), l.mixed.Load()), nil
}
