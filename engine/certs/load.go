package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"pen/conf"
)

// source is where a certificate comes from: a file of ssl_cert, with those of ssl_key, or NAME in the directory of
// ssl_sni_path.
type source struct {
	name string // NAME in small letters; "" = a file of ssl_cert
	cert string
	keys []string // files that may hold the key
	ca   string   // file with what leads to the CA, and CAs of clients; "" = none
	ocsp string   // file with the response to be stapled; "" = none
}

// Certificate is a certificate with its key.
type Certificate struct {
	source
	list      []*x509.Certificate // the chain
	issuer    *x509.Certificate   // nil = not known
	key       crypto.Signer
	authority *clients // of NAME.ca; nil = there is none
	stamp     string   // what its files looked like

	current atomic.Pointer[tls.Certificate] // with what is stapled; immutable
	status  atomic.Pointer[Status]          // of what is stapled, nil = nothing
	notices []string
}

// leaf is the certificate itself.
func (c *Certificate) leaf() *x509.Certificate { return c.list[0] }

// Leaf returns the certificate itself.
func (c *Certificate) Leaf() *x509.Certificate { return c.leaf() }

// File returns the file of the certificate.
func (c *Certificate) File() string { return c.cert }

// Names returns what clients may ask for to get it.
func (c *Certificate) Names() []string {
	if c.name != "" {
		return []string{c.name}
	}
	return c.leaf().DNSNames
}

// Kind returns what kind of key it has: ECDSA, RSA or Ed25519.
func (c *Certificate) Kind() string { return c.leaf().PublicKeyAlgorithm.String() }

// Chain returns how many certificates clients get.
func (c *Certificate) Chain() int { return len(c.list) }

// read makes a state of the files. What looks as it did when the old one was made of it is taken from there.
func (f *Front) read(r *reading) (*state, []Event, error) {
	r.t, r.state = &f.settings, &state{broken: map[string]string{}}
	if r.old == nil {
		r.old = &state{}
	}
	for _, step := range []func() error{r.certificates, r.directory, r.authorities, r.ticketKeys} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	r.state.names = newNames(r.state.certs)
	return r.state, r.events, nil
}

// reading is the making of a state.
type reading struct {
	t      *conf.TLS
	old    *state           // nil = there is none
	keep   func(error) bool // says if what is old may be used where this keeps us from the new
	again  bool             // what could not be used before is tried again, even if it looks the same
	state  *state
	events []Event
}

// kept notes that something old is used on, or returns why that is not possible.
func (r *reading) kept(what string, err error, there bool) error {
	if !there || !r.keep(err) {
		return err
	}
	r.events = append(r.events, Event{what, stays, err})
	return nil
}

// certificates reads those of ssl_cert.
func (r *reading) certificates() error {
	for i, file := range r.t.Certs {
		s := source{cert: file, keys: append(slices.Clone(r.t.Keys), file), ca: r.t.Client.CAFile}
		if i == 0 {
			s.ocsp = r.t.OCSP.Response
		}
		if err := r.certificate(s); err != nil {
			return fmt.Errorf("ssl_cert: %w", err)
		}
	}
	return nil
}

// certificate reads a certificate, or takes the old one. In the directory one that is broken from the beginning is left
// out: the other names are no worse for it.
func (r *reading) certificate(s source) error {
	var old *Certificate
	if i := slices.IndexFunc(r.old.certs, func(c *Certificate) bool { return c.source.same(&s) }); i >= 0 {
		old = r.old.certs[i]
	}
	stamp := stampOf(append([]string{s.cert, s.ca, s.ocsp}, s.keys...)...)
	if old != nil && old.stamp == stamp {
		r.state.certs = append(r.state.certs, old)
		return nil
	}
	if r.old.broken[s.cert] == stamp && !r.again {
		r.leave(&s, stamp, old)
		return nil
	}
	c, err := s.read()
	if err != nil && (s.name != "" || old != nil && r.keep(err)) {
		r.leave(&s, stamp, old)
		became := stays
		if old == nil {
			became = lost
		}
		r.events = append(r.events, Event{s.cert, became, err})
		return nil
	}
	if err != nil {
		return err
	}
	c.stamp = stamp
	if old != nil {
		c.inherit(old)
		r.events = append(r.events, Event{s.cert, anew, nil})
	} else if r.old.config != nil {
		r.events = append(r.events, Event{s.cert, found, nil})
	}
	r.state.certs = append(r.state.certs, c)
	return nil
}

