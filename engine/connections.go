package engine

import (
	"math/bits"
	"sync"
)

// connections is pen's connection table: it hands out the numbers by which penctl speaks of connections, and by their
// count it is the limit -x over all reactors. A reactor takes a number before it accepts and gives it back when both
// sockets are closed. Its lock is held for a few instructions.
type connections struct {
	mu      sync.Mutex
	used    []uint64 // a bit for each number
	max     int      // numbers are 0..max-1
	open    int
	last    int        // pen looks for a free number starting at the one used last
	before  int        // what last was before it was handed out
	waiting []*reactor // found the table full and have stopped accepting
}

func newConnections(max int) *connections {
	c := &connections{}
	c.resize(max)
	return c
}

// resize makes the table larger; pen's tables only grow. It returns the reactors that may go on.
func (c *connections) resize(max int) []*reactor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if max > c.max {
		c.max = max
		c.used = append(c.used, make([]uint64, (max+63)/64-len(c.used))...)
	}
	return c.wake()
}

// take returns a free number, or false if there is none: r, unless it is nil, is then told when there is one again.
func (c *connections) take(r *reactor) (int32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.max {
		if r != nil {
			c.waiting = append(c.waiting, r)
		}
		return 0, false
	}
	n := c.free(c.last, c.max)
	if n < 0 {
		n = c.free(0, c.last)
	}
	c.used[n/64] |= 1 << (n % 64)
	c.open++
	c.before, c.last = c.last, n
	return int32(n), true
}

// cancel returns a number for which there was no connection after all, and the reactors that have been waiting for one.
func (c *connections) cancel(n int32) []*reactor {
	c.mu.Lock()
	if c.last == int(n) {
		c.last = c.before
	}
	c.mu.Unlock()
	return c.give(n)
}

// give returns a number, and the reactors that have been waiting for one.
func (c *connections) give(n int32) []*reactor {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[n/64] &^= 1 << (n % 64)
	c.open--
	return c.wake()
}

func (c *connections) wake() []*reactor {
	if len(c.waiting) == 0 || c.open >= c.max {
		return nil
	}
	w := c.waiting
	c.waiting = nil
	return w
}

// count returns how many connections are open and how many may be.
func (c *connections) count() (open, max int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.max
}

// free finds the lowest unused number in [from, to), -1 if there is none.
func (c *connections) free(from, to int) int {
	for n := from; n < to; n = n&^63 + 64 {
		if open := ^c.used[n/64] >> (n % 64); open != 0 {
			if n += bits.TrailingZeros64(open); n < to {
				return n
			}
			return -1
		}
	}
	return -1
}
