package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pen/conf"
)

// clients says which certificates of clients are good. It never changes.
type clients struct {
	stamp   string
	cas     []*x509.Certificate
	pool    *x509.CertPool
	revoked map[string]*revoked // by the subject of the CA, as it stands in its certificate; nil = no lists
}

// revoked is what a CA has revoked.
type revoked struct {
	serials map[string]bool // by the bytes of the number
	until   time.Time       // when the list is to be replaced; zero = never
}

// readClients reads the CAs and their revocation lists.
func readClients(t *conf.ClientTLS) (*clients, error) {
	var certs []*x509.Certificate
	if t.CAFile != "" {
		list, err := readCertificates(t.CAFile)
		if err != nil {
			return nil, err
		}
		certs = list
	}
	if t.CADir != "" {
		list, err := readDirectory(t.CADir)
		if err != nil {
			return nil, err
		}
		certs = append(certs, list...)
	}
	c := newClients(certs)
	if t.CRL != "" {
		if err := c.readLists(t.CRL); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func newClients(certs []*x509.Certificate) *clients {
	c := &clients{cas: certs, pool: x509.NewCertPool()}
	for _, cert := range certs {
		c.pool.AddCert(cert)
	}
	return c
}

// readDirectory reads the CAs of a directory in the manner of OpenSSL: a certificate a file. Files without certificates
// are skipped: there may be revocation lists and a README. The links that c_rehash makes lead to certificates that the
// pool has already.
func readDirectory(dir string) ([]*x509.Certificate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, e := range entries {
		list, err := readCertificates(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		for _, cert := range list {
			if !slices.ContainsFunc(certs, cert.Equal) {
				certs = append(certs, cert)
			}
		}
	}
	if certs == nil {
		return nil, fmt.Errorf("%s: expected files with certificates in PEM format", dir)
	}
	return certs, nil
}

// readLists reads revocation lists, each of which one of the CAs must have signed.
func (c *clients) readLists(name string) error {
	text, err := readFile(name)
	if err != nil {
		return err
	}
	lists, err := parseLists(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.revoked = map[string]*revoked{}
	for _, list := range lists {
		i := slices.IndexFunc(c.cas, list.signedBy)
		if i < 0 {
			return fmt.Errorf("%s: the list of %s is signed by none of the CAs of ssl_ca_file and ssl_ca_dir", name, list.issuer)
		}
		ca := string(c.cas[i].RawSubject)
		r := c.revoked[ca]
		if r == nil {
			r = &revoked{serials: map[string]bool{}, until: list.until}
			c.revoked[ca] = r
		}
		if list.until.After(r.until) {
			r.until = list.until
		}
		for _, serial := range list.serials {
			r.serials[string(serial.Bytes())] = true
		}
	}
	return nil
}

// verify says if the certificate of a client, whose signatures are right, has been revoked. It is called for resumed
// sessions as well.
func (c *clients) verify(state tls.ConnectionState) error {
	if c.revoked == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	err := errors.New("no chain leads to a CA")
	now := time.Now()
	for _, chain := range state.VerifiedChains {
		if err = c.check(chain, now); err == nil {
			return nil
		}
	}
	return err
}

// check looks up each certificate of a chain but the root. A CA without a list revokes nothing; one whose list is out of
// date may have revoked anything.
func (c *clients) check(chain []*x509.Certificate, now time.Time) error {
	for i := range len(chain) - 1 {
		r := c.revoked[string(chain[i+1].RawSubject)]
		switch {
		case r == nil:
		case !r.until.IsZero() && now.After(r.until):
			return fmt.Errorf("the revocation list of %s is out of date", chain[i+1].Subject)
		case r.serials[string(chain[i].SerialNumber.Bytes())]:
			return fmt.Errorf("the certificate of %s has been revoked", chain[i].Subject)
		}
	}
	return nil
}
