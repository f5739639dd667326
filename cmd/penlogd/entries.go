package main

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// shortMatch is how many bytes of a request are compared when nothing longer is the same: a pen may have cut it.
const shortMatch = 99 // bytes; the C penlogd compares no more

// longMatch is how many bytes of a request surely are in a datagram of pen, addresses of IPv6 before it.
const longMatch = 900 // bytes

// entries remembers the last requests that pen has told of. Those to the same server with the same text are one request, of
// which only the last client matters; requests are kept in order, so that all that start with some text are neighbours and
// found by binary search. Adding an unknown request moves those behind it: 8 bytes each.
type entries struct {
	ring     []*request // the request of each entry, in order of arrival
	arrivals uint64     // entries ever added; the next goes to ring[arrivals % len(ring)]
	requests map[netip.Addr][]*request
}

// request is what one or several entries have in common.
type request struct {
	server netip.Addr
	text   string
	client string // of the newest entry
	newest uint64 // its number
}

// newEntries returns room for n entries, at least one.
func newEntries(n int) *entries {
	return &entries{ring: make([]*request, n), requests: map[netip.Addr][]*request{}}
}

// add remembers that client has sent text to server, and forgets the oldest entry if there is no room.
func (e *entries) add(client string, server netip.Addr, text []byte) {
	slot := e.arrivals % uint64(len(e.ring))
	if oldest := e.ring[slot]; oldest != nil && oldest.newest == e.arrivals-uint64(len(e.ring)) {
		e.remove(oldest)
	}
	r := e.request(server, text)
	r.client, r.newest = client, e.arrivals
	e.ring[slot] = r
	e.arrivals++
}

// find returns the client of the newest entry of server whose text starts with request.
func (e *entries) find(server netip.Addr, request []byte) (client string, ok bool) {
	text := string(request[:min(longMatch, len(request))])
	if client, ok = e.newest(server, text); !ok && len(text) > shortMatch {
		client, ok = e.newest(server, text[:shortMatch])
	}
	return client, ok
}

// newest returns the client of the newest entry of server whose text starts with prefix.
func (e *entries) newest(server netip.Addr, prefix string) (client string, ok bool) {
	list := e.requests[server]
	i, _ := search(list, prefix)
	var newest uint64
	for ; i < len(list) && strings.HasPrefix(list[i].text, prefix); i++ {
		if r := list[i]; !ok || r.newest > newest {
			client, newest, ok = r.client, r.newest, true
		}
	}
	return client, ok
}

// request returns the request of server with this text, a new one if there is none.
func (e *entries) request(server netip.Addr, text []byte) *request {
	list := e.requests[server]
	i, found := search(list, string(text))
	if found {
		return list[i]
	}
	r := &request{server: server, text: string(text)}
	e.requests[server] = slices.Insert(list, i, r)
	return r
}

// remove forgets a request.
func (e *entries) remove(r *request) {
	list := e.requests[r.server]
	i, _ := search(list, r.text)
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(e.requests, r.server)
		return
	}
	e.requests[r.server] = list
}

// search returns where text is in list, or belongs.
func search(list []*request, text string) (int, bool) {
	return slices.BinarySearchFunc(list, text, func(r *request, text string) int { return cmp.Compare(r.text, text) })
}
