package splice

// copy is a step through the pool's scratch buffer. Only what the sink did not take gets a buffer of its own.
func (r *Relay) copy(p *Pool, src, dst End, left, most int) (n int, s Status) {
	limit := min(int(r.reach()), maxLimit)
	want := min(limit, max(left, minLimit), most)
	got, err := src.Read(p.scratch[:want])
	r.judge(got, want)

	read := sourceStatus(err)
	if read == EOF || read == SourceFailed {
		r.end, read = read, Again // Pump reports it when all is written
	}
	if got == 0 {
		return 0, read
	}
	if r.end == EOF {
		n, err = writeLast(dst, p.scratch[:got])
	} else {
		n, err = dst.Write(p.scratch[:got])
	}
	p.copied += int64(n)
	r.Hold(p, p.scratch[n:got])
	if s = r.wrote(got-n, err); s != Again {
		return n, s
	}
	if got == limit {
		r.limit = int32(min(2*limit, maxLimit))
	}
	return n, read
}

// writeLast writes what is followed by the end of the stream.
func writeLast(dst End, b []byte) (n int, err error) {
	if last, ok := dst.(LastWriter); ok {
		return last.WriteLast(b)
	}
	return dst.Write(b)
}

// judge moves between copying, warm and splicing after a read that brought got of want bytes. A read that was cut
// short by the budget speaks neither for nor against splicing.
func (r *Relay) judge(got, want int) {
	switch {
	case !canSplice || r.mode == barred:
	case got >= bulkRead && r.mode == copying:
		r.mode = warm
	case got >= bulkRead:
		r.mode = splicing
	case got < want:
		r.mode = copying
	}
}

// flushBuffer writes what is in the buffer and gives it back when it is empty.
func (r *Relay) flushBuffer(p *Pool, dst End) (n int, s Status) {
	n, err := dst.Write(r.buf.unsent())
	p.copied += int64(n)
	r.buf.from += n
	rest := len(r.buf.unsent())
	if rest == 0 {
		p.giveBuffer(r.buf)
		r.buf = nil
	}
	return n, r.wrote(rest, err)
}
