//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is everything that a run of the program found out. It is the JSON file.
type Report struct {
	Started time.Time         `json:"started"`
	Machine Machine           `json:"machine"`
	Layout  Layout            `json:"layout"`
	Rounds  int               `json:"rounds"`
	Warmup  time.Duration     `json:"warmup_ns"`
	Length  time.Duration     `json:"duration_ns"`
	Peers   map[string]string `json:"peers"` // name → version
	Targets []Verdict         `json:"targets"`
	Soak    *Soak             `json:"soak,omitempty"`
	Summary []Summary         `json:"summary"`
	Samples []Sample          `json:"samples"`

	plan *plan
}

func newReport(ctx context.Context, p *plan) *Report {
	r := &Report{Started: time.Now().Round(time.Second), Machine: thisMachine(), Layout: p.layout, Rounds: p.Rounds,
		Warmup: p.Warmup, Length: p.Duration, Peers: make(map[string]string), plan: p}
	for _, peer := range p.peers {
		if !peer.Variant {
			r.Peers[peer.Name] = version(ctx, peer)
		}
	}
	return r
}

// summarize works out all that follows from the samples.
func (r *Report) summarize() {
	r.Summary = nil
	for _, t := range r.plan.tests {
		r.Summary = append(r.Summary, summarize(r.Samples, t, r.plan.peers)...)
	}
	r.Targets = r.judge()
}

// failure is the error of a run in which the pen under test failed. That of another peer is just reported.
func (r *Report) failure() error {
	for _, s := range r.Samples {
		if s.Peer == ours && (s.Error != "" || s.Failures > 0) {
			return fmt.Errorf("%s failed in %s, round %d: %s%s", s.Peer, s.Test, s.Round, s.Error, s.Failure)
		}
	}
	return nil
}

// save writes the JSON file, and beside it the same samples for benchstat, and the report with its plots for people.
func (r *Report) save(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var lines, page bytes.Buffer
	r.benchmarks(&lines)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	base := strings.TrimSuffix(name, ".json")
	plots, err := r.plots(base)
	if err != nil {
		return err
	}
	r.page(&page, plots)
	return errors.Join(os.WriteFile(base+".json", append(text, '\n'), 0o644),
		os.WriteFile(base+".txt", lines.Bytes(), 0o644), os.WriteFile(base+".md", page.Bytes(), 0o644))
}

// benchmarks writes a line per sample in the format of testing.B (golang.org/design/14313-benchmark-format).
func (r *Report) benchmarks(w io.Writer) {
	fmt.Fprintf(w, "goos: linux\ngoarch: %s\npkg: pen/bench\ncpu: %s\nkernel: %s\nlayout: %s\n",
		r.Machine.Arch, r.Machine.CPU, r.Machine.Kernel, r.Layout)
	for _, t := range r.plan.tests {
		for _, s := range r.Samples {
			if s.Test != t.Name || s.Error != "" {
				continue
			}
			fmt.Fprintf(w, "Benchmark%s/peer=%s\t%d", benchName(t.Name), s.Peer, max(1, s.Requests))
			for _, m := range t.Unit.Metrics {
				if v, ok := m.Of(s); ok {
					fmt.Fprintf(w, "\t%.6g %s", v*m.Scale, m.Slug)
				}
			}
			fmt.Fprintln(w)
		}
	}
}

// benchName makes a name of ours one that benchstat takes whole: it reads a last -64 as the number of processors.
func benchName(test string) string {
	kind, size, _ := strings.Cut(test, "-")
	return strings.ToUpper(kind[:1]) + kind[1:] + "/size=" + size
}

// describe is a sample in a few words, for the progress.
func describe(t Test, s Sample) string {
	if s.Error != "" {
		return "FAILED: " + s.Error
	}
	var words []string
	for _, m := range t.Unit.Metrics[:t.Unit.Judged] {
		if v, ok := m.Of(s); ok {
			words = append(words, figure(v)+" "+m.Name)
		}
	}
	if s.Failures > 0 {
		words = append(words, fmt.Sprintf("%d connections failed: %s", s.Failures, s.Failure))
	}
	return strings.Join(words, ", ")
}

// print writes a table per test for people.
func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %d cores, Linux %s, %s; proxy on core %s, load and origin on %s; %d rounds of %v; medians\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.TCP, cores(r.Layout.Proxy), cores(r.Layout.Load), r.Rounds, r.Length)
	for _, p := range r.plan.peers {
		if v := r.Peers[p.Name]; v != "" {
			fmt.Fprintf(w, "  %s: %s\n", p.Name, v)
		}
	}
	r.printUncounted(w)
	for _, t := range r.plan.tests {
		r.printTest(w, t)
	}
	r.Soak.print(w)
	r.printCollections(w)
	r.printTargets(w)
}

