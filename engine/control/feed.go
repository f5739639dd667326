package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"pen/conf"
	"pen/engine"
)

const (
	feedEvery   = time.Second
	feedReaders = 16 // pages that are open at a time
	feedEvents  = 50 // that are kept
	feedHistory = 60 // samples of a server's rate
	feedClients = 25 // clients that are shown, the latest ones
	feedConns   = 25 // connections that are shown
	feedWrite   = 5 * time.Second
)

// feed samples the engine every second while web listens, and tells the open pages. It has one goroutine, however many
// pages there are; one that does not keep up misses samples.
type feed struct {
	web   *web
	ended chan struct{} // closed when pen ends

	mu       sync.Mutex
	starts   int // of serveOn that have not stopped; while there are any, the ticker runs
	cease    chan struct{}
	readers  map[chan []byte]struct{}
	happened []happening          // oldest first
	noticed  uint64               // events of the control plane that are among them, or were
	reasons  map[serverKey]string // why servers are down
	servers  map[serverKey]*seen
	services map[string]uint64 // accepted until the last sample
	at       time.Time         // of the last sample
}

// happening is something that people want to know when they ask what went wrong.
type happening struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

type serverKey struct {
	service string
	index   int
	address string
}

// seen is what the last samples say of a server.
type seen struct {
	last    engine.ServerSnapshot
	state   string
	why     string
	history []float64 // connections a second, oldest first
	fresh   bool      // it was in the last sample
}

func newFeed(w *web) *feed {
	return &feed{
		web: w, ended: make(chan struct{}),
		readers: map[chan []byte]struct{}{}, servers: map[serverKey]*seen{}, services: map[string]uint64{},
	}
}

// tell notes something that happened, for the pages.
func (f *feed) tell(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(text)
}

func (f *feed) note(text string) { f.keep(happening{time.Now(), text}) }

func (f *feed) keep(h happening) {
	f.happened = append(f.happened, h)
	if over := len(f.happened) - feedEvents; over > 0 {
		f.happened = slices.Delete(f.happened, 0, over)
	}
}

// notice takes over what has become of servers since the last sample.
func (f *feed) notice() {
	list, n := f.web.control.RecentSince(f.noticed)
	f.noticed = n
	for _, e := range list {
		if e.Text != "" {
			f.keep(happening{e.Time, e.Service + ": " + e.Text})
			continue
		}
		text := fmt.Sprintf("%s: server %d, %s, is %s", e.Service, e.Server, e.Address, e.To)
		if e.From != "" {
			text += " (was " + e.From + ")"
		}
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		f.keep(happening{e.Time, text})
	}
}

// start has the samples begin, if nobody has before.
func (f *feed) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.starts++; f.starts == 1 {
		f.cease = make(chan struct{})
		go f.run(f.cease)
	}
}

// stop takes one start back.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.starts--; f.starts == 0 {
		close(f.cease)
	}
}

// end lets the pages go.
func (f *feed) end() { close(f.ended) }

func (f *feed) run(cease <-chan struct{}) {
	ticker := time.NewTicker(feedEvery)
	defer ticker.Stop()
	for {
		f.sample()
		select {
		case <-ticker.C:
		case <-cease:
			return
		}
	}
}

// sample looks at the engine and tells the pages.
func (f *feed) sample() {
	e := f.web.control.engine
	s, reports := e.Snapshot(), f.web.control.Probes()
	var clients []engine.Client
	var open []engine.Connection
	if f.watched() {
		clients, open = e.LatestClients(feedClients), e.SomeConnections(feedConns)
		open = open[:min(len(open), feedConns)]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notice()
	f.reasons = map[serverKey]string{}
	for _, r := range reports {
		f.reasons[serverKey{r.Service, r.Server, r.Address}] = r.Reason
	}
	view := f.compare(s, time.Now())
	if len(f.readers) == 0 {
		return
	}
	view.Admin, view.Clients, view.Open = f.web.token.Load() != nil, clients, open
	message, err := json.Marshal(view)
	if err != nil {
		return // it can't be: the view is made of plain values
	}
	for r := range f.readers {
		select {
		case <-r: // it has not taken the last one
		default:
		}
		r <- message // there is room: this goroutine alone sends
	}
}

// watched reports whether any page is open.
func (f *feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers) > 0
}

// join makes a reader known, unless there are too many.
func (f *feed) join() (chan []byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readers) == feedReaders {
		return nil, fmt.Errorf("%d pages are open already", feedReaders)
	}
	r := make(chan []byte, 1)
	f.readers[r] = struct{}{}
	return r, nil
}

func (f *feed) leave(r chan []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
}

// events sends a page what it shows, as server-sent events, until it goes.
func (w *web) events(rw http.ResponseWriter, r *http.Request) {
	samples, err := w.feed.join()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer w.feed.leave(samples)
	rw.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(rw)
	err = out.SetReadDeadline(time.Time{}) // of the request, which lasts as long as the page
	for err == nil {
		var message []byte
		select {
		case message = <-samples:
		case <-r.Context().Done():
			return
		case <-w.feed.ended:
			return
		}
		err = errors.Join(out.SetWriteDeadline(time.Now().Add(feedWrite)), send(rw, message), out.Flush())
	}
}

