package main_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is many clients at once, each opening one connection after the other.
type load struct {
	addr     string
	delay    time.Duration
	stop     atomic.Bool
	requests atomic.Int64
	failures atomic.Int64
	mixed    atomic.Int64 // answers to somebody else's question
	lastErr  atomic.Value // error: an example for the report
	clients  sync.WaitGroup
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
	l := &load{addr: f.Arg(0), delay: *delay}
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
		if err := l.once(fmt.Sprintf("%d.%d", id, turn), clientAddr(id)); err != nil {
			l.failures.Add(1)
			l.lastErr.Store(err.Error())
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

// finish NAME ends a load and prints "lost N, mixed M": the failures that no balancer could have kept from the clients
// are not counted. Those are the connections that a killed backend had taken and not answered; beside what the backend
// itself saw, one for each kill is allowed, which the kernel had taken for it in the instant when the port closed.
func finishLoad(sc *scenario, args []string) (string, error) {
	l := sc.loads[strings.Join(args, "")]
	if l == nil {
		return "", fmt.Errorf("no load %q", args)
	}
	l.stop.Store(true)
	l.clients.Wait()
	excused, kills := 0, 0
	for _, b := range sc.backends {
		b.mu.Lock()
		excused += b.cut
		kills += b.stops
		b.mu.Unlock()
	}
	failures := int(l.failures.Load())
	sc.tb.Logf("%d requests, %d failures, %d of them cut by %d kills; last: %v", l.requests.Load(), failures, excused, kills, l.lastErr.Load())
	return fmt.Sprintf("lost %d, mixed %d\n", max(0, failures-excused-kills), l.mixed.Load()), nil
}
