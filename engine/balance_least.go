package engine

// Least connections: the server with the lowest load gets the client. It looks at all servers, and sees what other
// reactors have begun meanwhile, connects under way included.

// load is the number of connections that the place would have with one more, in proportion to its weight. Weight 0
// counts as 1.
func (p *place) load(now int64) int64 {
	return (int64(p.reserved.Load()) + 1) * loadScale / (int64(max(p.weight, 1)) * p.portion(now))
}

// loadScale keeps the fractions: one connection on a server of weight 1 with its whole portion is a load of 2^20.
const loadScale = wholePortion << 20

// byLeast finds the lowest load. It begins behind the place chosen last, so that equals take turns.
func (v *service) byLeast(now int64) int {
	start := int(v.choice.turn.Load())
	best, least := none, int64(0)
	for n := range v.places {
		i := (start + 1 + n) % len(v.places)
		p := &v.places[i]
		if !p.eligible(now) {
			continue
		}
		if load := p.load(now); best == none || load < least {
			best, least = i, load
		}
	}
	if best != none {
		v.choice.turn.Store(int32(best))
	}
	return best
}
