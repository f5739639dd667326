package main

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"pen/engine/logline"
)

// window is the part of pen's log around the line of a web server's log that is being looked at: the entries that may
// belong to it, by server and request. It moves on with the time of those lines.
//
// An entry stays for twice the jitter, not once, as web servers write a line when a request is over but with the time of
// its start: lines are out of order by as much as requests take. One that is older than the newest line seen by no more than
// the jitter still finds all of its entries.
type window struct {
	log       *reader
	whole     bool  // search all of the log, whatever the jitter
	jitter    int64 // seconds; a greater distance is no match
	timezone  int64 // seconds to subtract from the times in the log
	pending   entry // read, but too far ahead
	more      bool  // the log may have more than pending
	now       int64 // the latest time asked for
	requests  map[string]*request
	arrivals  []arrival // the entries in the window, in the order of the log
	key       []byte    // scratch
	malformed int       // lines of the log that are none
}

// entry is one line of pen's log.
type entry struct {
	time   int64 // seconds since 1970, UTC
	client string
	key    string
}

// request is all entries in the window with the same server and text, by time, and as in the log when that is the same.
type request struct{ entries []entry }

type arrival struct {
	time    int64
	request *request
	key     string
}

func newWindow(log *reader, jitter, timezone int64) *window {
	return &window{log: log, jitter: jitter, timezone: timezone, more: true, now: math.MinInt64, requests: map[string]*request{}}
}

// find returns the client of the entry of server with this request that is nearest to time, the earlier one if two are;
// ok is false if none is as near as the jitter.
func (w *window) find(server string, request []byte, time int64) (client string, ok bool, err error) {
	if err := w.advance(time); err != nil {
		return "", false, err
	}
	w.key = appendKey(w.key[:0], server, request)
	r := w.requests[string(w.key)]
	if r == nil {
		return "", false, nil
	}
	e := r.nearest(time)
	if !w.whole && max(e.time-time, time-e.time) > w.jitter {
		return "", false, nil
	}
	return e.client, true, nil
}

// advance reads the entries up to the jitter behind time, and forgets those that are too old.
func (w *window) advance(time int64) error {
	if time <= w.now {
		return nil
	}
	w.now = time
	for w.more && (w.whole || w.pending.key == "" || w.pending.time <= time+w.jitter) {
		if w.pending.key != "" {
			w.insert(w.pending)
			w.pending.key = ""
		}
		if err := w.read(); err != nil {
			return err
		}
	}
	if !w.whole {
		w.forget(time - 2*w.jitter)
	}
	return nil
}

// read makes the next entry of the log pending; without one there is no more.
func (w *window) read() error {
	for {
		line, err := w.log.next()
		if err != nil {
			return err
		}
		if line == nil {
			w.more = false
			return nil
		}
		l, err := logline.ParseFile(line)
		if err != nil {
			w.malformed++
			continue
		}
		w.key = appendKey(w.key[:0], canonical(string(l.Server)), l.Text)
		w.pending = entry{l.Epoch - w.timezone, cmp.Or(string(l.Client), "-"), w.intern(w.key)}
		return nil
	}
}

// intern returns key as a string, the one which the window has already if it has one.
func (w *window) intern(key []byte) string {
	if r := w.requests[string(key)]; r != nil {
		return r.entries[0].key
	}
	return string(key)
}

// insert puts an entry where its time belongs, which is at the end unless the log is out of order.
func (w *window) insert(e entry) {
	r := w.requests[e.key]
	if r == nil {
		r = &request{}
		w.requests[e.key] = r
	}
	i := len(r.entries)
	for i > 0 && r.entries[i-1].time > e.time {
		i--
	}
	r.entries = slices.Insert(r.entries, i, e)
	if !w.whole {
		w.arrivals = append(w.arrivals, arrival{e.time, r, e.key})
	}
}

// forget drops the entries from before limit. In a log that is out of order some stay a little longer.
func (w *window) forget(limit int64) {
	n := 0
	for ; n < len(w.arrivals) && w.arrivals[n].time < limit; n++ {
		a := w.arrivals[n]
		old := 0
		for old < len(a.request.entries) && a.request.entries[old].time < limit {
			old++
		}
		a.request.entries = a.request.entries[old:]
		if len(a.request.entries) == 0 && w.requests[a.key] == a.request {
			delete(w.requests, a.key)
		}
	}
	w.arrivals = w.arrivals[n:]
}

// nearest returns the entry nearest to time; of several the first.
func (r *request) nearest(time int64) entry {
	first := func(t int64) int {
		i, _ := slices.BinarySearchFunc(r.entries, t, func(e entry, t int64) int { return cmp.Compare(e.time, t) })
		return i
	}
	after := first(time)
	if after == 0 {
		return r.entries[0]
	}
	before := r.entries[first(r.entries[after-1].time)]
	if after < len(r.entries) && r.entries[after].time-time < time-before.time {
		return r.entries[after]
	}
	return before
}

// appendKey appends what pen's log has of a request to server: its text cut and cleaned as in that log.
func appendKey(dst []byte, server string, text []byte) []byte {
	dst = append(dst, server...)
	dst = append(dst, '\n')
	return logline.AppendText(dst, text)
}

// canonical returns the usual form of an address, so that ::1 and 0:0::1 are the same; anything else is as it was given.
func canonical(server string) string {
	addr, err := netip.ParseAddr(server)
	if err != nil {
		return server
	}
	return addr.Unmap().String()
}

// String describes the window for the debug output.
func (w *window) String() string {
	return fmt.Sprintf("%d requests of pen in memory, %d malformed lines in %s", len(w.requests), w.malformed, w.log.path)
}
