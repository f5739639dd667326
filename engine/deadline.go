package engine

import "time"

// deadlines holds, for every duration in use, a list of the sessions that wait that long. All sessions of a list wait
// equally long, so it is sorted by its nature: setting and lifting a deadline are O(1), and only heads are looked at.
// A changed setting makes another list; sessions that wait by the old one stay where they are.
//
// It belongs to one reactor. Times are nanoseconds of the reactor's clock.
type deadlines struct {
	lists []*deadlineList // a handful: one for each distinct duration that is or was configured
}

type deadlineList struct {
	wait        int64
	first, last *session
}

// set gives s a deadline that is d from now; an earlier one is forgotten.
func (t *deadlines) set(s *session, now int64, d time.Duration) {
	t.lift(s)
	l := t.list(int64(d))
	s.deadline.at, s.deadline.list, s.deadline.prev = now+l.wait, l, l.last
	if l.last == nil {
		l.first = s
	} else {
		l.last.deadline.next = s
	}
	l.last = s
}

// lift removes the deadline of s, if it has one.
func (t *deadlines) lift(s *session) {
	d := &s.deadline
	if d.list == nil {
		return
	}
	if d.prev == nil {
		d.list.first = d.next
	} else {
		d.prev.deadline.next = d.next
	}
	if d.next == nil {
		d.list.last = d.prev
	} else {
		d.next.deadline.prev = d.prev
	}
	*d = deadline{}
}

// expired takes out and returns one session whose deadline has passed, nil if there is none.
func (t *deadlines) expired(now int64) *session {
	for _, l := range t.lists {
		if s := l.first; s != nil && s.deadline.at <= now {
			t.lift(s)
			return s
		}
	}
	return nil
}

// next is the time until the first deadline, -1 if there is none.
func (t *deadlines) next(now int64) time.Duration {
	wait := int64(-1)
	for _, l := range t.lists {
		if s := l.first; s != nil && (wait < 0 || s.deadline.at-now < wait) {
			wait = max(s.deadline.at-now, 0)
		}
	}
	return time.Duration(wait)
}

// list finds the list of a duration. An empty one is given the new duration before another is made, so that their
// number stays that of the durations in use.
func (t *deadlines) list(wait int64) *deadlineList {
	var empty *deadlineList
	for _, l := range t.lists {
		if l.wait == wait {
			return l
		}
		if l.first == nil {
			empty = l
		}
	}
	if empty == nil {
		empty = &deadlineList{}
		t.lists = append(t.lists, empty)
	}
	empty.wait = wait
	return empty
}

// deadline is a session's place in a list.
type deadline struct {
	at         int64
	list       *deadlineList // nil = none
	prev, next *session
}

// waited is how long ago the deadline was set, in nanoseconds.
func (d *deadline) waited(now int64) int64 { return now - (d.at - d.list.wait) }
