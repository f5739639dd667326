//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
)

// running is a peer at work.
type running struct {
	*process        // nil for a peer that is no proxy
	address  string // where to connect
	scrape   string
	dir      string
}

// start starts a peer in front of the origin. It is never nil: what there is has to be stopped, also after an error.
func start(ctx context.Context, onCores []int, files int, peer Peer, s Setup) (*running, error) {
	r := &running{address: s.Origin}
	if peer.Launch == nil {
		return r, nil
	}
	var err error
	if r.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return r, err
	}
	for _, address := range []*string{&s.Listen, &s.Spare} {
		if *address, err = freeAddress(); err != nil {
			return r, err
		}
	}
	s.Dir, r.address = r.dir, s.Listen
	how := peer.Launch(s)
	r.scrape = how.Scrape
	for name, content := range how.Files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o644); err != nil {
			return r, err
		}
	}
	c, err := command(onCores, files, s.Program, how.Args...)
	if err != nil {
		return r, err
	}
	c.Dir = r.dir
	c.Env = append(os.Environ(), gcTrace)
	if r.process, err = launch(c); err != nil {
		return r, err
	}
	probe := accepts
	if s.Datagrams {
		probe = answers
	}
	if err := r.ready(ctx, s.Listen, probe); err != nil {
		return r, err
	}
	return r, keepOn(onCores, family(r.pid()))
}

// collections returns the garbage collections since it was asked last.
func (r *running) collections() Collections {
	if r.process == nil {
		return Collections{}
	}
	return r.stderr.collections()
}

// stop ends the peer and removes its files.
func (r *running) stop() {
	r.process.stop()
	if r.dir != "" {
		os.RemoveAll(r.dir)
	}
}
