//go:build linux

package main

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []float64
		want float64
	}{
		{"none", nil, 0},
		{"one", []float64{7}, 7},
		{"odd, unsorted", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
		{"an outlier does not count", []float64{1, 1, 1, 1, 1000}, 1},
	} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("%s: median(%v) = %v, want %v", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestMedianKeepsItsInput(t *testing.T) {
	in := []float64{3, 1, 2}
	median(in)
	if in[0] != 3 || in[1] != 1 || in[2] != 2 {
		t.Errorf("median sorted its input: %v", in)
	}
}

func TestPaired(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b map[int]float64
		want *Ratio
	}{
		{"rounds are paired", map[int]float64{1: 10, 2: 40, 3: 30}, map[int]float64{1: 10, 2: 20, 3: 10}, &Ratio{2, 1, 3}},
		{"drift cancels", map[int]float64{1: 10, 2: 100}, map[int]float64{1: 20, 2: 200}, &Ratio{0.5, 0.5, 0.5}},
		{"a round that one lacks", map[int]float64{1: 10, 2: 40}, map[int]float64{2: 20}, &Ratio{2, 2, 2}},
		{"no common round", map[int]float64{1: 10}, map[int]float64{2: 20}, nil},
		{"nothing to divide by", map[int]float64{1: 10}, map[int]float64{1: 0}, nil},
	} {
		got := paired(tt.a, tt.b)
		if (got == nil) != (tt.want == nil) || (got != nil && *got != *tt.want) {
			t.Errorf("%s: paired = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// sampleOf is a sample of one second with so many requests and so much CPU.
func sampleOf(peer string, round int, requests int64, cpu time.Duration) Sample {
	return Sample{Test: "keepalive-64", Peer: peer, Round: round,
		Result: Result{Elapsed: time.Second, Requests: requests, ProxyCPU: cpu}}
}

var someTest, somePeers = Test{Name: "keepalive-64", Unit: request}, []Peer{{Name: direct}, {Name: ours},
	{Name: "slow", Rival: inPlain}, {Name: "fast", Rival: inPlain}, {Name: "hidden"}}

// someSummary is of two rounds: fast does the most and uses the most for it.
func someSummary() []Summary {
	failed := sampleOf("fast", 3, 1, time.Hour)
	failed.Error = "gone"
	return summarize([]Sample{
		sampleOf(direct, 1, 9000, 0),
		sampleOf(ours, 1, 1000, 10*time.Millisecond), sampleOf(ours, 2, 2000, 20*time.Millisecond),
		sampleOf("slow", 1, 500, 10*time.Millisecond), sampleOf("slow", 2, 1000, 20*time.Millisecond),
		sampleOf("fast", 1, 2000, 80*time.Millisecond), sampleOf("fast", 2, 4000, 160*time.Millisecond), failed,
		sampleOf("hidden", 1, 9999, time.Millisecond),
	}, someTest, somePeers)
}

func TestSummarize(t *testing.T) {
	all := someSummary()
	for _, tt := range []struct {
		peer   string
		metric Metric
		median float64
		ratio  *Ratio
	}{
		{direct, rate, 9000, nil},
		{ours, rate, 1500, nil},
		{"slow", rate, 750, &Ratio{2, 2, 2}},
		{"fast", rate, 3000, &Ratio{0.5, 0.5, 0.5}},
		{"fast", cpuPerRequest, 40, &Ratio{0.25, 0.25, 0.25}},
	} {
		got := find(all, someTest.Name, tt.peer, tt.metric.Name)
		if got == nil {
			t.Errorf("%s has no %s", tt.peer, tt.metric.Name)
			continue
		}
		if got.Median != tt.median {
			t.Errorf("%s %s: median %v, want %v", tt.peer, tt.metric.Name, got.Median, tt.median)
		}
		if (got.Ratio == nil) != (tt.ratio == nil) || (got.Ratio != nil && *got.Ratio != *tt.ratio) {
			t.Errorf("%s %s: ratio %+v, want %+v", tt.peer, tt.metric.Name, got.Ratio, tt.ratio)
		}
	}
	if got := find(all, someTest.Name, direct, cpuPerRequest.Name); got != nil {
		t.Errorf("no proxy has CPU %+v, want no figure", got)
	}
}

func TestBest(t *testing.T) {
	all := someSummary()
	for _, tt := range []struct {
		name   string
		metric Metric
		want   string
	}{
		{"more is better, and a peer that is no rival does not count", rate, "fast"},
		{"less is better", cpuPerRequest, "slow"},
		{"nobody has figures", p99, ""},
	} {
		var got string
		if b := best(all, someTest, tt.metric, somePeers, nil); b != nil {
			got = b.Peer
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := Sample{Result: Result{Elapsed: 2 * time.Second, Requests: 4000, Bytes: 8e9, ProxyCPU: time.Second, OtherCPU: 200 * time.Millisecond,
		OriginCPU: time.Second, LoadCPU: 500 * time.Millisecond, ProxyRSS: 12e6, ProxyOwn: 10e6, ProxyOwnOff: 2e6, Calls: Calls{Calls: 600, Requests: 100, Bytes: 3e6},
		Latency: Latency{P50: 100 * time.Microsecond, P99: 2 * time.Millisecond, P999: time.Second}}}
	for _, tt := range []struct {
		metric Metric
		want   float64
	}{
		{rate, 2000}, {throughput, 4}, {cpuPerRequest, 250}, {cpuPerGB, 0.125}, {p50, 100}, {p99, 2000}, {p999, 1e6},
		{rss, 12}, {growthPerConn, 2}, {callsPerRequest, 6}, {callsPerMB, 200}, {proxyBusy, 50}, {otherBusy, 10}, {loadBusy, 75},
	} {
		if got, ok := tt.metric.Of(s); !ok || got != tt.want {
			t.Errorf("%s: %v %v, want %v", tt.metric.Name, got, ok, tt.want)
		}
		if got, ok := tt.metric.Of(Sample{}); ok {
			t.Errorf("%s of nothing: %v, want no figure", tt.metric.Name, got)
		}
	}
}
