package engine

import (
	"math"
	"slices"
	"time"
)

// Histogram counts durations in plain integers, so that to observe one takes a few nanoseconds and no memory. It keeps
// them in two resolutions: coarse buckets with bounds that people think in, and fine ones that grow exponentially, four
// to a doubling (schema 2 of Prometheus' native histograms), for quantiles within ten percent. Whoever counts owns it.
type Histogram struct {
	Sum    time.Duration
	Coarse [len(coarseBounds) + 1]uint64 // by bound; the last one has none
	fine   [fineBuckets]uint64           // by exponent, from fineLeast on
}

// coarseBounds are upper bounds. The greatest ones are for the length of sessions.
var coarseBounds = [...]time.Duration{
	25 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour,
}

const (
	// FineSchema says how fine the fine buckets are: bucket i ends at 2^(i/2^FineSchema) seconds.
	FineSchema = 2

	perDoubling = 1 << FineSchema
	fineLeast   = -20 * perDoubling // about a microsecond; what is shorter counts there
	fineMost    = 17 * perDoubling  // about 36 hours; what is longer counts there
	fineBuckets = fineMost - fineLeast + 1
)

// fineSteps are the bounds within a doubling, as fractions of its end: 2^(i/4)/2.
var fineSteps = [perDoubling]float64{0.5, 0.5946035575013605, 0.7071067811865475, 0.8408964152537144}

// Observe counts a duration in nanoseconds.
func (h *Histogram) Observe(ns int64) {
	d := time.Duration(max(ns, 0))
	h.Sum += d
	coarse, _ := slices.BinarySearch(coarseBounds[:], d)
	h.Coarse[coarse]++
	h.fine[fineIndex(d)-fineLeast]++
}

// fineIndex is the exponent of the fine bucket of a duration, which is at most its upper bound.
func fineIndex(d time.Duration) int {
	if d <= 0 {
		return fineLeast
	}
	fraction, doubling := math.Frexp(d.Seconds())
	step := 0
	for step < perDoubling && fineSteps[step] < fraction {
		step++
	}
	return min(max((doubling-1)*perDoubling+step, fineLeast), fineMost)
}

// Add adds what another histogram has counted.
func (h *Histogram) Add(other *Histogram) {
	h.Sum += other.Sum
	for i, n := range other.Coarse {
		h.Coarse[i] += n
	}
	for i, n := range other.fine {
		h.fine[i] += n
	}
}

// Count returns how many durations have been observed.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Coarse {
		n += c
	}
	return n
}

// Cumulative returns, for each bound, how many durations were not longer.
func (h *Histogram) Cumulative() map[time.Duration]uint64 {
	m, n := make(map[time.Duration]uint64, len(coarseBounds)), uint64(0)
	for i, bound := range coarseBounds {
		n += h.Coarse[i]
		m[bound] = n
	}
	return m
}

// Fine returns the fine buckets that are not empty, by exponent.
func (h *Histogram) Fine() map[int]uint64 {
	m := map[int]uint64{}
	for i, n := range h.fine {
		if n > 0 {
			m[i+fineLeast] = n
		}
	}
	return m
}
