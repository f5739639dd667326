package engine

import (
	"math"
	"testing"
	"time"
)

// TestHistogramBuckets checks that a duration is counted in the buckets whose bounds enclose it.
func TestHistogramBuckets(t *testing.T) {
	for _, d := range []time.Duration{
		0, 1, 999, time.Microsecond, 25 * time.Microsecond, 25*time.Microsecond + 1, time.Millisecond, 250 * time.Millisecond, 499999999,
		500 * time.Millisecond, time.Second, time.Second + 1, 2 * time.Second, 3 * time.Second, time.Hour, 48 * time.Hour,
	} {
		var h Histogram
		h.Observe(int64(d))
		for bound, n := range h.Cumulative() {
			if want := d <= bound; (n == 1) != want {
				t.Errorf("%v: got %d in the bucket up to %v, want it there: %t", d, n, bound, want)
			}
		}
		for i, n := range h.Fine() {
			upper, lower := math.Exp2(float64(i)/perDoubling), math.Exp2(float64(i-1)/perDoubling)
			inside := d.Seconds() <= upper || i == fineMost
			if n != 1 || !inside || d.Seconds() <= lower && i != fineLeast {
				t.Errorf("%v: got %d in the fine bucket from %g to %g", d, n, lower, upper)
			}
		}
		if h.Count() != 1 || h.Sum != d || len(h.Fine()) != 1 {
			t.Errorf("%v: got count %d, sum %v, %d fine buckets, want 1, %v, 1", d, h.Count(), h.Sum, len(h.Fine()), d)
		}
	}
}

func TestHistogramAdd(t *testing.T) {
	var a, b Histogram
	a.Observe(1000)
	b.Observe(int64(time.Second))
	b.Observe(-5) // a clock that went back counts as no time
	a.Add(&b)
	if a.Count() != 3 || a.Sum != time.Second+time.Microsecond {
		t.Errorf("got count %d, sum %v, want 3, 1.000001s", a.Count(), a.Sum)
	}
}

func BenchmarkHistogramObserve(b *testing.B) {
	b.ReportAllocs()
	var h Histogram
	for i := range b.N {
		h.Observe(int64(i) * 1000)
	}
}
