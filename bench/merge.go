//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// readReports puts the results of several runs together, as if they were one: long runs can be taken in pieces. They must
// be of the same machine. Rounds of the same test follow each other.
func readReports(paths []string) (*Report, error) {
	var sum *Report
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		r := &Report{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if sum == nil {
			sum = r
			continue
		}
		if err := sum.add(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	sum.plan = sum.planned()
	sum.summarize()
	return sum, nil
}

// add puts the results of another run behind these.
func (r *Report) add(more *Report) error {
	if r.Machine != more.Machine {
		return fmt.Errorf("another machine: %+v, not %+v", more.Machine, r.Machine)
	}
	for peer, version := range more.Peers {
		switch known := r.Peers[peer]; {
		case known == "":
			r.Peers[peer] = version
		case !slices.Contains(strings.Split(known, "; "), version):
			r.Peers[peer] = known + "; " + version
		}
	}
	rounds := map[string]int{} // by test: of those that are here
	for _, s := range r.Samples {
		rounds[s.Test] = max(rounds[s.Test], s.Round)
	}
	for _, s := range more.Samples {
		s.Round += rounds[s.Test]
		r.Samples = append(r.Samples, s)
		r.Rounds = max(r.Rounds, s.Round)
	}
	if more.Soak != nil {
		r.Soak = more.Soak
	}
	return nil
}

// planned returns the plan that the samples look as if they came from.
func (r *Report) planned() *plan {
	p := &plan{Options: Options{Rounds: r.Rounds, Duration: r.Length, Warmup: r.Warmup}, layout: r.Layout}
	for _, t := range tests {
		if slices.ContainsFunc(r.Samples, func(s Sample) bool { return s.Test == t.Name }) {
			p.tests = append(p.tests, t)
		}
	}
	for _, peer := range peers {
		if slices.ContainsFunc(r.Samples, func(s Sample) bool { return s.Peer == peer.Name }) {
			p.peers = append(p.peers, peer)
		}
	}
	return p
}
