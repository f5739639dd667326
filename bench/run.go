//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	spareConnections = 256 // above what a test opens: the first ones of an idle test, probes, and connections that are ending
	filesPerConn     = 3   // descriptors: two sockets, and a pipe's share with splice
	filesPerIdler    = 2   // a quiet connection has no pipe
	spareFiles       = 256
	minConnections   = 1024

	sampleOverhead = 400 * time.Millisecond // roughly, to start and stop three processes; only for the estimate
	sampleSlack    = 30 * time.Second       // above warm-up and duration, then a sample is given up
)

// plan is what is going to be measured.
type plan struct {
	Options
	layout       Layout
	tests        []Test
	peers        []Peer // with Program as it will be run
	certificates map[keyKind]certificate
	soak         *soak // nil without --soak
}

// plan picks tests and peers. A peer that is not installed is left out and named on w.
func (o Options) plan(w io.Writer) (*plan, error) {
	p := &plan{Options: o}
	var err error
	if p.layout, err = parseLayout(o.Layout, runtime.NumCPU()); err != nil {
		return nil, err
	}
	if p.tests, err = choose(tests, func(t Test) string { return t.Name }, o.Tests, "test"); err != nil {
		return nil, err
	}
	if o.Soak == 0 {
		p.tests = slices.DeleteFunc(p.tests, Test.isSoak)
	}
	if len(p.tests) == 0 {
		return nil, fmt.Errorf("these tests need --soak; %w", errUsage)
	}
	chosen, err := choose(peers, func(p Peer) string { return p.Name }, o.Peers, "peer")
	if err != nil {
		return nil, err
	}
	for _, peer := range withVariants(chosen) {
		switch {
		case peer.Name == ours || peer.Variant:
			peer.Program = o.Pen
		case peer.Name == basePen && o.Base == "":
			continue
		case peer.Name == basePen:
			peer.Program = o.Base
		}
		if peer.Program != "" {
			path, err := exec.LookPath(peer.Program)
			if err != nil {
				fmt.Fprintf(w, "bench: without %s: %v\n", peer.Name, err)
				continue
			}
			if peer.Program, err = filepath.Abs(path); err != nil {
				return nil, err
			}
		}
		p.peers = append(p.peers, peer)
	}
	if len(p.peers) == 0 {
		return nil, errors.New("none of the peers is installed")
	}
	return p, nil
}

// taking returns the peers that take part in a test.
func (p *plan) taking(t Test) []Peer {
	var list []Peer
	for _, peer := range p.peers {
		if peer.takesPart(t) {
			list = append(list, peer)
		}
	}
	return list
}

// compared returns those that the test is about, its subject and the rivals; all that take part if none of these does.
func (p *plan) compared(t Test) []Peer {
	all := p.taking(t)
	list := slices.DeleteFunc(slices.Clone(all), func(peer Peer) bool { return peer.Name != t.subject() && !peer.rivals(t) })
	if len(list) == 0 {
		return all
	}
	return list
}

// measure takes all samples and shows progress on w. Failed samples are part of the report; the error is for what
// made it stop, and the report is then what there is so far.
func (p *plan) measure(ctx context.Context, w io.Writer) (*Report, error) {
	report := newReport(ctx, p)
	defer report.summarize()
	cleanup, err := p.makeCertificates()
	defer cleanup()
	if err != nil {
		return report, err
	}
	var total, done int
	for _, t := range p.tests {
		total += len(p.taking(t)) * p.Rounds
	}
	if err := p.pace(ctx, w); err != nil {
		return report, err
	}
	defer func() { p.soak.stop() }()
	if err := p.soakFirst(ctx, report, w); err != nil {
		return report, err
	}
	each := p.Warmup + p.Duration + sampleOverhead
	fmt.Fprintf(w, "bench: %d samples, about %v\n", total, (time.Duration(total) * each).Round(time.Second))
	for _, t := range p.tests {
		for round := range p.Rounds {
			for _, peer := range rotate(p.taking(t), round) {
				s := p.calmSample(ctx, t, peer)
				if err := ctx.Err(); err != nil {
					return report, fmt.Errorf("stopped: %w", context.Cause(ctx))
				}
				s.Round = round + 1
				report.Samples = append(report.Samples, s)
				done++
				fmt.Fprintf(w, "%4d/%d  %-14s round %d  %-14s %s\n", done, total, t.Name, round+1, peer.Name, describe(t, s))
			}
		}
	}
	return report, nil
}

