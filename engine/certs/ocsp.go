package certs

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// OCSP: the word of a CA that a certificate has not been revoked, stapled to the handshake so that clients need not ask
// for it themselves. It comes from a file, which somebody renews, or from the CA by HTTP.

// Status is what is stapled to a certificate.
type Status struct {
	Produced time.Time
	Until    time.Time // zero = the CA does not say
	File     bool      // it comes from a file
}

// readStaple takes the response from the file, if there is one. One that says nothing good of this certificate now is
// left out: clients would refuse the certificate because of it.
func (c *Certificate) readStaple() error {
	c.current.Store(assemble(c.list, c.key, nil))
	if c.ocsp == "" {
		return nil
	}
	der, err := readFile(c.ocsp)
	if err != nil {
		return err
	}
	r, err := ocsp.ParseResponse(der, nil)
	if err != nil {
		return fmt.Errorf("%s: expected an OCSP response in DER format: %w", c.ocsp, err)
	}
	if err := c.good(r, der, time.Now()); err != nil {
		c.notices = append(c.notices, fmt.Sprintf("%s: not stapled: %v", c.ocsp, err))
		return nil
	}
	c.staple(der, &Status{r.ProducedAt, r.NextUpdate, true})
	return nil
}

// good says if a response is one to be stapled now.
func (c *Certificate) good(r *ocsp.Response, der []byte, now time.Time) error {
	if c.issuer != nil {
		var err error
		if r, err = ocsp.ParseResponseForCert(der, c.leaf(), c.issuer); err != nil {
			return err
		}
	}
	switch {
	case r.SerialNumber == nil || r.SerialNumber.Cmp(c.leaf().SerialNumber) != 0:
		return errors.New("it is about another certificate")
	case r.Status == ocsp.Revoked:
		return fmt.Errorf("the certificate has been revoked on %s", r.RevokedAt.UTC().Format(time.DateTime))
	case r.Status != ocsp.Good:
		return errors.New("the CA does not know the certificate")
	case now.Add(clockSkew).Before(r.ThisUpdate):
		return fmt.Errorf("it is not valid before %s", r.ThisUpdate.UTC().Format(time.DateTime))
	case !r.NextUpdate.IsZero() && now.After(r.NextUpdate):
		return fmt.Errorf("it is out of date since %s", r.NextUpdate.UTC().Format(time.DateTime))
	}
	return nil
}

// clockSkew is by how much the clock of a CA may be ahead.
const clockSkew = 5 * time.Minute

// staple has handshakes carry a response from now on; nil for none.
func (c *Certificate) staple(der []byte, s *Status) {
	c.current.Store(assemble(c.list, c.key, der))
	c.status.Store(s)
}

// inherit takes over what was fetched for the certificate that this one takes the place of, if it is the same.
func (c *Certificate) inherit(old *Certificate) {
	if s := old.status.Load(); c.ocsp == "" && s != nil && !s.File && c.leaf().Equal(old.leaf()) {
		c.staple(old.current.Load().OCSPStaple, s)
	}
}

// Stapled returns what is stapled, nil if nothing is. Any goroutine may call it.
func (c *Certificate) Stapled() *Status { return c.status.Load() }

// Expire takes out a response that has become too old: with none a client may ask the CA itself.
func (c *Certificate) Expire(now time.Time) bool {
	s := c.status.Load()
	if s == nil || s.Until.IsZero() || now.Before(s.Until) {
		return false
	}
	c.staple(nil, nil)
	return true
}

// MustStaple reports whether clients refuse the certificate without a response, RFC 7633.
func (c *Certificate) MustStaple() bool {
	for _, e := range c.leaf().Extensions {
		if e.Id.Equal(tlsFeature) {
			var features []int
			if _, err := asn1.Unmarshal(e.Value, &features); err == nil {
				for _, f := range features {
					if f == statusRequest {
						return true
					}
				}
			}
		}
	}
	return false
}

var tlsFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

const statusRequest = 5 // number of the extension of TLS

// Responder returns the address where the CA answers, "" if there is none that can be asked: by plain HTTP, since the
// answer is signed, and with a file there is nothing to ask.
func (c *Certificate) Responder() string {
	if c.ocsp != "" || c.issuer == nil {
		return ""
	}
	for _, url := range c.leaf().OCSPServer {
		if strings.HasPrefix(url, "http://") {
			return url
		}
	}
	return ""
}

const maxResponse = 64 << 10 // bytes; a response has one or two thousand

// Fetch asks the CA and staples what it says. It may take as long as the context allows.
func (c *Certificate) Fetch(ctx context.Context, client *http.Client) error {
	question, err := ocsp.CreateRequest(c.leaf(), c.issuer, &ocsp.RequestOptions{Hash: crypto.SHA1}) // the only one that all CAs know
	if err != nil {
		return err
	}
	der, err := post(ctx, client, c.Responder(), question)
	if err != nil {
		return err
	}
	r, err := ocsp.ParseResponseForCert(der, c.leaf(), c.issuer)
	if err != nil {
		return err
	}
	if err := c.good(r, der, time.Now()); err != nil {
		return err
	}
	c.staple(der, &Status{Produced: r.ProducedAt, Until: r.NextUpdate})
	return nil
}

func post(ctx context.Context, client *http.Client, url string, question []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	r.Header.Set("Accept", "application/ocsp-response")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, answer.Status)
	}
	der, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse+1))
	if err == nil && len(der) > maxResponse {
		err = fmt.Errorf("%s answered more than %d bytes", url, maxResponse)
	}
	return der, err
}

// When the CA is asked again.
const (
	fetchAgain   = time.Hour        // after a response that does not say how long it is good
	fetchSoonest = time.Minute      // after any response
	retryFirst   = 10 * time.Second // after a failure
	retryMost    = time.Hour
)

// NextFetch returns how long to wait before the CA is asked again, after so many failures in a row: until half of the
// response's time has passed, so that there is time for a CA that is down for days. It varies, so that thousands of
// certificates don't ask at once.
func (c *Certificate) NextFetch(now time.Time, failures int) time.Duration {
	d := fetchAgain
	switch s := c.status.Load(); {
	case failures > 0:
		d = min(retryFirst<<min(failures-1, 10), retryMost)
	case s == nil:
		return 0
	case !s.Until.IsZero():
		d = max(s.Until.Sub(now)/2, fetchSoonest)
	}
	return d*9/10 + rand.N(d/5)
}
