package splice

// Discard is the Flow that reads and throws away: what is left to do for a source whose sink has gone, so that the
// source may finish sending and is not answered with a reset. It has no state and holds nothing.
type Discard struct{}

// Pump reads about budget bytes of src at most; dst is not used and may be nil. n is the number of bytes thrown
// away. The status is never NeedWrite or SinkFailed.
func (Discard) Pump(p *Pool, src, _ End, budget int) (n int, s Status) {
	for left := budget; left > 0; {
		m, err := src.Read(p.scratch[:min(len(p.scratch), max(left, minLimit))])
		n += m
		left -= max(m, stepCost)
		if s := sourceStatus(err); s != Again {
			return n, s
		}
	}
	return n, Again
}

// Held is always 0.
func (Discard) Held() int { return 0 }

// Close does nothing.
func (Discard) Close(*Pool) {}
