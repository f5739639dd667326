package splice

const (
	scratchSize = 512 << 10 // bytes; the knee of CPU per byte: 64 KB costs twice as much as 256 KB
	pipeSize    = 1 << 20   // bytes of a pipe, the default of fs.pipe-max-size; 4 streams cost 25 % less CPU than with 256 KB
	leastPipe   = 256 << 10 // bytes of a pipe that is still better than copying
	askAgain    = 1000      // pipes that are not asked for after the system has refused one
	keepPipes   = 16        // free pipes at most; see Pool
)

// Pool is what the flows of one reactor share: the buffer through which everything is copied, free buffers for
// remainders, free pipes. It has one owner, and so no lock.
//
// What it keeps is bounded, so that memory and descriptors go back after a burst of slow peers: per size class of
// buffers 512 KB (4 MB in all, which is 128 slow peers with 4 KB each down to one with 512 KB: the coming and going
// of usual remainders makes no garbage), and 16 pipes (a flow needs one only during a Pump, unless its sink is
// blocked; 32 descriptors, and next to no memory, as they are empty). What comes back beyond that is freed.
type Pool struct {
	scratch     []byte
	freeBuffers [classes]freeBuffers
	freeHolders *buffer
	holders     int // in freeHolders
	freePipes   *pipe
	idlePipes   int // in freePipes
	maxPipes    int // open at once, in use and free
	refused     int // pipes that are not to be asked for, as the system has none
	closed      bool

	copied, spliced int64
	pipes, buffers  int
}

// NewPool makes a pool that opens up to maxPipes pipes at once, each of two descriptors and 1 MB; with 0 nothing
// is spliced. Choose it well below the limit of descriptors, and remember fs.pipe-user-pages-soft: without
// privileges a user gets 64 MB of pipes over all processes (pipe(7)). Flows that get no pipe copy.
func NewPool(maxPipes int) *Pool {
	return &Pool{scratch: make([]byte, scratchSize), maxPipes: maxPipes}
}

// Scratch is the buffer that everything is copied through, of 512 KB. Between two Pumps the owner of the pool may use it;
// no byte of it survives the next one.
func (p *Pool) Scratch() []byte { return p.scratch }

// Counters say what went through a pool and what flows hold of it.
type Counters struct {
	Copied  int64 // bytes written to sinks from a buffer
	Spliced int64 // bytes written to sinks from a pipe
	Pipes   int   // pipes open now, in use and free
	Buffers int   // buffers that flows hold now
}

// Counters returns the state of now. Only the owner of the pool may ask.
func (p *Pool) Counters() Counters {
	return Counters{Copied: p.copied, Spliced: p.spliced, Pipes: p.pipes, Buffers: p.buffers}
}

// Close releases everything. Flows that still hold something may be closed with the pool afterwards, but no flow may
// be pumped.
func (p *Pool) Close() {
	p.closed = true
	p.scratch = nil
	p.freeBuffers, p.freeHolders = [classes]freeBuffers{}, nil
	for q := p.freePipes; q != nil; q = q.next {
		p.destroyPipe(q)
	}
	p.freePipes, p.idlePipes = nil, 0
}

// takePipe returns an empty pipe, or nil if there is none to be had.
func (p *Pool) takePipe() *pipe {
	if q := p.freePipes; q != nil {
		p.freePipes, p.idlePipes = q.next, p.idlePipes-1
		q.next = nil
		return q
	}
	if p.pipes >= p.maxPipes {
		return nil
	}
	if p.refused > 0 {
		p.refused--
		return nil
	}
	q := openPipe()
	if q == nil {
		p.refused = askAgain
		return nil
	}
	p.pipes++
	return q
}

// givePipe takes a pipe back. One with bytes in it is destroyed: they would turn up in another session.
func (p *Pool) givePipe(q *pipe) {
	if q.n != 0 || p.closed || p.idlePipes >= keepPipes {
		p.destroyPipe(q)
		return
	}
	q.next = p.freePipes
	p.freePipes, p.idlePipes = q, p.idlePipes+1
}

func (p *Pool) destroyPipe(q *pipe) {
	q.close()
	p.pipes--
}
