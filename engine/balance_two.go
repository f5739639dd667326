package engine

import "math/rand/v2"

// The power of two choices: of two servers drawn at random the one with the lower load gets the client. That is nearly
// as even as to look at all of them, and as cheap with thousands as with two.

// draws is how often a place is drawn that turns out not to be eligible, before the next one that is gets taken.
const draws = 4

// byTwo draws two places.
func (v *service) byTwo(now int64) int {
	a := v.draw(now)
	if a == none {
		return none
	}
	b := v.draw(now)
	if b == a {
		b = v.after(a, now)
	}
	if v.places[b].load(now) < v.places[a].load(now) {
		return b
	}
	return a
}

// draw returns an eligible place at random, none if there is none.
func (v *service) draw(now int64) int {
	for range draws {
		if i := rand.IntN(len(v.places)); v.places[i].eligible(now) {
			return i
		}
	}
	return v.after(rand.IntN(len(v.places)), now)
}
