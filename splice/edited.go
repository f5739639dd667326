package splice

import "math"

// Editor decides what becomes of the bytes of a stream. It keeps none of them.
type Editor interface {
	// Edit is given what has come and was not taken yet; last says that nothing follows. It takes the first bytes of in,
	// and returns what is to be sent for them, appended to out, or nil if they are to be sent as they are. What it does
	// not take comes again, with more behind it. With last it takes all, unless it pauses.
	Edit(out, in []byte, last bool) (edited []byte, taken int)

	// Pass is how many of the bytes that come next it need not see. 0 means that it wants to see what comes; less than 0
	// that it pauses: nothing is to be read, nor is Edit to be called, before something has happened elsewhere.
	Pass() int64

	// Passed tells that n bytes of those went past.
	Passed(n int64)
}

const (
	editSize  = 192 << 10    // bytes that an editor can be given at once; it must be able to judge so many
	headSize  = startLimit   // bytes of a read while an editor looks at each of them
	passLimit = 2 * headSize // bytes not to be looked at that are worth a Relay's own reads
)

// Edited is the Flow of a stream that an Editor looks at. What need not be looked at goes the way of a Relay: it is copied
// in large pieces, or spliced. While nothing is to be sent and the editor has taken all, it holds nothing.
//
// The relay holds what could not be sent; it may be used for itself before and after.
type Edited struct {
	Relay  *Relay
	Editor Editor

	buf    *buffer // bytes read that the editor has not taken yet, or nil
	hungry bool    // it can't go on with them before more has come
	end    Status  // of the source
	told   bool    // the editor knows of it
}

// Held is part of Flow.
func (e *Edited) Held() int { return e.Relay.Held() + len(e.buf.unsent()) }

// Close is part of Flow.
func (e *Edited) Close(p *Pool) {
	e.keep(p, nil)
	e.Relay.Close(p)
	*e = Edited{Relay: e.Relay, Editor: e.Editor}
}

// Pump is part of Flow.
func (e *Edited) Pump(p *Pool, src, dst End, budget int) (n int, s Status) {
	n, s = e.Relay.flush(p, dst)
	for left := budget - n; s == Again && left > 0; {
		var m, cost int
		m, cost, s = e.step(p, src, dst, left)
		n += m
		left -= max(cost, stepCost)
	}
	return n, s
}

// step reads once and sends what the editor makes of it. Again means: all that was taken is sent, go on.
func (e *Edited) step(p *Pool, src, dst End, left int) (n, cost int, s Status) {
	pass := e.Editor.Pass()
	switch {
	case e.told && e.buf == nil:
		return 0, 0, e.end
	case pass < 0:
		return 0, 0, Paused
	case pass >= passLimit && e.buf == nil && e.end == Again:
		n, s = e.pass(p, src, dst, left, pass)
		return n, n, s
	}
	return e.edit(p, src, dst, pass)
}

// pass has the relay move what need not be looked at.
func (e *Edited) pass(p *Pool, src, dst End, left int, most int64) (n int, s Status) {
	n, read, s := e.Relay.PumpUpTo(p, src, dst, left, most)
	if most < math.MaxInt64 {
		e.Editor.Passed(read)
	}
	if s == EOF || s == SourceFailed {
		e.end, s = s, Again
	}
	return n, s
}

// edit gives the editor what is there, after a read if it has seen all of that.
func (e *Edited) edit(p *Pool, src, dst End, pass int64) (n, cost int, s Status) {
	in := p.scratch[:editSize]
	k := copy(in, e.buf.unsent())
	if e.end == Again && (k == 0 || e.hungry) {
		var m int
		if m, s = e.read(src, in[k:], pass); m == 0 && s == NeedRead {
			return 0, 0, s
		}
		k += m
	}
	out, taken := e.Editor.Edit(p.scratch[editSize:editSize:scratchSize], in[:k], e.end != Again)
	if out == nil {
		out = in[:taken]
	}
	e.told = e.end != Again
	e.hungry = taken < k && e.Editor.Pass() >= 0
	e.keep(p, in[taken:k])
	if len(out) == 0 {
		return 0, taken, s
	}
	var err error
	if e.end == EOF && e.buf == nil { // else the editor pauses: there is more to come, but not now
		n, err = writeLast(dst, out)
	} else {
		n, err = dst.Write(out)
	}
	p.copied += int64(n)
	e.Relay.Hold(p, out[n:])
	if w := e.Relay.wrote(len(out)-n, err); w != Again {
		return n, n, w
	}
	return n, max(n, taken), s
}

// read reads once; the end of the source is noted, and the rest goes on.
func (e *Edited) read(src End, b []byte, pass int64) (n int, s Status) {
	limit := headSize
	if pass > 0 {
		limit = int(e.Relay.reach())
	}
	n, err := src.Read(b[:min(limit, len(b))])
	if n == int(e.Relay.reach()) {
		e.Relay.limit = int32(min(2*n, maxLimit))
	}
	s = sourceStatus(err)
	if s == EOF || s == SourceFailed {
		e.end, s = s, Again
	}
	return n, s
}

// keep keeps what the editor has not taken.
func (e *Edited) keep(p *Pool, rest []byte) {
	old := e.buf
	e.buf = nil
	if len(rest) > 0 {
		e.buf = p.takeBuffer(len(rest))
		copy(e.buf.mem, rest)
	}
	if old != nil {
		p.giveBuffer(old)
	}
}
