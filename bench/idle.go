//go:build linux

package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// exchange connects, asks and reads the reply. The connection stays open.
func (l *load) exchange() error {
	w, err := dialWire(l.Address)
	if err != nil {
		return err
	}
	var c io.ReadWriter = w
	if l.Key != noKey {
		if c, err = shakeHands(w, l.Key, nil); err != nil {
			return err
		}
	}
	if _, err := c.Write(requestOf(l.Ask)); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, c, int64(l.Origin.Size)); err != nil {
		return err
	}
	l.mu.Lock()
	l.held = append(l.held, c)
	l.mu.Unlock()
	return nil
}

// exchanges does so many of them.
func (l *load) exchanges(n int) {
	var open atomic.Int64
	var dialers sync.WaitGroup
	for range holdDialers {
		dialers.Go(func() {
			for open.Add(1) <= int64(n) {
				start := time.Now()
				if err := l.exchange(); err != nil {
					l.failed(err)
					continue
				}
				l.replied(start)
			}
		})
	}
	dialers.Wait()
}

// idle opens the connections, proves that each works, and looks at the memory when all are quiet. A few come before the
// measured ones: what a proxy needs for its first connections is not what each costs.
func (l *load) idle() (Result, error) {
	l.exchanges(holdBefore)
	before, err := l.usage()
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	l.setMeasuring(true)
	l.exchanges(l.Conns)
	time.Sleep(settleTime)
	after, err := l.usage()
	if err != nil {
		return Result{}, err
	}
	result := after.since(before)
	result.Elapsed = time.Since(begin)
	result.Requests, result.Failures, result.Failure = l.requests, l.failures, l.failure
	result.Latency = quantiles(l.latency)
	if l.failures > 0 {
		return result, fmt.Errorf("%d of %d connections failed: %s", l.failures, l.Conns, l.failure)
	}
	return result, nil
}
