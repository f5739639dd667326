//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aReport has a test with two rounds of three peers, one sample of which failed.
func aReport() *Report {
	p := &plan{tests: []Test{{Name: "keepalive-64", Help: "small", Unit: request}},
		peers:  []Peer{{Name: direct}, {Name: ours, Can: canMemory}, {Name: "nginx", Can: canMemory, Rival: inPlain}},
		layout: Layout{[]int{1}, []int{0}}, Options: Options{Rounds: 2, Duration: time.Second}}
	failed := Sample{Test: "keepalive-64", Peer: "nginx", Round: 2, Error: "gone"}
	r := &Report{plan: p, Machine: Machine{CPU: "Some CPU", Cores: 2, Kernel: "6.1", Arch: "amd64"}, Layout: p.layout,
		Rounds: p.Rounds, Length: p.Duration, Peers: map[string]string{"nginx": "nginx/1.22"}, Samples: []Sample{
			sampleOf(direct, 1, 9000, 0), sampleOf(ours, 1, 2000, 20*time.Millisecond),
			sampleOf("nginx", 1, 1000, 20*time.Millisecond), sampleOf(ours, 2, 2000, 20*time.Millisecond), failed}}
	r.summarize()
	return r
}

func TestPrint(t *testing.T) {
	var b bytes.Buffer
	r := aReport()
	r.Samples[1].Calls.Why = "not permitted"
	r.print(&b)
	for _, want := range []string{"not counted: not permitted", "Some CPU", "nginx/1.22", "keepalive-64: small", "2.00 [2.00 2.00]", "0.50 [0.50 0.50]",
		"req/s: pen 2.00 × the best rival, nginx", "CPU µs/req: pen 0.50 × the best rival, nginx",
		"nginx, round 2: FAILED: gone"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", b.String(), want)
		}
	}
}

func TestDisturbed(t *testing.T) {
	r := aReport()
	test := r.plan.tests[0]
	if n, _ := r.disturbed(test); n != 0 {
		t.Errorf("%d disturbed samples, want none", n)
	}
	for i, tt := range []struct{ other, wait time.Duration }{{1, 0}, {2, 2}, {0, 2}} { // no proxy, pen, nginx
		r.Samples[i].OtherCPU, r.Samples[i].ProxyWait = tt.other*r.Samples[i].Elapsed/4, tt.wait*r.Samples[i].Elapsed/4
	}
	if n, all := r.disturbed(test); n != 1 || all != 4 {
		t.Errorf("%d of %d samples disturbed, want 1 of 4", n, all)
	}
	if !(Test{Client: Client{Does: hold}}).calm(r.Samples[1]) {
		t.Error("an idle test is disturbed, which memory does not care for")
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a.json")
	r := aReport()
	if err := r.save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Samples) != len(r.Samples) || len(back.Summary) != len(r.Summary) || back.Machine != r.Machine {
		t.Errorf("read back %d samples, %d summaries, %+v; want %d, %d, %+v",
			len(back.Samples), len(back.Summary), back.Machine, len(r.Samples), len(r.Summary), r.Machine)
	}
	lines, err := os.ReadFile(strings.TrimSuffix(path, ".json") + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	const want = "BenchmarkKeepalive/size=64/peer=pen\t2000\t2000 req/s\t1e-05 cpu-sec/req\t2 proxy-%\t0 load-%\t0 else-%\n"
	if got := string(lines); strings.Count(got, want) != 2 {
		t.Errorf("got\n%s\nwant twice %q", got, want)
	}
	if got := string(lines); strings.Count(got, "\nBenchmark") != 4 {
		t.Errorf("got\n%s\nwant 4 lines: the failed sample has none", got)
	}
}

func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Sample
		want bool
	}{
		{"all well", Sample{Peer: ours}, false},
		{"pen failed", Sample{Peer: ours, Error: "gone"}, true},
		{"pen lost connections", Sample{Peer: ours, Result: Result{Failures: 1}}, true},
		{"another's failure is its own", Sample{Peer: "nginx", Error: "gone"}, false},
	} {
		if err := (&Report{Samples: []Sample{tt.in}}).failure(); (err != nil) != tt.want {
			t.Errorf("%s: %v, want error %v", tt.name, err, tt.want)
		}
	}
}

func TestFigure(t *testing.T) {
	for _, tt := range []struct {
		in   float64
		want string
	}{{0, "0.000"}, {0.0126, "0.013"}, {1.234, "1.23"}, {45.67, "45.7"}, {155309.4, "155309"}} {
		if got := figure(tt.in); got != tt.want {
			t.Errorf("figure(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestBenchName(t *testing.T) {
	if got, want := benchName("reply-64K"), "Reply/size=64K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
