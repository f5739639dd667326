package main

import (
	"fmt"
	"io"
)

// source is the log of one web server. Its current line is the next one that is to be merged.
type source struct {
	server    string // as on the command line: what is written when no client is found
	canonical string // as compared with pen's log
	lines     *reader
	current   webLine
	done      bool
	clock     clock
}

// merger merges sources. It is used once.
type merger struct {
	pen     *window
	sources []*source
	rejects io.Writer
	stderr  io.Writer
	debug   int

	clock                       clock
	matched, unmatched, skipped int // lines
}

// run writes the merged log to out.
func (m *merger) run(out io.Writer) error {
	for _, s := range m.sources {
		if err := m.advance(s); err != nil {
			return err
		}
	}
	var line []byte
	for s := m.oldest(); s != nil; s = m.oldest() {
		client, err := m.client(s)
		if err != nil {
			return err
		}
		line = s.current.appendTo(line[:0], client, &m.clock)
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write the merged log: %w", err)
		}
		if err := m.advance(s); err != nil {
			return err
		}
	}
	if m.debug > 0 {
		fmt.Fprintf(m.stderr, "mergelogs: %d lines matched, %d did not, %d skipped; %v\n", m.matched, m.unmatched, m.skipped, m.pen)
	}
	return nil
}

// oldest returns the source with the oldest line, the first of them if several have one; nil at the end. There are as many
// sources as web servers: few enough to look at each.
func (m *merger) oldest() *source {
	var oldest *source
	for _, s := range m.sources {
		if !s.done && (oldest == nil || s.current.time < oldest.current.time) {
			oldest = s
		}
	}
	return oldest
}

// client finds out who sent the current request of s: the server itself if nobody is known.
func (m *merger) client(s *source) (string, error) {
	client, ok, err := m.pen.find(s.canonical, s.current.request, s.current.time)
	if err != nil {
		return "", err
	}
	if ok {
		m.matched++
		return client, nil
	}
	m.unmatched++
	if m.debug > 1 {
		fmt.Fprintf(m.stderr, "mergelogs: %s:%d: no client for %q\n", s.lines.path, s.lines.line, s.current.request)
	}
	return s.server, nil
}

// advance makes the next good line of s its current one. Others are rejected.
func (m *merger) advance(s *source) error {
	for {
		line, err := s.lines.next()
		if err != nil {
			return err
		}
		if line == nil {
			s.done = true
			return nil
		}
		var ok bool
		if s.current, ok = parseWebLine(line, &s.clock); ok {
			return nil
		}
		m.skipped++
		if _, err := fmt.Fprintf(m.rejects, "%s\n", line); err != nil {
			return fmt.Errorf("rejects: %w", err)
		}
		if m.debug > 1 {
			fmt.Fprintf(m.stderr, "mergelogs: %s:%d: not a line of a web server: %q\n", s.lines.path, s.lines.line, line)
		}
	}
}