// printUncounted tells why there are no figures of system calls, if there are none.
func (r *Report) printUncounted(w io.Writer) {
	for _, s := range r.Samples {
		if s.Calls.Why != "" {
			fmt.Fprintf(w, "  system calls were not counted: %s\n", s.Calls.Why)
			return
		}
	}
}

func (r *Report) printTest(w io.Writer, t Test) {
	fmt.Fprintf(w, "\n%s: %s\n", t.Name, t.Help)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\t")
	for _, m := range t.Unit.Metrics {
		fmt.Fprint(table, m.Name, "\t")
	}
	for _, m := range t.Unit.Metrics[:t.Unit.Judged] {
		fmt.Fprint(table, t.subject(), " ÷ ", m.Name, "\t")
	}
	fmt.Fprintln(table)
	for _, peer := range r.plan.taking(t) {
		fmt.Fprint(table, peer.Name, "\t")
		for _, m := range t.Unit.Metrics {
			if s := find(r.Summary, t.Name, peer.Name, m.Name); s != nil {
				fmt.Fprint(table, figure(s.Median))
			}
			fmt.Fprint(table, "\t")
		}
		for _, m := range t.Unit.Metrics[:t.Unit.Judged] {
			if s := find(r.Summary, t.Name, peer.Name, m.Name); s != nil && s.Ratio != nil {
				fmt.Fprintf(table, "%.2f [%.2f %.2f]", s.Ratio.Median, s.Ratio.Low, s.Ratio.High)
			}
			fmt.Fprint(table, "\t")
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	r.printJudgement(w, t)
	if n, all := r.disturbed(t); n > 0 {
		fmt.Fprintf(w, "  disturbed: in %d of %d samples something else took more than %d %% of a core, and the proxy waited\n", n, all, calmShare)
	}
	r.printFailures(w, t)
}

// printCollections tells how long pen stood still for its garbage collector under load.
func (r *Report) printCollections(w io.Writer) {
	heading := "\ngarbage collections under load, in all rounds:\n"
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range r.plan.tests {
		for _, peer := range r.plan.taking(t) {
			var c Collections
			for _, s := range r.Samples {
				if s.Test == t.Name && s.Peer == peer.Name {
					c.add(s.Collections)
				}
			}
			if c.Count == 0 || peer.Name != ours && !peer.Variant {
				continue
			}
			fmt.Fprint(w, heading)
			heading = ""
			fmt.Fprintf(table, "  %s\t%s\t%d\tthe longest standstill %v\tin all %v\n", t.Name, peer.Name, c.Count, c.Longest, c.Total)
		}
	}
	table.Flush()
}

// What else runs on the machine may take so much of one core, or make the proxy wait so much of the time for its own,
// before it shows. (Programs with several threads make each other wait, so waiting alone does not tell.)
const (
	calmShare = 10 // per cent
	calmWait  = 5  // per cent
)

// calm tells if a sample had the machine for itself. Memory does not care.
func (t Test) calm(s Sample) bool {
	share, _ := otherBusy.Of(s)
	wait, _ := div(100*s.ProxyWait.Seconds(), s.Elapsed.Seconds())
	return share <= calmShare || wait <= calmWait || t.Client.Does == hold
}

// disturbed counts the samples that had not.
func (r *Report) disturbed(t Test) (n, all int) {
	for _, s := range r.Samples {
		if s.Test != t.Name || s.Error != "" {
			continue
		}
		if all++; !t.calm(s) {
			n++
		}
	}
	return n, all
}

// printJudgement compares pen with the best rival in each judged metric.
func (r *Report) printJudgement(w io.Writer, t Test) {
	for _, m := range t.Unit.Metrics[:t.Unit.Judged] {
		if b := best(r.Summary, t, m, r.plan.peers, nil); b != nil && b.Ratio != nil {
			fmt.Fprintf(w, "  %s: %s %.2f × the best rival, %s\n", m.Name, t.subject(), b.Ratio.Median, b.Peer)
		}
	}
}

func (r *Report) printFailures(w io.Writer, t Test) {
	for _, s := range r.Samples {
		switch {
		case s.Test != t.Name:
		case s.Error != "":
			fmt.Fprintf(w, "  %s, round %d: FAILED: %s\n", s.Peer, s.Round, s.Error)
		case s.Failures > 0:
			fmt.Fprintf(w, "  %s, round %d: %d connections failed, the first: %s\n", s.Peer, s.Round, s.Failures, s.Failure)
		}
	}
}

// figure writes a value with three significant digits, thousands and above in full.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
