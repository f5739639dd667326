package splice

import "io"

// This file is the portable half of splicing: when to use a pipe and what its errors mean. The system calls are the
// methods of pipe, in splice_linux.go.

// splice is a step through a pipe. The end of the stream is a splice of 0 bytes; Hangup plays no part, since a
// pipe may be full of small segments long before it has the bytes that were asked for, so a short splice does not
// mean drained.
func (r *Relay) splice(p *Pool, src *Socket, dst End, left int) (n int, s Status) {
	q := p.takePipe()
	if q == nil {
		r.mode = copying
		return 0, Again
	}
	err := q.fill(src.FD, min(max(int(r.reach()), startLimit), max(left, bulkLeft)))
	if err != nil {
		p.givePipe(q)
	}
	switch err {
	case nil:
	case ErrAgain:
		return 0, NeedRead
	case errRefused:
		r.mode = barred
		return 0, Again
	case io.EOF:
		r.end = EOF
		return 0, Again
	default:
		r.end = SourceFailed
		return 0, Again
	}
	if q.n < bulkLeft {
		r.mode = copying
	}
	r.pipe = q
	return r.flush(p, dst)
}

// flushPipe writes what is in the pipe and gives it back when it is empty. If the sink can't be spliced to, the bytes
// are moved to the buffer, for flush to go on with, and the flow copies from then on.
func (r *Relay) flushPipe(p *Pool, dst End) (n int, s Status) {
	err := errRefused
	if to, ok := dst.(*Socket); ok {
		n, err = r.pipe.pour(to.FD)
		p.spliced += int64(n)
	}
	if err == errRefused {
		r.mode = barred
		err = r.unload(p)
	}
	if err != nil {
		return n, r.wrote(r.pipe.n, err)
	}
	p.givePipe(r.pipe)
	r.pipe = nil
	r.limit = min(2*max(r.reach(), startLimit), pipeSize)
	return n, Again
}

// unload moves the bytes of the pipe in front of those in the buffer.
func (r *Relay) unload(p *Pool) error {
	newer := r.buf.unsent()
	joined := p.takeBuffer(r.pipe.n + len(newer))
	copy(joined.mem[r.pipe.n:], newer)
	if err := r.pipe.read(joined.mem[:r.pipe.n]); err != nil {
		p.giveBuffer(joined)
		return err
	}
	if r.buf != nil {
		p.giveBuffer(r.buf)
	}
	r.buf = joined
	return nil
}