// leave uses an old certificate on, or none: the new one is broken.
func (r *reading) leave(s *source, stamp string, old *Certificate) {
	r.state.broken[s.cert] = stamp
	if old != nil {
		r.state.certs = append(r.state.certs, old)
	}
}

func (s *source) same(other *source) bool {
	return s.name == other.name && s.cert == other.cert && s.ca == other.ca && s.ocsp == other.ocsp && slices.Equal(s.keys, other.keys)
}

// read reads a certificate, its chain and its key.
func (s *source) read() (*Certificate, error) {
	own, err := readBundle(s.cert)
	if err != nil {
		return nil, err
	}
	if len(own.certs) == 0 {
		return nil, fmt.Errorf("%s: expected a certificate in PEM format", s.cert)
	}
	c := &Certificate{source: *s}
	keys, err := c.readKeys(own.keys)
	if err != nil {
		return nil, err
	}
	cert, key := match(own.certs, keys)
	if cert == nil && len(keys) == 0 {
		return nil, fmt.Errorf("%s: there is no key for this certificate: expected one in the same file or by ssl_key", s.cert)
	}
	if cert == nil {
		return nil, fmt.Errorf("%s: no key belongs to this certificate: none of those in %v matches", s.cert, s.keys)
	}
	pool := own.certs
	if s.ca != "" {
		more, err := readCertificates(s.ca)
		if err != nil {
			return nil, err
		}
		if s.name != "" {
			c.authority = newClients(more)
		}
		pool = append(slices.Clip(pool), more...)
	}
	c.list, c.key = chain(cert, pool), key
	c.issuer = issuerOf(c.list[0], pool)
	if err := c.readStaple(); err != nil {
		return nil, err
	}
	c.examine(time.Now())
	return c, nil
}

// readKeys returns the keys in the file of the certificate and in those of ssl_key.
func (c *Certificate) readKeys(own []crypto.Signer) ([]crypto.Signer, error) {
	keys := slices.Clone(own)
	for _, file := range c.keys {
		if file != c.cert {
			b, err := readBundle(file)
			if err != nil {
				return nil, err
			}
			if len(b.keys) == 0 {
				return nil, fmt.Errorf("%s: expected a private key in PEM format", file)
			}
			keys = append(keys, b.keys...)
		}
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 && (file != c.cert || len(own) > 0) {
			c.notices = append(c.notices, fmt.Sprintf("%s: everybody may read this key; expected mode 0600 or 0640", file))
		}
	}
	return keys, nil
}

// examine notes what is odd about a certificate that works.
func (c *Certificate) examine(now time.Time) {
	leaf := c.leaf()
	switch {
	case now.After(leaf.NotAfter):
		c.notices = append(c.notices, fmt.Sprintf("%s: the certificate has expired on %s", c.cert, leaf.NotAfter.UTC().Format(time.DateTime)))
	case now.Before(leaf.NotBefore):
		c.notices = append(c.notices, fmt.Sprintf("%s: the certificate is not valid before %s", c.cert, leaf.NotBefore.UTC().Format(time.DateTime)))
	}
	if last := c.list[len(c.list)-1]; len(c.list) == 1 && !selfSigned(last) && len(leaf.IssuingCertificateURL) > 0 {
		c.notices = append(c.notices, fmt.Sprintf("%s: the file holds no certificate of %s: clients that don't know it will not trust this one", c.cert, leaf.Issuer))
	}
}

// maxNames bounds the directory of ssl_sni_path.
const maxNames = 100_000

// directory reads those of ssl_sni_path.
func (r *reading) directory() error {
	dir := r.t.SNIPath
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 4*maxNames {
		err = fmt.Errorf("%s: expected at most %d names", dir, maxNames)
	}
	if err != nil {
		there := false
		for _, c := range r.old.certs {
			if c.name != "" && filepath.Dir(c.cert) == filepath.Clean(dir) {
				r.state.certs, there = append(r.state.certs, c), true
			}
		}
		if err = r.kept(dir, err, there); err != nil {
			err = fmt.Errorf("ssl_sni_path: %w", err)
		}
		return err
	}
	files := make(map[string]bool, len(entries))
	for _, e := range entries {
		files[e.Name()] = true
	}
	for _, e := range entries { // in the order of names
		if name := nameOf(e.Name()); name != "" {
			if err := r.certificate(pairIn(dir, e.Name(), name, files)); err != nil {
				return err
			}
		}
	}
	for _, c := range r.old.certs {
		if c.name != "" && !files[filepath.Base(c.cert)] {
			r.events = append(r.events, Event{c.cert, gone, nil})
		}
	}
	return nil
}