// pace finds the rates of the tests that run at half load: half of what the slowest of pen and its rivals reaches.
func (p *plan) pace(ctx context.Context, w io.Writer) error {
	for i, t := range p.tests {
		if t.Client.Rate != halfLoad {
			continue
		}
		if p.Rate > 0 {
			p.tests[i].Client.Rate = p.Rate
			continue
		}
		t.Client.Rate = 0
		var slowest float64
		for _, peer := range p.compared(t) {
			s := p.sample(ctx, t, peer)
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stopped: %w", context.Cause(ctx))
			}
			if v, ok := rate.Of(s); ok && s.Error == "" && (slowest == 0 || v < slowest) {
				slowest = v
			}
			fmt.Fprintf(w, "%8s  %-14s full load  %-10s %s\n", "", t.Name, peer.Name, describe(Test{Unit: request}, s))
		}
		if slowest == 0 {
			return fmt.Errorf("%s: nobody reached anything", t.Name)
		}
		p.tests[i].Client.Rate = math.Floor(slowest / 2)
		p.tests[i].Help += fmt.Sprintf(", %.0f a second", p.tests[i].Client.Rate)
	}
	return nil
}

// makeCertificates makes those that the tests need. The cleanup, never nil, removes them.
func (p *plan) makeCertificates() (cleanup func(), err error) {
	p.certificates = map[keyKind]certificate{noKey: {}}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return func() {}, err
	}
	cleanup = func() { os.RemoveAll(dir) }
	for _, t := range p.tests {
		if _, made := p.certificates[t.Client.Key]; made {
			continue
		}
		if p.certificates[t.Client.Key], err = makeCertificate(dir, t.Client.Key); err != nil {
			return cleanup, err
		}
	}
	return cleanup, nil
}

// rotate returns the list beginning with another element each round, so that no peer always follows the same one's heat.
func rotate[T any](list []T, round int) []T {
	if len(list) == 0 {
		return nil
	}
	n := round % len(list)
	return append(append([]T(nil), list[n:]...), list[:n]...)
}

// calmSample measures one peer once, again if something else ran on the machine meanwhile, and returns the calmest of the
// samples.
func (p *plan) calmSample(ctx context.Context, t Test, peer Peer) Sample {
	s := p.sample(ctx, t, peer)
	for range p.Patience {
		if t.calm(s) || s.Error != "" || ctx.Err() != nil {
			break
		}
		again := p.sample(ctx, t, peer)
		before, _ := otherBusy.Of(s)
		if now, _ := otherBusy.Of(again); again.Error != "" || now < before {
			s = again
		}
	}
	return s
}

// sample measures one peer once. It fails in the sample, not beside it.
func (p *plan) sample(ctx context.Context, t Test, peer Peer) Sample {
	ctx, cancel := context.WithTimeout(ctx, p.Warmup+p.Duration+sampleSlack)
	defer cancel()
	s := Sample{Test: t.Name, Peer: peer.Name}
	result, err := p.attempt(ctx, t, peer)
	s.Result = result
	s.Rate = max(0, t.Client.Rate)
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// attempt starts the origin, the peer and the load client, and stops them all.
func (p *plan) attempt(ctx context.Context, t Test, peer Peer) (Result, error) {
	connections := max(t.Client.Conns+spareConnections, minConnections)
	files := filesPerConn*connections + spareFiles
	if t.Client.Does == hold {
		files = filesPerIdler*connections + spareFiles
	}
	layout, err := p.layoutOf(t)
	if err != nil {
		return Result{}, err
	}
	standIn := t.secure() && peer.Launch == nil // the origin speaks TLS in place of a proxy
	if peer.Name == soakedPen {
		return p.soak.sample(ctx, p, t)
	}
	originCores, originRole := layout.Load, originRole{Origin: t.Origin}
	if standIn {
		originCores, originRole.Certificate = layout.Proxy, p.certificates[t.Client.Key]
	}
	origin, address, err := startOrigin(originCores, files, originRole)
	if err != nil {
		return Result{}, err
	}
	defer origin.stop()
	fakes, addresses, err := startFakes(layout.Load, t.Fakes)
	if err != nil {
		return Result{}, err
	}
	defer fakes.stop()
	proxy, err := start(ctx, layout.Proxy, files, peer, Setup{Program: peer.Program, Origin: address, Connections: connections,
		Forwarded: t.Origin.Forwarded, Datagrams: t.Origin.Does == mirror, Once: t.Client.Does == askOnce,
		Certificate: p.certificates[t.Client.Key], Fakes: addresses, Commands: p.commands(peer)})
	defer proxy.stop()
	if err != nil {
		return Result{}, err
	}
	proxy.collections()
	load := loadRole{Client: t.Client, Origin: t.Origin, Address: proxy.address,
		Warmup: p.Warmup, Duration: p.Duration, ProxyPID: proxy.pid(), OrigPID: origin.pid(), Scrape: proxy.scrape}
	result, err := runLoads(ctx, layout.Load, files, load, t.Beside)
	result.Collections = proxy.collections()
	if why := proxy.why(); why != "" {
		err = fmt.Errorf("ended under load: %s", why)
	}
	return result, err
}

// commands returns those of the command line, if the peer is the pen under test.
func (p *plan) commands(peer Peer) []string {
	if peer.Name == ours || peer.Variant {
		return p.Commands
	}
	return nil
}

// layoutOf returns the cores of a test.
func (p *plan) layoutOf(t Test) (Layout, error) {
	if t.Layout == "" {
		return p.layout, nil
	}
	return parseLayout(t.Layout, runtime.NumCPU())
}
