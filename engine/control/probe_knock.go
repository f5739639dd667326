package control

import (
	"context"
	"net/netip"
	"time"

	"pen/engine"
)

// A probe that does no more than connect is not worth a goroutine. The prober's own begins such connects, looks at once
// whether a server near by has answered already, and looks after the others each beat.

// knock is such a probe under way.
type knock struct {
	result
	begun, end time.Time
}

// knocks are the connects under way.
type knocks struct {
	engine.Knocks
	byFD map[int]knock
	last time.Time // when the last one was begun
}

func newKnocks() *knocks { return &knocks{byFD: map[int]knock{}} }

const (
	freshKnock = 100 * time.Millisecond // since the last knock was begun: answers are looked for each beat
	staleLook  = 10 * time.Millisecond  // after that, as often as this
)

// knocksOn tells if a server is probed by a knock, and returns its address.
func (p *prober) knocksOn(t *subject) (to netip.AddrPort, ok bool) {
	if p.knocks == nil || t.probe.Kind != "tcp" || t.agent != 0 || t.Network == "unix" {
		return to, false
	}
	to, err := netip.ParseAddrPort(t.Address)
	if t.probe.Port != 0 {
		to = netip.AddrPortFrom(to.Addr(), uint16(t.probe.Port))
	}
	return to, err == nil
}

// knock begins to probe a server.
func (p *prober) knock(s *probed, to netip.AddrPort) {
	k := knock{result: result{probed: s, asked: s.subject}, begun: time.Now()}
	fd, err := p.knocks.Begin(to, s.source)
	if err != nil {
		p.knocked(k, err)
		return
	}
	p.knocks.last, k.end = k.begun, k.begun.Add(s.probe.Timeout)
	p.knocks.byFD[fd] = k
}

// listen takes the results of the knocks that are over.
func (p *prober) listen() {
	if p.knocks == nil || len(p.knocks.byFD) == 0 {
		return
	}
	p.knocks.Look(func(fd int, err error) {
		k := p.knocks.byFD[fd]
		delete(p.knocks.byFD, fd)
		p.knocked(k, err)
	})
	now := time.Now()
	for fd, k := range p.knocks.byFD {
		if !now.Before(k.end) {
			p.knocks.GiveUp(fd)
			delete(p.knocks.byFD, fd)
			p.knocked(k, context.DeadlineExceeded)
		}
	}
}

func (p *prober) knocked(k knock, err error) {
	k.took, k.err = time.Since(k.begun), err
	p.take(k.result)
}

// nextLook is how long the prober may wait before it looks for answers.
func (p *prober) nextLook() time.Duration {
	switch {
	case p.knocks == nil || len(p.knocks.byFD) == 0:
		return time.Hour
	case time.Since(p.knocks.last) < freshKnock:
		return beat
	}
	return staleLook
}