// pairIn returns where the certificate in a file of the directory, the key and the rest are.
func pairIn(dir, file, name string, files map[string]bool) source {
	base := file[:len(file)-len(certSuffix)]
	s := source{name: name, cert: filepath.Join(dir, file), keys: []string{filepath.Join(dir, base+keySuffix)}}
	if files[base+caSuffix] {
		s.ca = filepath.Join(dir, base+caSuffix)
	}
	if files[base+ocspSuffix] {
		s.ocsp = filepath.Join(dir, base+ocspSuffix)
	}
	return s
}

// authorities reads the CAs of clients.
func (r *reading) authorities() error {
	t := &r.t.Client
	if t.Verify == conf.VerifyNone {
		return nil
	}
	if t.CAFile == "" && t.CADir == "" {
		return errors.New("ssl_verify: expected certificates of CAs, to check those of clients by: set ssl_ca_file (-G) or ssl_ca_dir (-A)")
	}
	stamp := stampOf(t.CAFile, t.CRL) + directoryStamp(t.CADir)
	old := r.old.clients
	if old != nil && old.stamp == stamp {
		r.state.clients = old
		return nil
	}
	c, err := readClients(t)
	if err != nil {
		r.state.clients = old
		if err = r.kept("the CAs of clients", err, old != nil); err != nil {
			err = fmt.Errorf("ssl_ca_file, ssl_ca_dir, ssl_crl: %w", err)
		}
		return err
	}
	if old != nil {
		r.events = append(r.events, Event{"the CAs of clients", anew, nil})
	}
	c.stamp = stamp
	r.state.clients = c
	return nil
}

// ticketKeys reads the keys that several pens share.
func (r *reading) ticketKeys() error {
	files := r.t.Tickets.Keys
	stamp := stampOf(files...)
	if len(files) == 0 || stamp == r.old.keys.stamp {
		r.state.keys = r.old.keys
		return nil
	}
	keys, err := readTicketKeys(files)
	if err != nil {
		r.state.keys = r.old.keys
		if err = r.kept("the keys of session tickets", err, len(r.old.keys.keys) > 0); err != nil {
			err = fmt.Errorf("ssl_ticket_key: %w", err)
		}
		return err
	}
	if len(r.old.keys.keys) > 0 {
		r.events = append(r.events, Event{"the keys of session tickets", anew, nil})
	}
	r.state.keys = sharedKeys{stamp, keys}
	return nil
}

// notices are those of all certificates. They are given once.
func (s *state) notices() (all []string) {
	for _, c := range s.certs {
		if c.notices != nil { // those of a certificate that another Front has are gone
			all = append(all, c.notices...)
			c.notices = nil
		}
	}
	return all
}

// look returns what the files look like now.
func (f *Front) look() uint64 {
	h := fnv.New64a()
	t := &f.settings
	for _, list := range [][]string{t.Certs, t.Keys, t.Tickets.Keys, {t.OCSP.Response, t.Client.CAFile, t.Client.CRL}} {
		h.Write([]byte(stampOf(list...)))
	}
	h.Write([]byte(directoryStamp(t.SNIPath)))
	h.Write([]byte(directoryStamp(t.Client.CADir)))
	return h.Sum64()
}

// stampOf returns what tells files from what they were before. Links are followed: those of certbot and Kubernetes come to
// point elsewhere.
func stampOf(files ...string) string {
	var b []byte
	for _, name := range files {
		if name != "" {
			b = appendStamp(append(b, name...), name)
		}
	}
	return string(b)
}

// directoryStamp does the same for all that is in a directory, and "".
func directoryStamp(dir string) string {
	if dir == "" {
		return ""
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dir + "!"
	}
	var b []byte
	for _, e := range entries {
		b = appendStamp(append(b, e.Name()...), filepath.Join(dir, e.Name()))
	}
	return string(b)
}

func appendStamp(b []byte, name string) []byte {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return append(b, "-\n"...)
	}
	if err != nil {
		return append(b, "!\n"...)
	}
	var inode uint64
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = uint64(s.Ino)
	}
	return fmt.Appendf(b, " %d %d %d %o\n", info.Size(), info.ModTime().UnixNano(), inode, info.Mode())
}
