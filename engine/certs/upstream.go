package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"pen/conf"
)

// Upstream is what pen needs to speak TLS to a server.
type Upstream struct {
	settings conf.ServerTLS
	host     string
	config   atomic.Pointer[tls.Config]

	mu          sync.Mutex
	stamp       string // what the file with the CAs looked like when it was read
	seen, tried string
}

const upstreamSessions = 16 // that are kept for one server, to be resumed

// NewUpstream reads the file of CAs, or takes over what was made of it if it can't be read any more; was may be nil. host
// is the host of the server's address, or its path.
func NewUpstream(t conf.ServerTLS, host string, was *Upstream) (*Upstream, error) {
	u := &Upstream{settings: t, host: host}
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         u.name(),
		InsecureSkipVerify: t.Verify == "", // the operator has not said by whom it would be signed
		ClientSessionCache: tls.NewLRUClientSessionCache(upstreamSessions),
	}
	if t.Verify == "" {
		u.config.Store(c)
		return u, nil
	}
	if c.ServerName == "" {
		return nil, errors.New("tls verify: expected sni NAME, as the certificate of a server with a path can't be checked without a name")
	}
	u.stamp = stampOf(t.Verify)
	u.seen, u.tried = u.stamp, u.stamp
	pool, err := readPool(t.Verify)
	if err != nil && was != nil && was.settings == t && was.host == host {
		return was, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tls verify: %w", err)
	}
	c.RootCAs = pool
	u.config.Store(c)
	return u, nil
}

// name is what the server is asked for and has to have a certificate of.
func (u *Upstream) name() string {
	if u.settings.SNI != "" {
		return strings.TrimSuffix(u.settings.SNI, ".")
	}
	if conf.IsPath(u.host) {
		return ""
	}
	if a, err := netip.ParseAddr(u.host); err == nil {
		return a.WithZone("").String() // which is checked, but not asked for
	}
	return strings.TrimSuffix(u.host, ".")
}

func readPool(file string) (*x509.CertPool, error) {
	certs, err := readCertificates(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

// Fits reports whether the Upstream is what settings ask for.
func (u *Upstream) Fits(t conf.ServerTLS, host string) bool { return u.settings == t && u.host == host }

// Config returns the configuration of the client's side. It never changes; the next handshake may get another one. Any
// goroutine may call it.
func (u *Upstream) Config() *tls.Config { return u.config.Load() }

// Reload reads the file of CAs again. If it can't be used the CAs stay as they were.
func (u *Upstream) Reload() []Event {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.settings.Verify == "" {
		return nil
	}
	u.seen = stampOf(u.settings.Verify)
	return u.reload()
}

// Poll reads the file if it has changed and looks now as it did at the last Poll.
func (u *Upstream) Poll() []Event {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.settings.Verify == "" {
		return nil
	}
	look := stampOf(u.settings.Verify)
	settled := look == u.seen
	u.seen = look
	if !settled || look == u.tried {
		return nil
	}
	return u.reload()
}

func (u *Upstream) reload() []Event {
	u.tried = u.seen
	if u.seen == u.stamp {
		return nil
	}
	pool, err := readPool(u.settings.Verify)
	if err != nil {
		return []Event{{u.settings.Verify, stays, err}}
	}
	u.stamp = u.seen
	c := u.config.Load().Clone()
	c.RootCAs = pool
	c.ClientSessionCache = tls.NewLRUClientSessionCache(upstreamSessions) // what the old CAs vouched for
	u.config.Store(c)
	return []Event{{u.settings.Verify, anew, nil}}
}
