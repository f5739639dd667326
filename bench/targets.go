//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Target is a row of the table of what is to be reached: pen's figure, divided by the best of some peers of the same rounds,
// has a limit.
type Target struct {
	Number string // what it belongs to
	Says   string
	Tests  []string // each of them is judged by itself
	Metric Metric
	Limit  float64

	Than     []string // the best of these; none = of the rivals
	Base     string   // instead of other peers: the subject itself in this test
	Absolute bool     // the figure itself is limited, in the unit of the metric
}

var (
	bulkTests  = []string{"reply-64K", "reply-1M", "stream-4"}
	smallTests = []string{"keepalive-64", "keepalive-512"}
)

// targets is the table. Metrics of which more is better must reach the limit, the others must not pass it.
var targets = []Target{
	{Number: "1 bulk", Says: "GB/s of the best", Tests: bulkTests, Metric: throughput, Limit: 2},
	{Number: "1 bulk", Says: "GB/s of HAProxy with forced splice", Tests: bulkTests, Metric: throughput, Limit: 1.4, Than: []string{"haproxy-splice"}},
	{Number: "1 bulk", Says: "CPU per GB of the best", Tests: bulkTests, Metric: cpuPerGB, Limit: 0.5},
	{Number: "2 small", Says: "CPU per request of the best", Tests: smallTests, Metric: cpuPerRequest, Limit: 1},
	{Number: "2 small", Says: "p99 of the best", Tests: append(slices.Clone(smallTests), "paced-64"), Metric: p99, Limit: 1},
	{Number: "3 connect", Says: "CPU per connection of the best", Tests: []string{"connect-64"}, Metric: cpuPerRequest, Limit: 0.92},
	{Number: "4 idle", Says: "KB of pen's memory per connection", Tests: []string{"idle-9000"}, Metric: growthPerConn, Limit: 0.25, Absolute: true},
	{Number: "5 reactors", Says: "CPU per request of two, of one", Tests: []string{"reactors-64", "reactors-512"}, Metric: cpuPerRequest, Limit: 1.05, Than: []string{ours}},
	{Number: "6 features", Says: "CPU per request with log, metrics and tracking, without", Tests: []string{"features-64", "features-512"}, Metric: cpuPerRequest, Limit: 1.03, Than: []string{bare}},
	{Number: "7 soak", Says: "CPU of the soaked pen, of a fresh one", Tests: soaked("keepalive-64", "keepalive-512", "connect-64"), Metric: cpuPerRequest, Limit: 1.05, Than: []string{freshPen}},
	{Number: "7 soak", Says: "CPU of the soaked pen, of a fresh one", Tests: soaked(bulkTests...), Metric: cpuPerGB, Limit: 1.05, Than: []string{freshPen}},
	{Number: "UDP", Says: "pairs/s of the C pen", Tests: []string{"datagram-64"}, Metric: rate, Limit: 1, Than: []string{"penc"}},
	{Number: "UDP", Says: "CPU per pair of the C pen", Tests: []string{"datagram-64"}, Metric: cpuPerRequest, Limit: 1, Than: []string{"penc"}},
	{Number: "UDP", Says: "pairs/s of nginx", Tests: []string{"datagram-64"}, Metric: rate, Limit: 3, Than: []string{"nginx"}},
	{Number: "TLS", Says: "CPU of a full handshake, ECDSA, of the best", Tests: []string{"tlsfull-ecdsa"}, Metric: cpuPerRequest, Limit: 0.85},
	{Number: "TLS", Says: "CPU of a resumed handshake of the best", Tests: []string{"tlsresume-ecdsa"}, Metric: cpuPerRequest, Limit: 0.8},
	{Number: "TLS", Says: "CPU of a full handshake, RSA, of the best: as near as it can be", Tests: []string{"tlsfull-rsa"}, Metric: cpuPerRequest, Limit: 1},
	{Number: "TLS", Says: "p99 of others beside RSA handshakes, of the best", Tests: []string{"tlsbeside-16"}, Metric: p99, Limit: 1},
	{Number: "TLS", Says: "p99 of others beside RSA handshakes, without", Tests: []string{"tlsbeside-16"}, Metric: p99, Limit: 1.05, Base: "tlspaced-16"},
	{Number: "TLS", Says: "CPU per request of the best", Tests: []string{"tlskeepalive-64"}, Metric: cpuPerRequest, Limit: 0.85},
	{Number: "TLS", Says: "CPU per GB of downloads of the best", Tests: []string{"tlsstream-4"}, Metric: cpuPerGB, Limit: 0.75},
	{Number: "TLS", Says: "CPU per GB of uploads of the best", Tests: []string{"tlsupload-4"}, Metric: cpuPerGB, Limit: 1},
	{Number: "TLS", Says: "memory per idle connection of HAProxy", Tests: []string{"tlsidle-5000", "tlsidle-5000large"}, Metric: growthPerConn, Limit: 0.5, Than: []string{"haproxy"}},
	{Number: "probes", Says: "p99 beside 2000 probes a second, without", Tests: []string{"probes-64", "probes-paced"}, Metric: p99, Limit: 1.05, Than: []string{ours}},
}

