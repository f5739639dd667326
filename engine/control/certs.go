package control

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"pen/conf"
	"pen/engine"
	"pen/engine/certs"
)

// What TLS needs while pen runs: files that change are read again, the keys of session tickets change, the CAs are asked
// for OCSP responses. One goroutine, the keeper's, looks after it; a CA is asked in a goroutine of its own, which lives as
// long as the question. Nobody waits for any of them, and reactors find what has changed at the next handshake.
//
// Files are looked at every few seconds. To be told by the system instead would be sooner, but not of files behind links
// that are moved as certbot and Kubernetes do, nor of those of another machine, nor on all systems.

const (
	lookEvery   = 2 * time.Second
	lookShare   = 100 // a look at the files may take this part of the time: with very many of them there are fewer looks
	fetchTime   = 15 * time.Second
	fetchAtOnce = 4
	tellAtOnce  = 10 // events of one look that are told one by one
)

// keeper looks after the certificates. Its goroutine ends with stop.
type keeper struct {
	engine *engine.Engine
	say    func(news)
	client *http.Client
	wake   chan struct{} // holds one: other settings are in force
	stop   context.CancelFunc
	done   sync.WaitGroup // counts the goroutine and the questions

	// The rest belongs to the goroutine.
	fetches map[*certs.Certificate]*fetch
	running int
	results chan *fetch // has room for all that run
}

// news is something about TLS that an operator wants to know.
type news struct {
	service string
	text    string
	err     error // what went wrong; nil = nothing
	level   slog.Level
}

// fetch is the asking of a CA for one certificate.
type fetch struct {
	*certs.Certificate
	front    engine.Front
	due      time.Time
	running  bool
	failures int // in a row
	err      error
}

func newKeeper(e *engine.Engine, say func(news)) *keeper {
	return &keeper{
		engine: e, say: say, wake: make(chan struct{}, 1), stop: func() {},
		fetches: map[*certs.Certificate]*fetch{}, results: make(chan *fetch, fetchAtOnce),
		client: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// begin starts the goroutine.
func (k *keeper) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = func() {
		cancel()
		k.done.Wait()
	}
	k.done.Go(func() { k.run(ctx) })
}

// changed says that other settings are in force. It never waits.
func (k *keeper) changed() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run is the keeper's goroutine. Without TLS it sleeps until there is some.
func (k *keeper) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-k.results:
			k.fetched(f, time.Now())
			continue
		case <-k.wake:
		case <-timer.C:
		}
		began := time.Now()
		if !k.look(ctx, began) {
			timer.Stop()
			continue
		}
		timer.Reset(max(lookEvery, lookShare*time.Since(began)))
	}
}

// look looks at everything once, and says if there is anything to look at.
func (k *keeper) look(ctx context.Context, now time.Time) bool {
	fronts, ups := k.engine.Fronts(), k.engine.Upstreams()
	for _, f := range fronts {
		for _, text := range f.Notices() {
			k.say(news{service: f.Service, text: text, level: slog.LevelWarn})
		}
		k.report(f.Service, f.Poll())
		if f.Rotate(now) {
			k.say(news{service: f.Service, text: "session tickets have a new key", level: slog.LevelDebug})
		}
	}
	for u, service := range ups {
		k.report(service, u.Poll())
	}
	k.fetch(ctx, fronts, now)
	return len(fronts) > 0 || len(ups) > 0
}

// reload reads all files again. It is the control goroutine's.
func (k *keeper) reload() {
	for _, f := range k.engine.Fronts() {
		k.report(f.Service, f.Reload())
	}
	for u, service := range k.engine.Upstreams() {
		k.report(service, u.Reload())
	}
}

// report tells what became of files.
func (k *keeper) report(service string, events []certs.Event) {
	for i, e := range events {
		if i == tellAtOnce {
			k.say(news{service: service, text: fmt.Sprintf("%d other files have changed", len(events)-i)})
			return
		}
		k.say(news{service: service, text: e.String(), err: e.Err})
	}
}

// fetch asks the CAs that are due. Certificates that are not in use any more are forgotten.
func (k *keeper) fetch(ctx context.Context, fronts []engine.Front, now time.Time) {
	wanted := map[*certs.Certificate]bool{}
	for _, f := range fronts {
		for _, c := range f.Certificates() {
			if c.Expire(now) {
				k.say(news{service: f.Service, text: c.File() + ": its OCSP response is out of date and not stapled any more", level: slog.LevelWarn})
			}
			if f.Fetches() && c.Responder() != "" {
				wanted[c] = true
				if k.fetches[c] == nil {
					k.fetches[c] = &fetch{Certificate: c, front: f, due: now.Add(c.NextFetch(now, 0))}
				}
			}
		}
	}
	for c, f := range k.fetches {
		switch {
		case !wanted[c]:
			delete(k.fetches, c)
		case k.running < fetchAtOnce && !f.running && !now.Before(f.due):
			f.running = true
			k.running++
			k.done.Go(func() { k.ask(ctx, f) })
		}
	}
}

// ask asks a CA. The result always finds room.
func (k *keeper) ask(ctx context.Context, f *fetch) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	f.err = f.Fetch(ctx, k.client)
	k.results <- f
}

// fetched takes the result of a question.
func (k *keeper) fetched(f *fetch, now time.Time) {
	k.running--
	f.running = false
	f.front.Fetched(f.err)
	if f.err != nil {
		f.failures++
		k.say(news{service: f.front.Service, text: f.File() + ": no OCSP response from the CA", err: f.err})
	} else {
		f.failures = 0
		k.say(news{service: f.front.Service, text: f.File() + " has a new OCSP response", level: slog.LevelDebug})
	}
	f.due = now.Add(f.NextFetch(now, f.failures))
}

// tls tells news of TLS in the log and to those who read events. Any goroutine may call it.
func (c *Control) tls(n news) {
	text := n.text
	args := []any{"service", n.service}
	if n.err != nil {
		n.level = slog.LevelError
		text += ": " + n.err.Error()
		args = append(args, "err", n.err)
	}
	if n.level > slog.LevelDebug {
		c.events.add(Event{Time: time.Now(), Service: n.service, Text: text})
	}
	c.Log.Log(context.Background(), n.level, n.text, args...)
}

// Certificates returns the certificates of a service, those first that expire first.
func (r runtime) Certificates(service string) []conf.CertificateStatus {
	list := []conf.CertificateStatus{}
	for _, f := range r.Engine.Fronts() {
		if f.Service != service {
			continue
		}
		for _, c := range f.Soonest() {
			s := conf.CertificateStatus{File: c.File(), Names: c.Names(), Kind: c.Kind(), Issuer: c.Leaf().Issuer.String(),
				Expires: c.Leaf().NotAfter, Chain: c.Chain()}
			if o := c.Stapled(); o != nil {
				s.Stapled, s.Until = true, o.Until
			}
			list = append(list, s)
		}
	}
	return list
}
