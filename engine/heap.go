package engine

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// A TLS handshake leaves 40 KB of garbage, while what lives in the heap of a busy pen is a few MB: by Go's rule, to collect
// when the heap has doubled, the collector would run a dozen times a second and take an eighth of the CPU of a handshake.
//
// So an engine that speaks TLS lets the heap grow by spareHeap at least. Where more than that lives in it, which is with
// thousands of connections, Go's rule holds. GOGC in the environment is the operator's word, and is left alone.

const (
	spareHeap  = 16 << 20 // bytes of garbage that are let be
	goPercent  = 100      // by how much the heap may grow, by Go's rule
	mostExtra  = 400      // at most, in percent
	heapMetric = "/gc/heap/live:bytes"
)

// heapPace adjusts the pace of the collector after each of its runs.
type heapPace struct {
	stopped atomic.Bool
	percent int // as it is set; the finalizer's goroutine
}

// paceHeap begins to adjust, if there is need.
func (e *Engine) paceHeap(p *plan) {
	if e.heap != nil || os.Getenv("GOGC") != "" || !p.encrypts() {
		return
	}
	e.heap = &heapPace{percent: goPercent}
	runtime.SetFinalizer(&collected{e.heap}, (*collected).run)
}

// stop has the next run of the collector be the last that is noticed.
func (h *heapPace) stop() {
	if h != nil {
		h.stopped.Store(true)
	}
}

// encrypts tells if TLS is spoken with anybody.
func (p *plan) encrypts() bool {
	for _, v := range p.services {
		if v.tls != nil {
			return true
		}
		for i := range v.places {
			if v.places[i].tls != nil {
				return true
			}
		}
	}
	return false
}

// collected is garbage: when it is collected, the collector has run.
type collected struct{ heap *heapPace }

// run is the finalizer.
func (c *collected) run() {
	h := c.heap
	if h.stopped.Load() {
		debug.SetGCPercent(goPercent)
		return
	}
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	if want := percentFor(sample[0].Value.Uint64()); want*10 < h.percent*9 || want*9 > h.percent*10 {
		h.percent = want
		debug.SetGCPercent(want) // it stops the world for a moment
	}
	runtime.SetFinalizer(&collected{h}, (*collected).run)
}

// percentFor is by how much a heap may grow in which so many bytes live.
func percentFor(live uint64) int {
	return min(max(int(spareHeap*goPercent/max(live, 1)), goPercent), mostExtra)
}
