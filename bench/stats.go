//go:build linux

package main

import "slices"

// Summary is one metric of one peer in one test over all rounds.
type Summary struct {
	Test   string  `json:"test"`
	Peer   string  `json:"peer"`
	Metric string  `json:"metric"`
	Median float64 `json:"median"`
	Low    float64 `json:"low"` // least and greatest of the rounds
	High   float64 `json:"high"`
	Rounds int     `json:"rounds"`          // that have this figure
	Ratio  *Ratio  `json:"ratio,omitempty"` // the figure of the test's subject, pen but for tests of variants / this peer's
}

// Ratio is the median, least and greatest of the quotients of two peers' figures, each of the same round.
type Ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// median returns the middle value, the mean of the two middle ones if their number is even, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// paired returns the ratio a/b over the rounds that have both. The keys are rounds.
func paired(a, b map[int]float64) *Ratio {
	var quotients []float64
	for round, x := range a {
		if y, ok := b[round]; ok && y != 0 {
			quotients = append(quotients, x/y)
		}
	}
	if len(quotients) == 0 {
		return nil
	}
	return &Ratio{median(quotients), slices.Min(quotients), slices.Max(quotients)}
}

// byRound picks the values of a metric of one peer in one test. Failed samples have none.
func byRound(samples []Sample, test, peer string, m Metric) map[int]float64 {
	values := make(map[int]float64)
	for _, s := range samples {
		if s.Test != test || s.Peer != peer || s.Error != "" {
			continue
		}
		if v, ok := m.Of(s); ok {
			values[s.Round] = v
		}
	}
	return values
}

// summarize works out every metric of every peer in a test, in that order; metrics without figures are left out.
func summarize(samples []Sample, test Test, peers []Peer) []Summary {
	var all []Summary
	for _, peer := range peers {
		for i, m := range test.Unit.Metrics {
			values := byRound(samples, test.Name, peer.Name, m)
			if len(values) == 0 {
				continue
			}
			list := make([]float64, 0, len(values))
			for _, v := range values {
				list = append(list, v)
			}
			s := Summary{Test: test.Name, Peer: peer.Name, Metric: m.Name, Median: median(list),
				Low: slices.Min(list), High: slices.Max(list), Rounds: len(list)}
			if i < test.Unit.Judged && peer.Name != test.subject() && peer.Name != direct {
				s.Ratio = paired(byRound(samples, test.Name, test.subject(), m), values)
			}
			all = append(all, s)
		}
	}
	return all
}

// find returns the summary of a peer's metric, nil if it has no figures.
func find(all []Summary, test, peer, metric string) *Summary {
	i := slices.IndexFunc(all, func(s Summary) bool { return s.Test == test && s.Peer == peer && s.Metric == metric })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// best returns the peer with the best median of a metric, of those named, or of the rivals if none is; nil if none of them
// has figures.
func best(all []Summary, test Test, m Metric, peers []Peer, named []string) *Summary {
	var b *Summary
	for _, peer := range peers {
		s := find(all, test.Name, peer.Name, m.Name)
		wanted := peer.rivals(test)
		if len(named) > 0 {
			wanted = slices.Contains(named, peer.Name)
		}
		if !wanted || s == nil {
			continue
		}
		if b == nil || (m.Better == higher && s.Median > b.Median) || (m.Better == lower && s.Median < b.Median) {
			b = s
		}
	}
	return b
}
