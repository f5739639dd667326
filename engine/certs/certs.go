// Package certs turns what an operator says about TLS into configurations of crypto/tls: a [Front] for a service that
// speaks TLS to clients, an [Upstream] for a server to which it is spoken.
//
// It does not speak TLS itself, and it starts no goroutine: the engine does the one, the control plane the other, who has
// a Front look at its files, change its keys of tickets and fetch OCSP responses.
//
// Reactors take a *tls.Config, which never changes, from an atomic pointer, and what crypto/tls calls back in it is
// answered from memory, without locks and without waiting. Everything else is done under the lock of the Front by whoever
// calls it, and may read files.
package certs

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pen/conf"
)

// Options are what the data plane wants of the handshakes with clients.
type Options struct {
	// Chosen is called with the certificate that was chosen for a handshake, and returns the one to use: the same, or one
	// whose key signs elsewhere. It is called where the handshake runs and must not block. nil = the same.
	Chosen func(*tls.ClientHelloInfo, *tls.Certificate) *tls.Certificate
}

// Front is what a service needs to speak TLS to clients.
type Front struct {
	options  Options
	settings conf.TLS
	state    atomic.Pointer[state] // immutable; written under mu

	counts  *Counts
	mu      sync.Mutex
	tickets tickets
	seen    uint64   // what the files looked like when they were looked at last
	tried   uint64   // what they looked like when they were last read
	notices []string // since they were last asked for
}

// state is what a Front has made of its files at one time. It never changes, but for the responses that are stapled to
// its certificates.
type state struct {
	config  *tls.Config
	certs   []*Certificate // those of ssl_cert, then those of ssl_sni_path
	names   names
	clients *clients // nil = none are asked for certificates
	keys    sharedKeys
	broken  map[string]string // what files of certificates that can't be used look like, by name
}

// Event is what became of a file that has changed, or of one that was to be read again.
type Event struct {
	What   string // the file or the directory
	Became string // what has become of it
	Err    error  // why it can't be used; nil = it can
}

// What becomes of files.
const (
	found = "is new"
	anew  = "has been read anew"
	gone  = "is gone"
	stays = "stays as it was"
	lost  = "is left out" // there is nothing older to use in its place
)

// String says what became of the file, but not why.
func (e Event) String() string { return e.What + " " + e.Became }

// NewFront reads the files of t, which is on. Of those that pen, having become another user, may not read any more, it
// takes over what another Front has made of them, as it does with the keys of tickets; was may be nil.
func NewFront(t *conf.TLS, was *Front, o Options) (*Front, error) {
	f := &Front{options: o, settings: *t, counts: &Counts{}}
	var old *state
	if was != nil {
		old, f.counts = was.state.Load(), was.counts
		was.mu.Lock()
		f.tickets = was.tickets.clone()
		was.mu.Unlock()
	}
	look := f.look()
	s, events, err := f.read(&reading{old: old, keep: func(err error) bool {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	}})
	if err != nil {
		return nil, err
	}
	f.seen, f.tried = look, look
	for _, e := range events {
		if e.Err != nil {
			f.notices = append(f.notices, e.String()+": "+e.Err.Error())
		}
	}
	f.adopt(s, time.Now())
	return f, nil
}

// Fits reports whether the Front is what settings ask for.
func (f *Front) Fits(t *conf.TLS) bool { return reflect.DeepEqual(&f.settings, t) }

// Config returns the configuration of the server's side. It never changes; the next handshake may get another one. Any
// goroutine may call it.
func (f *Front) Config() *tls.Config { return f.state.Load().config }

// adopt makes s the state. The caller holds the lock, or is alone.
func (f *Front) adopt(s *state, now time.Time) {
	f.tickets.use(s.keys, now)
	f.notices = append(f.notices, s.notices()...)
	s.config = f.configure(s, s.clients)
	if s.clients != nil {
		for _, c := range s.certs {
			if c.authority != nil {
				own := *c.authority
				own.revoked = s.clients.revoked
				s.names.configs[c] = f.configure(s, &own)
			}
		}
	}
	if len(s.names.configs) > 0 {
		s.config.GetConfigForClient = s.names.configFor
	}
	f.state.Store(s)
}

