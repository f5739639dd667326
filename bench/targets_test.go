//go:build linux

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// figures makes a report of one test with so much CPU time per 1000 requests for each peer.
func figures(test Test, costs map[string]time.Duration) *Report {
	r := &Report{plan: &plan{tests: []Test{test}}}
	for _, peer := range peers {
		if cost, ok := costs[peer.Name]; ok {
			r.plan.peers = append(r.plan.peers, peer)
			r.Samples = append(r.Samples, Sample{Test: test.Name, Peer: peer.Name, Round: 1,
				Result: Result{Elapsed: time.Second, Requests: 1000, ProxyCPU: cost}})
		}
	}
	r.summarize()
	return r
}

func testNamed(name string) Test {
	return tests[slices.IndexFunc(tests, func(t Test) bool { return t.Name == name })]
}

func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name, test string
		costs      map[string]time.Duration
		against    string
		got        float64
		met        bool
	}{
		{"better than the best", "connect-64", map[string]time.Duration{ours: 90 * ms, "penc": 100 * ms, "nginx": 120 * ms}, "penc", 0.9, true},
		{"better than some", "connect-64", map[string]time.Duration{ours: 95 * ms, "penc": 100 * ms, "nginx": 90 * ms}, "nginx", 95.0 / 90, false},
		{"who is no rival does not count", "connect-64", map[string]time.Duration{ours: 90 * ms, "penc": 100 * ms, "netpoll": 10 * ms}, "penc", 0.9, true},
		{"a variant beside the usual one", "reactors-64", map[string]time.Duration{twoReactors: 104 * ms, ours: 100 * ms}, ours, 1.04, true},
		{"a variant that costs", "features-64", map[string]time.Duration{full: 104 * ms, bare: 100 * ms}, bare, 1.04, false},
	} {
		r := figures(testNamed(tt.test), tt.costs)
		i := slices.IndexFunc(r.Targets, func(v Verdict) bool { return v.Test == tt.test })
		if i < 0 {
			t.Errorf("%s: no verdict", tt.name)
			continue
		}
		v := r.Targets[i]
		if v.Against != tt.against || v.Met != tt.met || v.Got.Median < tt.got-0.001 || v.Got.Median > tt.got+0.001 {
			t.Errorf("%s: %.3f against %s, met %v; want %.3f against %s, %v", tt.name, v.Got.Median, v.Against, v.Met, tt.got, tt.against, tt.met)
		}
	}
	if r := figures(testNamed("connect-64"), map[string]time.Duration{ours: ms}); len(r.Targets) != 0 {
		t.Errorf("nobody to compare with: %+v, want no verdict", r.Targets)
	}
}

func TestJudgeOfItself(t *testing.T) {
	idle := testNamed("idle-9000")
	r := &Report{plan: &plan{tests: []Test{idle}, peers: []Peer{{Name: ours}}}, Samples: []Sample{{Test: idle.Name, Peer: ours, Round: 1,
		Result: Result{Elapsed: time.Second, Requests: 9000, ProxyOwn: 12e6, ProxyOwnOff: 3e6}}}}
	r.summarize()
	if len(r.Targets) != 1 || r.Targets[0].Got.Median != 1 || r.Targets[0].Met {
		t.Errorf("got %+v, want that 1 KB is too much", r.Targets)
	}
	before, beside := testNamed("tlspaced-16"), testNamed("tlsbeside-16")
	r = &Report{plan: &plan{tests: []Test{before, beside}, peers: []Peer{{Name: ours}}}}
	for name, latency := range map[string]time.Duration{before.Name: time.Millisecond, beside.Name: 2 * time.Millisecond} {
		r.Samples = append(r.Samples, Sample{Test: name, Peer: ours, Round: 1, Result: Result{Latency: Latency{P99: latency}}})
	}
	r.summarize()
	if len(r.Targets) != 1 || r.Targets[0].Got.Median != 2 || r.Targets[0].Against != before.Name {
		t.Errorf("got %+v, want twice the p99 of %s", r.Targets, before.Name)
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name           string
		in             Verdict
		limit, outcome string
	}{
		{"reached", Verdict{Got: Ratio{Median: 2.1}, Limit: 2, AtLeast: true, Met: true}, "≥ 2.00", "met"},
		{"not reached", Verdict{Got: Ratio{Median: 1.5}, Limit: 2, AtLeast: true}, "≥ 2.00", "missed by 25 %"},
		{"passed", Verdict{Got: Ratio{Median: 0.75}, Limit: 0.5}, "≤ 0.500", "missed by 50 %"},
	} {
		if limit, outcome := tt.in.limit(), tt.in.outcome(); limit != tt.limit || outcome != tt.outcome {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, limit, outcome, tt.limit, tt.outcome)
		}
	}
}

func TestPrintTargets(t *testing.T) {
	var b bytes.Buffer
	figures(testNamed("connect-64"), map[string]time.Duration{ours: 9, "penc": 10}).printTargets(&b)
	if got := b.String(); !strings.Contains(got, "3 connect") || !strings.Contains(got, "1 of 1 met") {
		t.Errorf("got %q, want the target and the sum", got)
	}
}

// Every row is about tests and peers that there are, and about a metric that its tests have.
func TestTargetsAreSound(t *testing.T) {
	known := func(peer string) bool {
		return slices.ContainsFunc(peers, func(p Peer) bool { return p.Name == peer })
	}
	for _, target := range targets {
		names := target.Tests
		if target.Base != "" {
			names = append(slices.Clone(names), target.Base)
		}
		for _, name := range names {
			i := slices.IndexFunc(tests, func(t Test) bool { return t.Name == name })
			if i < 0 {
				t.Errorf("%s %s: no test is called %q", target.Number, target.Says, name)
				continue
			}
			if !slices.ContainsFunc(tests[i].Unit.Metrics, func(m Metric) bool { return m.Name == target.Metric.Name }) {
				t.Errorf("%s %s: %s has no %s", target.Number, target.Says, name, target.Metric.Name)
			}
		}
		for _, peer := range target.Than {
			if !known(peer) {
				t.Errorf("%s %s: no peer is called %q", target.Number, target.Says, peer)
			}
		}
		if target.Limit <= 0 {
			t.Errorf("%s %s: no limit", target.Number, target.Says)
		}
	}
}
