package control

import (
	"time"

	"pen/engine"
	"pen/engine/certs"
)

// The metrics of TLS. Those of certificates are by file, and there are so many of a service at most: those that expire
// first.
var (
	tlsCertificates = define("pen_tls_certificates", gauge, "Certificates that a service has for its clients.", "service")
	tlsExpiry       = define("pen_tls_certificate_expiry_timestamp_seconds", gauge, "When a certificate expires; of the first 100 of a service.", "service", "certificate")
	tlsStapled      = define("pen_tls_ocsp_response_expiry_timestamp_seconds", gauge, "When the OCSP response that is stapled to a certificate is out of date; missing if there is none.", "service", "certificate")
	tlsReads        = define("pen_tls_file_reads_total", counter, "Files of TLS that had changed, by result, which is good or bad: then what was there before is used.", "service", "result")
	tlsFetches      = define("pen_tls_ocsp_fetches_total", counter, "Questions to CAs for OCSP responses, by result, which is good or bad.", "service", "result")
	tlsRotations    = define("pen_tls_ticket_key_rotations_total", counter, "New keys for session tickets.", "service")
)

const tlsSeries = 100 // certificates of a service that have series of their own

// fronts tells of the TLS of services.
func (s scrape) fronts(fronts []engine.Front) {
	for _, f := range fronts {
		list := f.Soonest()
		s.number(tlsCertificates, len(list), f.Service)
		s.certificates(list[:min(len(list), tlsSeries)], f.Service)
		n := f.Counts()
		s.count(tlsReads, n.Read.Load(), f.Service, "good")
		s.count(tlsReads, n.Unread.Load(), f.Service, "bad")
		if f.Fetches() {
			s.count(tlsFetches, n.Fetched.Load(), f.Service, "good")
			s.count(tlsFetches, n.Unfetched.Load(), f.Service, "bad")
		}
		s.count(tlsRotations, n.Rotations.Load(), f.Service)
	}
}

// certificates tells of some of a service. Of files with the same label the first one counts.
func (s scrape) certificates(list []*certs.Certificate, service string) {
	told := map[string]bool{}
	for _, c := range list {
		file := label(c.File())
		if told[file] {
			continue
		}
		told[file] = true
		s.value(tlsExpiry, seconds(c.Leaf().NotAfter), service, file)
		if o := c.Stapled(); o != nil && !o.Until.IsZero() {
			s.value(tlsStapled, seconds(o.Until), service, file)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
