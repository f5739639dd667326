package splice

import (
	"io"
	"math"
)

// How a Relay goes about it, and when that changes:
//
//	         2 reads in a row ≥ 32 KB, both ends sockets
//	copying ────────────► warm ────────────► splicing ───── refused by the kernel ─────► barred
//	   ▲  shorter read      │                    │                                    (copies for good)
//	   └────────────────────┴────────────────────┘
//	                           a splice moved < 8 KB, no pipe to be had, an end is not a socket
//
// The mode decides where the next bytes are read to. Where held bytes are is told by buf and pipe alone, so a mode
// may change at any time. Order: bytes are read only when nothing is held, so what is in the pipe is older than
// what Hold puts into the buffer after it, and the buffer is never followed by a pipe: first pipe, then buffer.
type mode uint8

const (
	copying  mode = iota
	warm          // copying; the last read was a bulk read
	splicing      // reading into pipes
	barred        // copying; the kernel does not splice these sockets
)

var modeNames = [...]string{"copying", "warm", "splicing", "barred"}

func (m mode) String() string { return modeNames[m] }

const (
	startLimit = 64 << 10    // bytes of a new flow's reads
	minLimit   = 16 << 10    // bytes; what a flow whose sink keeps blocking comes down to
	maxLimit   = scratchSize // bytes; of a splice it is pipeSize
	bulkRead   = 32 << 10    // bytes of a read that speak for splicing: below it copying wins
	bulkLeft   = 8 << 10     // bytes of a splice that speak against it
	stepCost   = 1 << 10     // bytes charged to the budget for a step at least, so that a dribbling source is not given a million of them
)

// Relay is the Flow for sockets and any other ends. The zero value is ready, holds nothing and is 16 bytes; while
// nothing is to be sent it has neither buffer nor pipe.
//
// Bytes are copied through the pool's buffer, in reads that grow from 64 KB to 512 KB as long as the source fills
// them and the sink takes them, and halve down to 16 KB when the sink has no room, so that the remainder of a slow
// peer stays small. Between two *Socket on Linux a flow that has proved to be bulk is spliced, in splices of up to
// 1 MB that grow and shrink likewise.
//
// Ends may be replaced by others between two Pumps; a flow does not keep them.
type Relay struct {
	buf   *buffer // held bytes, and the pipe with those that are older; nil = none
	limit int32   // bytes of the next read; 0 means startLimit
	mode  mode
	end   Status // of the source: Again while it is open, then EOF or SourceFailed
	stuck bool   // the sink has taken all, but keeps some of it back
}

// Hold makes b part of the flow, behind what is held already and before anything read from now on: a header of
// ours, or bytes read elsewhere. b is copied. The next Pump delivers it.
func (r *Relay) Hold(p *Pool, b []byte) {
	if len(b) > 0 {
		r.buf = p.joined(r.buf, b)
	}
}

// Held is part of Flow.
func (r *Relay) Held() int {
	if r.buf == nil {
		return 0
	}
	n := len(r.buf.unsent())
	if r.buf.pipe != nil {
		n += r.buf.pipe.n
	}
	return n
}

// Close is part of Flow. A pipe with bytes in it is destroyed.
func (r *Relay) Close(p *Pool) {
	if r.buf != nil {
		if r.buf.pipe != nil {
			p.givePipe(r.buf.pipe)
			r.buf.pipe = nil
		}
		p.giveBuffer(r.buf)
	}
	*r = Relay{}
}

// Pump is part of Flow. The budget may be exceeded by what was held and by less than 64 KB.
func (r *Relay) Pump(p *Pool, src, dst End, budget int) (n int, s Status) {
	n, _, s = r.PumpUpTo(p, src, dst, budget, math.MaxInt64)
	return n, s
}

// PumpUpTo is Pump, but reads no more than limit bytes, and says how many it has read. Again is also for the limit.
func (r *Relay) PumpUpTo(p *Pool, src, dst End, budget int, limit int64) (n int, read int64, s Status) {
	n, s = r.flush(p, dst)
	for left := budget - n; s == Again && r.end == Again && left > 0 && read < limit; {
		var m int
		m, s = r.step(p, src, dst, left, int(min(limit-read, pipeSize)))
		n += m
		left -= max(m, stepCost)
		read += int64(m + r.Held())
	}
	if s == Again {
		s = r.end
	}
	return n, read, s
}

// step reads once, no more than most bytes, and writes what was read. Again means: all written, go on.
//
// Invariant: when entering step nothing is held and the source has not ended.
func (r *Relay) step(p *Pool, src, dst End, left, most int) (n int, s Status) {
	if r.mode == splicing {
		from, plain := src.(*Socket)
		_, both := dst.(*Socket)
		if plain && both {
			return r.splice(p, from, dst, left, most)
		}
		r.mode = copying
	}
	return r.copy(p, src, dst, left, most)
}

// flush writes what is held, the oldest first. Again means: nothing is held any more, here or by the sink.
func (r *Relay) flush(p *Pool, dst End) (n int, s Status) {
	if r.buf != nil && r.buf.pipe != nil {
		if n, s = r.flushPipe(p, dst); s != Again {
			return n, s
		}
	}
	if len(r.buf.unsent()) > 0 {
		m, s := r.flushBuffer(p, dst)
		return n + m, s
	}
	if r.stuck {
		_, err := dst.Write(nil)
		return n, r.wrote(0, err)
	}
	return n, Again
}

// wrote draws the conclusions from a Write that has left rest bytes behind. A short write without an error breaks
// the contract of End, and counts as a failure rather than losing bytes or waiting for an event that does not come.
func (r *Relay) wrote(rest int, err error) Status {
	r.stuck = err == ErrAgain && rest == 0
	switch {
	case err == ErrAgain:
		r.limit = max(r.reach()/2, minLimit)
		return NeedWrite
	case err != nil || rest > 0:
		return SinkFailed
	}
	return Again
}

// reach is the number of bytes that the next read may bring.
func (r *Relay) reach() int32 {
	if r.limit == 0 {
		return startLimit
	}
	return r.limit
}

// sourceStatus translates the error of a Read; Again for none.
func sourceStatus(err error) Status {
	switch err {
	case nil:
		return Again
	case ErrAgain:
		return NeedRead
	case io.EOF:
		return EOF
	}
	return SourceFailed
}