// configure makes the configuration that asks clients for certificates of these CAs.
func (f *Front) configure(s *state, of *clients) *tls.Config {
	t := &f.settings
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: slices.Clone(t.ALPN),
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert := s.names.choose(hello)
			if cert != nil && f.options.Chosen != nil {
				cert = f.options.Chosen(hello, cert)
			}
			return cert, nil
		},
		SessionTicketsDisabled: t.Tickets.Off,
	}
	if t.Version.Only13 || t.Version.No12 {
		c.MinVersion = tls.VersionTLS13
	}
	if t.Version.No13 {
		c.MaxVersion = tls.VersionTLS12
	}
	if t.Ciphers != "" {
		c.CipherSuites, _ = conf.ParseCiphers(t.Ciphers) // they were checked when they were set
	}
	if of != nil {
		c.ClientAuth, c.ClientCAs, c.VerifyConnection = tls.RequireAndVerifyClientCert, of.pool, of.verify
		if t.Client.Verify == conf.VerifyOptional {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	f.tickets.give(c)
	return c
}

// Notices returns what an operator should know about the files, once.
func (f *Front) Notices() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.notices
	f.notices = nil
	return n
}

// Reload reads the files that have changed, and those that could not be used before. What can't be used stays as it was.
func (f *Front) Reload() []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried = f.look()
	f.seen = f.tried
	return f.reload(true)
}

// Poll reads the files that have changed since they were last read, if they look now as they did at the last Poll: who
// writes a certificate and then its key is given time for both. What can't be used stays as it was.
func (f *Front) Poll() []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	look := f.look()
	settled := look == f.seen
	f.seen = look
	if !settled || look == f.tried {
		return nil
	}
	f.tried = look
	return f.reload(false)
}

func (f *Front) reload(again bool) []Event {
	s, events, err := f.read(&reading{old: f.state.Load(), again: again, keep: func(error) bool { return true }})
	if err != nil { // nothing that there was can be lacking, but the whole may make no sense
		f.counts.read(err)
		return []Event{{"TLS", stays, err}}
	}
	f.adopt(s, time.Now())
	for _, e := range events {
		f.counts.read(e.Err)
	}
	return events
}

// Rotate changes the keys of session tickets if it is time.
func (f *Front) Rotate(now time.Time) (rotated bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state.Load()
	if !f.tickets.rotate(now) {
		return false
	}
	f.counts.Rotations.Add(1)
	f.tickets.give(s.config)
	for _, c := range s.names.configs {
		f.tickets.give(c)
	}
	return true
}

// Counts are what has been done for a Front, and for those of the same service before it. Anybody may read them.
type Counts struct {
	Read, Unread       atomic.Uint64 // files that have changed and were read, or could not be used
	Fetched, Unfetched atomic.Uint64 // questions to CAs that were answered, or not
	Rotations          atomic.Uint64 // new keys for session tickets
}

func (c *Counts) read(err error) { count(err, &c.Read, &c.Unread) }

func count(err error, good, bad *atomic.Uint64) {
	if err != nil {
		good = bad
	}
	good.Add(1)
}

// Counts returns the counts, which go on.
func (f *Front) Counts() *Counts { return f.counts }

// Fetched counts a question to a CA.
func (f *Front) Fetched(err error) { count(err, &f.counts.Fetched, &f.counts.Unfetched) }

// Fetches reports whether the CAs are to be asked for OCSP responses.
func (f *Front) Fetches() bool { return f.settings.OCSP.Fetch }

// Soonest returns the certificates in use, those first that expire first.
func (f *Front) Soonest() []*Certificate {
	list := f.Certificates()
	slices.SortStableFunc(list, func(a, b *Certificate) int { return a.leaf().NotAfter.Compare(b.leaf().NotAfter) })
	return list
}

// Certificates returns the certificates in use.
func (f *Front) Certificates() []*Certificate { return slices.Clone(f.state.Load().certs) }
