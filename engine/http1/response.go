package http1

// maxResponseHead is the longest head of a response that is followed, in bytes.
const maxResponseHead = 128 << 10

// response takes a step through what the server sends: it returns how many bytes of b are done with, and if there is more
// to be done with the rest.
func (c *Conn) response(b []byte, last bool) (n int, going bool) {
	switch {
	case c.req.state == opaque || c.agreed:
		c.res.state = opaque
	case c.res.state == atHead && len(b) > 0 && c.waiting.n == 0: // nobody has asked for this
		c.Lose()
	}
	switch c.res.state {
	case opaque:
		return len(b), false
	case atHead:
		return c.responseHead(b, last)
	}
	n, o := c.res.body(b, maxResponseHead)
	switch o {
	case bad:
		c.Lose()
	case ended:
		c.answer()
	case more:
		if last {
			return len(b), false
		}
		return n, false
	}
	return n, true
}

// answer notes that a response is complete.
func (c *Conn) answer() {
	c.waiting.pop()
	c.answered = false
}

// responseHead reads a head and finds out where the response ends.
func (c *Conn) responseHead(b []byte, last bool) (n int, going bool) {
	if len(b) == 0 {
		return 0, false
	}
	var s statusHead
	switch o := s.read(b); {
	case o == more && len(b) <= maxResponseHead && !last:
		return 0, false
	case o != ended:
		c.Lose()
		return 0, true
	}
	c.res.part = false
	c.follow(&s)
	return s.end, true
}

// follow notes what a head says of the rest of the response, and of the connection.
func (c *Conn) follow(s *statusHead) {
	asked := c.waiting.front()
	const switching, noContent, notModified = 101, 204, 304
	switch {
	case s.status == switching || asked == connect && s.status/100 == 2:
		c.answer()
		c.agreed = true
		return
	case s.status < 200:
		return
	}
	c.answered = true
	switch {
	case asked == head || s.status == noContent || s.status == notModified:
		c.answer()
	case !s.chunked && s.length < 0: // it ends with the connection
		c.Lose()
	default:
		if c.res.begin(s.length, s.chunked); c.res.state == atHead {
			c.answer()
		}
	}
}

// statusHead is the head of a response.
type statusHead struct {
	status  int
	chunked bool
	length  int64 // -1 = not known
	end     int   // of the head
}

// read reads a head. ended means that it is complete, bad that nothing can be said of where the response ends.
func (s *statusHead) read(b []byte) outcome {
	s.length = -1
	l, old, o := s.readLine(b)
	codings, conflict := 0, false
	for o == good {
		var f field
		if f, o = l.field(); o != good {
			break
		}
		switch name := l.name(f); {
		case is(name, "content-length"):
			n, ok := number(l.text(f))
			conflict = conflict || !ok || s.length >= 0 && s.length != n
			s.length = n
		case is(name, "transfer-encoding"):
			codings++
			s.chunked = is(l.text(f), "chunked") && !old
		}
	}
	s.end = l.next
	switch {
	case o != ended:
		return o
	case codings > 1 || codings == 1 && !s.chunked || codings == 0 && conflict:
		s.length, s.chunked = -1, false
	}
	return ended
}

// readLine reads VERSION ' ' STATUS, and what may follow.
func (s *statusHead) readLine(b []byte) (l lines, old bool, o outcome) {
	l.b = b
	const minor, status = len("HTTP/1."), len("HTTP/1.1 ")
	n := min(len(b), minor)
	if string(b[:n]) != version[:n] {
		return l, false, bad
	}
	if len(b) < status+3 {
		return l, false, more
	}
	for _, c := range b[status : status+3] {
		if !digit(c) {
			return l, false, bad
		}
		s.status = 10*s.status + int(c-'0')
	}
	if !digit(b[minor]) || b[status-1] != ' ' || s.status < 100 {
		return l, false, bad
	}
	i := text(b, status+3)
	for i < len(b) && b[i] == '\t' {
		i = text(b, i+1)
	}
	l.bare = i < len(b) && b[i] == '\n'
	k, o := l.lineEnd(i)
	l.next = i + k
	return l, b[minor] == '0', o
}
