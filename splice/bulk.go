package splice

import "io"

// This file is the portable half of splicing: when to use a pipe and what its errors mean. The system calls are the
// methods of pipe, in splice_linux.go.

// splice is a step through a pipe. The end of the stream is a splice of 0 bytes; Hangup plays no part, since a
// pipe may be full of small segments long before it has the bytes that were asked for, so a short splice does not
// mean drained.
func (r *Relay) splice(p *Pool, src *Socket, dst End, left, most int) (n int, s Status) {
	q := p.takePipe()
	if q == nil {
		r.mode = copying
		return 0, Again
	}
	err := q.fill(src.FD, min(max(int(r.reach()), startLimit), max(left, bulkLeft), most))
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
	r.buf = p.behind(q)
	return r.flush(p, dst)
}

// flushPipe writes what is in the pipe and gives it back when it is empty. If the sink can't be spliced to, the bytes
// are moved to the buffer, for flush to go on with, and the flow copies from then on.
func (r *Relay) flushPipe(p *Pool, dst End) (n int, s Status) {
	err, q := errRefused, r.buf.pipe
	if to, ok := dst.(*Socket); ok {
		n, err = q.pour(to.FD)
		p.spliced += int64(n)
	}
	if err == errRefused {
		r.mode = barred
		err = r.unload(p)
	}
	if err != nil {
		return n, r.wrote(q.n, err)
	}
	p.givePipe(q)
	r.buf.pipe = nil
	if len(r.buf.unsent()) == 0 {
		p.giveBuffer(r.buf)
		r.buf = nil
	}
	r.limit = min(2*max(r.reach(), startLimit), pipeSize)
	return n, Again
}

// unload moves the bytes of the pipe in front of those in the buffer. The pipe is then empty.
func (r *Relay) unload(p *Pool) error {
	q, newer := r.buf.pipe, r.buf.unsent()
	joined := p.takeBuffer(q.n + len(newer))
	copy(joined.mem[q.n:], newer)
	if err := q.read(joined.mem[:q.n]); err != nil {
		p.giveBuffer(joined)
		return err
	}
	r.buf.pipe, joined.pipe = nil, q
	p.giveBuffer(r.buf)
	r.buf = joined
	return nil
}