// Verdict is what became of a target in one of its tests.
type Verdict struct {
	Number  string  `json:"number"`
	Says    string  `json:"says"`
	Test    string  `json:"test"`
	Against string  `json:"against,omitempty"` // the peer, or the test, that it was divided by
	Got     Ratio   `json:"got"`
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"at_least"` // the limit is to be reached; else not to be passed
	Met     bool    `json:"met"`
}

// judge looks at all targets whose tests have figures.
func (r *Report) judge() []Verdict {
	var all []Verdict
	for _, t := range targets {
		for _, name := range t.Tests {
			i := slices.IndexFunc(r.plan.tests, func(test Test) bool { return test.Name == name })
			if i < 0 {
				continue
			}
			got, against := r.reached(t, r.plan.tests[i])
			if got == nil {
				continue
			}
			v := Verdict{Number: t.Number, Says: t.Says, Test: name, Against: against, Got: *got, Limit: t.Limit, AtLeast: t.Metric.Better == higher}
			v.Met = v.AtLeast && got.Median >= t.Limit || !v.AtLeast && got.Median <= t.Limit
			all = append(all, v)
		}
	}
	return append(all, r.Soak.judge()...)
}

// reached returns what a target is about, nil if there are no figures.
func (r *Report) reached(t Target, test Test) (got *Ratio, against string) {
	mine := byRound(r.Samples, test.Name, test.subject(), t.Metric)
	switch {
	case t.Absolute:
		if s := find(r.Summary, test.Name, test.subject(), t.Metric.Name); s != nil {
			got = &Ratio{s.Median, s.Low, s.High}
		}
		return got, ""
	case t.Base != "":
		return paired(mine, byRound(r.Samples, t.Base, test.subject(), t.Metric)), t.Base
	}
	b := best(r.Summary, test, t.Metric, r.plan.peers, t.Than)
	if b == nil {
		return nil, ""
	}
	return paired(mine, byRound(r.Samples, test.Name, b.Peer, t.Metric)), b.Peer
}

// limit writes what a target asks for.
func (v Verdict) limit() string {
	if v.AtLeast {
		return "≥ " + figure(v.Limit)
	}
	return "≤ " + figure(v.Limit)
}

// outcome says whether it was met, or by how much it was missed.
func (v Verdict) outcome() string {
	if v.Met {
		return "met"
	}
	return fmt.Sprintf("missed by %.0f %%", 100*max(v.Got.Median/v.Limit-1, 1-v.Got.Median/v.Limit))
}

// printTargets answers where we stand.
func (r *Report) printTargets(w io.Writer) {
	if len(r.Targets) == 0 {
		return
	}
	met := 0
	fmt.Fprintln(w, "\ntargets:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range r.Targets {
		if v.Met {
			met++
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s [%s %s]\t%s\t%s\n", v.Number, v.Test, v.Says, v.limit(),
			figure(v.Got.Median), figure(v.Got.Low), figure(v.Got.High), v.Against, v.outcome())
	}
	table.Flush()
	fmt.Fprintf(w, "  %d of %d met\n", met, len(r.Targets))
}
