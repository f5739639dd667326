package http1

import "bytes"

const (
	maxChunkLine = 4096    // bytes of a line with the size of a chunk and its extensions
	maxLength    = 1 << 62 // bytes of a body or a chunk
)

// body takes a step through a body: it returns how many bytes of b belong to it. good means to go on, ended that it is
// complete and s at the next head.
func (s *stream) body(b []byte, maxTrailer int) (n int, o outcome) {
	if len(b) == 0 {
		return 0, more
	}
	switch s.state {
	case inBody, inChunk:
		n = int(min(s.left, int64(len(b))))
		if s.passed(int64(n)); s.state == atHead {
			return n, ended
		}
		return n, good
	case atChunk:
		return s.chunk(b)
	case afterChunk:
		switch {
		case b[0] != '\r', len(b) > 1 && b[1] != '\n':
			return 0, bad
		case len(b) == 1:
			return 0, more
		}
		s.state = atChunk
		return 2, good
	}
	return s.trailer(b, maxTrailer)
}

// begin is at the first byte of a body.
func (s *stream) begin(length int64, chunked bool) {
	switch {
	case chunked:
		s.state = atChunk
	case length > 0:
		s.state, s.left = inBody, length
	default:
		s.state = atHead
	}
}

// chunk reads the line with the size of a chunk: hexadecimal digits, perhaps extensions.
func (s *stream) chunk(b []byte) (n int, o outcome) {
	i := bytes.IndexByte(b[:min(len(b), maxChunkLine)], '\n')
	if i < 0 {
		if len(b) >= maxChunkLine {
			return 0, bad
		}
		return 0, more
	}
	if i == 0 || b[i-1] != '\r' {
		return 0, bad
	}
	line := b[:i-1]
	size, rest, ok := hexadecimal(line)
	if !ok || !extensions(rest) {
		return 0, bad
	}
	if s.left = size; size > 0 {
		s.state = inChunk
	} else {
		s.state = atTrailer
	}
	return i + 1, good
}

// hexadecimal reads the number at the beginning of b.
func hexadecimal(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b); i++ {
		c := lower(b[i])
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return n, b[i:], i > 0
		}
		if n >= maxLength>>4 {
			return 0, nil, false
		}
		n = n<<4 | int64(c)
	}
	return n, nil, i > 0
}

// extensions tells if b may stand behind the size of a chunk: blanks, with which some pad it, and what begins with a
// semicolon and has no control characters.
func extensions(b []byte) bool {
	b = bytes.TrimLeft(b, " \t")
	if len(b) == 0 || b[0] != ';' {
		return len(b) == 0
	}
	i := text(b, 0)
	for i < len(b) && b[i] == '\t' {
		i = text(b, i+1)
	}
	return i == len(b)
}

// trailer reads what follows the last chunk: fields, which must not be such as tell where a message ends or who sent
// it, and an empty line.
func (s *stream) trailer(b []byte, maxTrailer int) (n int, o outcome) {
	l := lines{b: b}
	for {
		f, o := l.field()
		switch {
		case o == ended && l.next <= maxTrailer:
			s.state = atHead
			return l.next, ended
		case o == more && len(b) <= maxTrailer:
			return 0, more
		case o != good || misplaced(l.name(f)):
			return 0, bad
		}
	}
}

// misplaced tells if a field must not come behind a body (RFC 9110, 6.5.1).
func misplaced(name []byte) bool {
	return is(name, "content-length") || is(name, "transfer-encoding") || is(name, "host") ||
		passesFor(name, forField) || passesFor(name, protoField) || passesFor(name, forwardedField)
}

// number reads a Content-Length.
func number(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n >= maxLength/10 {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, len(b) > 0
}
