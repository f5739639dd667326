package engine

// side is an end of a session. A direction is named by the side that it leads to.
type side uint8

const (
	down side = iota // the client's
	up               // the server's
)

func (x side) other() side { return 1 - x }

// sides is a set of sides, or of the directions that lead to them.
type sides uint8

func (set sides) has(x side) bool { return set&(1<<x) != 0 }
func (set *sides) add(x side)     { *set |= 1 << x }
func (set *sides) remove(x side)  { *set &^= 1 << x }

const bothSides = sides(1<<down | 1<<up)
