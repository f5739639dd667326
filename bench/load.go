//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

const (
	dialTimeout  = 5 * time.Second
	replyTimeout = 10 * time.Second // for one connection of its own; far above any reply that is not lost
	holdDialers  = 32               // connections opened at the same time for an idle test
	holdBefore   = 64
	settleTime   = time.Second // between the last reply and the look at the memory of an idle test

	longestLatency = 10 * time.Second // longer ones count as this long
	latencyDigits  = 3                // significant decimal digits of the histogram
)

// load is the load client at work. Replies are recorded by whichever goroutine sees their end.
type load struct {
	*loadRole
	bytes atomic.Int64 // of bulk; small replies are counted by number

	mu        sync.Mutex
	measuring bool
	requests  int64
	failures  int64
	failure   string // the first one
	latency   *hdrhistogram.Histogram
	held      []io.ReadWriter // quiet connections
}

// run puts the load on, measures, and leaves the connections to the end of the process.
func (r *loadRole) run() (Result, error) {
	l := newLoad(r)
	if r.Does == hold {
		return l.idle()
	}
	if err := l.starter()(); err != nil {
		return Result{}, fmt.Errorf("%s: %w", r.Does, err)
	}
	if r.Scrape != "" {
		go l.scrape()
	}
	time.Sleep(r.Warmup)
	result, err := l.measure()
	if err == nil {
		result.Calls = l.countCalls()
	}
	return result, err
}

const scrapeInterval = time.Second // shorter than any Prometheus asks

// scrape asks for the proxy's metrics as a Prometheus does, until the end of the process.
func (l *load) scrape() {
	for ; ; time.Sleep(scrapeInterval) {
		answer, err := http.Get(l.Scrape)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			err = errors.Join(err, answer.Body.Close())
		}
		if err != nil {
			l.failed(fmt.Errorf("metrics: %w", err))
		}
	}
}

// starter is what puts the load on.
func (l *load) starter() func() error {
	switch {
	case l.Origin.Does == mirror:
		return l.askers
	case l.Origin.bulk():
		return l.bulk
	case l.Does == connect:
		return l.connectors
	case l.Does == handshake, l.Does == resume:
		return l.handshakes
	case l.Key != noKey, l.Rate > 0:
		return l.asks
	}
	return l.requester
}

func newLoad(r *loadRole) *load {
	return &load{loadRole: r, latency: hdrhistogram.New(1, int64(longestLatency), latencyDigits)}
}

// measure counts for the measured time, and longer if nothing has come back in it.
func (l *load) measure() (Result, error) {
	before, err := l.usage()
	if err != nil {
		return Result{}, err
	}
	begin, bytes := time.Now(), l.bytes.Load()
	l.setMeasuring(true)
	time.Sleep(l.Duration)
	for time.Since(begin) < l.Duration+replyTimeout && l.silent(bytes) {
		time.Sleep(time.Millisecond)
	}
	l.setMeasuring(false)
	after, err := l.usage()
	if err != nil {
		return Result{}, err
	}
	result := after.since(before)
	result.Elapsed = time.Since(begin)
	result.Bytes = l.bytes.Load() - bytes
	l.mu.Lock()
	defer l.mu.Unlock()
	result.Requests, result.Failures, result.Failure = l.requests, l.failures, l.failure
	result.Latency = quantiles(l.latency)
	if result.Requests == 0 && result.Bytes == 0 {
		return result, fmt.Errorf("nothing came back; failures: %d %s", l.failures, l.failure)
	}
	return result, nil
}

func (l *load) setMeasuring(on bool) {
	l.mu.Lock()
	l.measuring = on
	l.mu.Unlock()
}

// silent tells if nothing has come back since there were so many bytes, and something still may.
func (l *load) silent(bytes int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests == 0 && l.bytes.Load() == bytes && l.failures < int64(l.Conns)
}

// replied records a complete reply and returns the time, which is when the next request starts.
func (l *load) replied(start time.Time) time.Time {
	now := time.Now()
	l.mu.Lock()
	if l.measuring {
		l.requests++
		l.latency.RecordValue(min(int64(now.Sub(start)), int64(longestLatency)))
	}
	l.mu.Unlock()
	return now
}

// failed records a connection that ended before its time, also outside of the measured time.
func (l *load) failed(err error) {
	l.mu.Lock()
	if l.failures++; l.failure == "" {
		l.failure = err.Error()
	}
	l.mu.Unlock()
}

func quantiles(h *hdrhistogram.Histogram) Latency {
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return Latency{P50: at(50), P99: at(99), P999: at(99.9), Max: time.Duration(h.Max())}
}

// requester asks again on each connection as soon as the reply is there.
func (l *load) requester() error {
	onPoller()
	for range l.Conns {
		c, err := netpoll.DialConnection("tcp", l.Address, dialTimeout)
		if err != nil {
			return err
		}
		c.AddCloseCallback(func(netpoll.Connection) error {
			l.failed(io.ErrUnexpectedEOF)
			return nil
		})
		// The first request goes out before there is a handler, or the two might flush at the same time.
		start, left := time.Now(), l.Origin.Size
		if err := ask(c); err != nil {
			return err
		}
		err = c.SetOnRequest(func(_ context.Context, c netpoll.Connection) error {
			n := c.Reader().Len()
			if err := errors.Join(c.Reader().Skip(n), c.Reader().Release()); err != nil {
				return err
			}
			if left -= n; left > 0 {
				return nil
			}
			if left < 0 {
				return hangUp(c, unix.SHUT_RDWR) // more than was asked for: the close callback counts it
			}
			start, left = l.replied(start), l.Origin.Size
			return ask(c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ask sends a request.
func ask(c netpoll.Connection) error {
	if _, err := c.Writer().WriteString(requestText); err != nil {
		return err
	}
	return c.Writer().Flush()
}

// usage is what the processes have used up to now.
type usage struct {
	proxy, origin, load threadTime
	machine             time.Duration // by anybody
	memory              memory        // of the proxy
}

func (l *load) usage() (u usage, err error) {
	for _, p := range []struct {
		pid int
		to  *threadTime
	}{{l.ProxyPID, &u.proxy}, {l.OrigPID, &u.origin}, {os.Getpid(), &u.load}} {
		if p.pid == 0 {
			continue
		}
		if *p.to, err = cpuTimes(family(p.pid)); err != nil {
			return u, err
		}
	}
	if u.machine, err = machineTime(); err != nil {
		return u, err
	}
	if l.ProxyPID != 0 {
		u.memory, err = memoryOf(family(l.ProxyPID))
	}
	return u, err
}

func (u usage) since(start usage) Result {
	r := Result{
		ProxyCPU:  u.proxy.ran - start.proxy.ran,
		ProxyWait: u.proxy.waited - start.proxy.waited,
		OriginCPU: u.origin.ran - start.origin.ran,
		LoadCPU:   u.load.ran - start.load.ran,
		ProxyRSS:  u.memory.resident, ProxyOwn: u.memory.own, ProxyOwnOff: start.memory.own,
	}
	r.OtherCPU = max(0, u.machine-start.machine-r.ProxyCPU-r.OriginCPU-r.LoadCPU)
	return r
}
