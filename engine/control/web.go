package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pen/conf"
)

// The bounds of the HTTP server. Who is slow loses the connection, not anybody else.
const (
	webClients    = 64               // connections at a time; the oldest one without a request makes room for another
	webHead       = 5 * time.Second  // for the head of a request to arrive
	webRequest    = 10 * time.Second // for all of it
	webReply      = 30 * time.Second // for the reply to be taken
	webIdle       = 2 * time.Minute  // between two requests; Prometheus comes every minute or more often
	webHeadBytes  = 16 << 10
	webBodyBytes  = 4 << 10
	commandTime   = 10 * time.Second // for the control goroutine to carry a command out
	shutdownLimit = time.Second      // for replies that are under way when pen ends
)

// web serves metrics, the questions of supervisors and the status page over HTTP. Its goroutines never touch what the
// control goroutine owns: they ask the engine as any query does, the prober for its reports, and the control goroutine
// by a command line.
type web struct {
	seat
	control *Control // only what any goroutine may call
	server  *http.Server
	feed    *feed
	crowd   crowd
	ready   atomic.Bool // clients are served, and no end is in sight
	loaded  loaded

	tokenFile string                 // the control goroutine's
	token     atomic.Pointer[string] // lets a request change something; nil = none does
}

// loaded is how the configuration file fared when it was read last.
type loaded struct {
	failed atomic.Bool
	at     atomic.Int64 // Unix time of the last success
}

// newWeb returns a server that does not listen yet.
func newWeb(c *Control) *web {
	w := &web{control: c}
	w.feed = newFeed(w)
	w.crowd.conns = map[net.Conn]http.ConnState{}
	w.loaded.at.Store(time.Now().Unix())
	w.server = &http.Server{
		Handler:           w.handler(newMetricsHandler(w, c.Version)),
		ReadHeaderTimeout: webHead, ReadTimeout: webRequest, WriteTimeout: webReply, IdleTimeout: webIdle,
		MaxHeaderBytes: webHeadBytes, ConnState: w.crowd.note,
		ErrorLog: log.New(io.Discard, "", 0), // what is wrong with clients is not our news
	}
	w.seat = seat{name: "metrics", owner: c.Owner, passed: c.Sockets, serve: w.serveOn}
	return w
}

// handler is what there is to ask for.
func (w *web) handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", w.healthy)
	mux.HandleFunc("GET /readyz", w.isReady)
	mux.HandleFunc("GET /{$}", asset("page.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /page.css", asset("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /page.js", asset("page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /events", w.events)
	mux.HandleFunc("POST /command", w.command)
	return guarded(mux)
}

// guarded sets what keeps a browser from doing more with a reply than it is for.
func guarded(h http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		head := rw.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(rw, r.Body, webBodyBytes)
		h.ServeHTTP(rw, r)
	})
}

// healthy says whether the reactors work.
func (w *web) healthy(rw http.ResponseWriter, _ *http.Request) {
	if w.ready.Load() && !w.control.engine.Answering() {
		http.Error(rw, "a reactor does not answer", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(rw, "ok\n")
}

// isReady says whether clients are served and will go on to be.
func (w *web) isReady(rw http.ResponseWriter, _ *http.Request) {
	if !w.ready.Load() {
		http.Error(rw, "pen is starting or ending", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(rw, "ready\n")
}

// begin serves. The engine runs.
func (w *web) begin() {
	w.ready.Store(true)
	w.seat.begin()
}

// serveOn serves until ln is closed.
func (w *web) serveOn(ln net.Listener) {
	w.feed.start()
	w.server.Serve(&limited{ln, &w.crowd}) // it ends with the listener, which is all that its error says
	w.feed.stop()
}

// close ends the server. Replies that are under way get a moment.
func (w *web) close() {
	w.ready.Store(false)
	w.seat.close()
	w.feed.end()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if w.server.Shutdown(ctx) != nil {
		w.server.Close()
	}
}

// reloaded notes how the configuration file fared.
func (w *web) reloaded(err error) {
	w.loaded.failed.Store(err != nil)
	if err != nil {
		w.feed.tell("the configuration file has errors; nothing has been changed")
		return
	}
	w.loaded.at.Store(time.Now().Unix())
	w.feed.tell("the configuration file has been read")
}

// webChange is a change of where web listens and of who may do something there, until it is used or dropped.
type webChange struct {
	web       *web
	place     place
	listener  net.Listener
	tokenFile string
	token     *string
}

// prepare opens and reads what s needs and what is not there yet. After an error nothing has changed.
func (w *web) prepare(s *conf.Settings) (*webChange, error) {
	to, err := webPlace(s)
	if err != nil {
		return nil, err
	}
	c := &webChange{web: w, place: to, tokenFile: s.Control.StatusAdmin, token: w.token.Load()}
	if c.tokenFile != w.tokenFile {
		if c.token, err = readToken(c.tokenFile); err != nil {
			return nil, err
		}
	}
	if c.listener, err = w.open(to); err != nil {
		return nil, errors.Join(err, w.stay(to, nil))
	}
	return c, nil
}

// webPlace returns where s wants web to listen: a port without an address means this machine only.
func webPlace(s *conf.Settings) (place, error) {
	return parsePlace("metrics", s.Control.Metrics, "127.0.0.1")
}

func (c *webChange) use() {
	c.web.move(c.place, c.listener)
	c.web.token.Store(c.token)
	c.web.tokenFile = c.tokenFile
}

// drop takes prepare back. An error means that web does not listen any more. A nil change is none.
func (c *webChange) drop() error {
	if c == nil {
		return nil
	}
	return c.web.stay(c.place, c.listener)
}

// crowd are the connections of the server.
type crowd struct {
	mu    sync.Mutex
	conns map[net.Conn]http.ConnState
	order []net.Conn // oldest first
}

// note is called by the server when the state of a connection changes.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.conns[conn]; !known {
		c.order = append(c.order, conn)
	}
	c.conns[conn] = state
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.conns, conn)
		c.order = slices.DeleteFunc(c.order, func(o net.Conn) bool { return o == conn })
	}
}

// room reports whether there is room for one more connection, for which the oldest one that waits for a request may
// have to go.
func (c *crowd) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.order) < webClients {
		return true
	}
	for _, conn := range c.order {
		if s := c.conns[conn]; s == http.StateIdle || s == http.StateNew {
			conn.Close()
			return true
		}
	}
	return false
}

// limited is a listener that turns connections away when there are too many.
type limited struct {
	net.Listener
	crowd *crowd
}

// Accept is part of net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.crowd.room() {
			return conn, err
		}
		conn.Close()
	}
}

// ask has the control goroutine execute a command line and returns its reply.
func (w *web) ask(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	reply := make(chan []byte, 1)
	select {
	case w.control.penctl.calls <- call{line, reply}:
	case <-ctx.Done():
		return "", fmt.Errorf("pen is busy: %w", ctx.Err())
	}
	select {
	case text := <-reply:
		return string(text), nil
	case <-ctx.Done():
		return "", fmt.Errorf("pen is busy: %w", ctx.Err())
	}
}
