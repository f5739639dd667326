package tlsio

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// Failure is why a handshake came to nothing.
type Failure uint8

// The kinds of failure.
const (
	FailureClosed      Failure = iota // the peer went away
	FailureNotTLS                     // what came is not TLS, or SSLv2
	FailureVersion                    // no common version
	FailureAgreement                  // nothing else in common: cipher suites, curves, protocols (ALPN)
	FailureName                       // there is no certificate for the name that was asked for
	FailureCertificate                // the peer's certificate is missing or not trusted
	FailurePeer                       // the peer gave up, and said so by an alert
	FailureTimeout                    // it took too long; for the user, as no time passes here
	FailureOther                      // the peer breaks the protocol
	Failures           = iota
)

var failureNames = [Failures]string{"closed", "not_tls", "version", "agreement", "name", "certificate", "peer", "timeout", "other"}

// String returns one word.
func (f Failure) String() string { return failureNames[f] }

// Alerts that were sent in clear (RFC 8446, 6.2).
const (
	alertHandshakeFailure  = 40
	alertProtocolVersion   = 70
	alertInsufficient      = 71
	alertUnrecognizedName  = 112
	alertNoApplicationName = 120
)

// FailureOf tells what the error of a Handshake means.
func (e *End) FailureOf(err error) Failure {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return FailureNotTLS
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return FailureCertificate
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return FailurePeer
	}
	switch {
	case e.alert == alertProtocolVersion:
		return FailureVersion
	case e.alert == alertUnrecognizedName:
		return FailureName
	case strings.Contains(err.Error(), "certificate"): // it has no type: "tls: client didn't provide a certificate"
		return FailureCertificate
	}
	switch e.alert {
	case alertHandshakeFailure, alertInsufficient, alertNoApplicationName:
		return FailureAgreement
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return FailureClosed
	}
	return FailureOther
}