func send(rw http.ResponseWriter, message []byte) error {
	_, err := fmt.Fprintf(rw, "data: %s\n\n", message)
	return err
}

// view is what a page shows.
type view struct {
	Time           time.Time           `json:"time"`
	Admin          bool                `json:"admin"` // status_admin is set
	Connections    int                 `json:"connections"`
	ConnectionsMax int                 `json:"connections_max"`
	ClientsKnown   int                 `json:"clients_known"`
	Services       []serviceView       `json:"services"`
	Clients        []engine.Client     `json:"clients"`
	Open           []engine.Connection `json:"open"`
	Happened       []happening         `json:"happened"`
}

type serviceView struct {
	Name     string       `json:"name"`
	Listen   string       `json:"listen"`
	Accepted uint64       `json:"accepted"`
	Rate     float64      `json:"rate"` // connections a second
	Unserved uint64       `json:"unserved"`
	Denied   uint64       `json:"denied"`
	Servers  []serverView `json:"servers"`
}

type serverView struct {
	Index    int       `json:"index"`
	Address  string    `json:"address"`
	State    string    `json:"state"`
	Why      string    `json:"why"`
	Active   int       `json:"active"`
	Max      int       `json:"max"`
	Connects uint64    `json:"connects"`
	Failed   uint64    `json:"failed"`
	In       float64   `json:"in"`  // bytes a second from the server
	Out      float64   `json:"out"` // bytes a second to the server
	History  []float64 `json:"history"`
}

// compare makes the view of a snapshot, and notes what has changed since the one before.
func (f *feed) compare(s *engine.Snapshot, now time.Time) *view {
	elapsed := now.Sub(f.at).Seconds()
	f.at = now
	v := &view{
		Time: now, Connections: s.Connections, ConnectionsMax: s.ConnectionsMax, ClientsKnown: s.Clients,
		Happened: slices.Clone(f.happened),
	}
	for i := range s.Services {
		v.Services = append(v.Services, f.service(&s.Services[i], elapsed))
	}
	for key, was := range f.servers {
		if !was.fresh {
			delete(f.servers, key)
		}
		was.fresh = false
	}
	return v
}

func (f *feed) service(s *engine.ServiceSnapshot, elapsed float64) serviceView {
	v := serviceView{Name: s.Name, Listen: s.Listen, Accepted: s.Accepted, Unserved: s.Unserved, Denied: s.Denied, Servers: []serverView{}}
	if was, known := f.services[s.Name]; known {
		v.Rate = float64(s.Accepted-was) / elapsed
	}
	f.services[s.Name] = s.Accepted
	for i := range s.Servers {
		v.Servers = append(v.Servers, f.server(s.Name, &s.Servers[i], elapsed))
	}
	return v
}

func (f *feed) server(service string, s *engine.ServerSnapshot, elapsed float64) serverView {
	key := serverKey{service, s.Index, s.Address}
	was := f.servers[key]
	if was == nil {
		was = &seen{last: *s, state: "up"}
		f.servers[key] = was
	}
	state, why := standing(s, was, f.reasons[key])
	if state != was.state && (state == blacklisted || was.state == blacklisted) { // the others are events of the control plane
		text := fmt.Sprintf("%s: server %d, %s, is %s (was %s)", service, s.Index, s.Address, state, was.state)
		if why != "" {
			text += ": " + why
		}
		f.note(text)
	}
	rate := float64(s.Connects-was.last.Connects) / elapsed
	v := serverView{
		Index: s.Index, Address: s.Address, State: state, Why: why, Active: s.Active, Max: s.Max, Connects: s.Connects,
		In: float64(s.Received-was.last.Received) / elapsed, Out: float64(s.Sent-was.last.Sent) / elapsed,
	}
	for _, n := range s.Failed {
		v.Failed += n
	}
	was.history = append(was.history, rate)
	was.history = was.history[max(0, len(was.history)-feedHistory):]
	v.History = slices.Clone(was.history)
	was.last, was.state, was.why, was.fresh = *s, state, why, true
	return v
}

const blacklisted = "blacklisted"

// standing says in a word how a server is, and why. reason is why its probes find it down.
func standing(s *engine.ServerSnapshot, was *seen, reason string) (state, why string) {
	switch {
	case s.Admin != conf.Ready:
		return s.Admin.String(), "by command"
	case s.Health == engine.Down:
		return "down", reason
	case s.Blacklisted:
		return blacklisted, failure(s, was)
	case s.Drained:
		return "drain", "its agent says so"
	case s.Health == engine.Probing:
		return "probing", ""
	}
	return "up", ""
}

// failure says which kind of failure has led to a blacklisting.
func failure(s *engine.ServerSnapshot, was *seen) string {
	for i, n := range s.Failed {
		if n > was.last.Failed[i] {
			return "connect failed: " + engine.Failure(i).String()
		}
	}
	if was.state == blacklisted {
		return was.why
	}
	return ""
}
