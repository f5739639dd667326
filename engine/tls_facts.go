package engine

import (
	"cmp"
	"crypto/tls"

	"pen/conf"
	"pen/engine/tlsio"
)

// tlsFacts are what logs, servers and metrics are told of a TLS connection.
type tlsFacts struct {
	version  string // as OpenSSL writes it: "TLSv1.3"
	cipher   string // as OpenSSL writes it
	protocol string // by ALPN; "" = none
	name     string // that the client asked for (SNI); "" = none
	client   string // common name of the client's certificate
	verified bool   // there was one, and it was good
	resumed  bool
}

// TLSVersions are the names of the versions that there are, by the numbers that Handshakes uses.
var TLSVersions = [...]string{"TLSv1.2", "TLSv1.3"}

// tlsFacts returns what was agreed on with the client; false if it does not speak TLS.
func (s *session) tlsFacts() (tlsFacts, bool) {
	if s.layers == nil || s.layers.shaken == nil {
		return tlsFacts{}, false
	}
	return factsOf(s.layers.shaken), true
}

// factsOf returns what the ends of a connection have agreed on.
func factsOf(e *tlsio.End) tlsFacts {
	s, _ := e.State()
	f := tlsFacts{
		version: TLSVersions[versionIndex(s.Version)], cipher: cmp.Or(conf.CipherName(s.CipherSuite), tls.CipherSuiteName(s.CipherSuite)),
		protocol: s.NegotiatedProtocol, name: s.ServerName, resumed: s.DidResume,
	}
	if len(s.PeerCertificates) > 0 {
		f.client, f.verified = s.PeerCertificates[0].Subject.CommonName, len(s.VerifiedChains) > 0
	}
	return f
}

func versionIndex(version uint16) int {
	if version == tls.VersionTLS12 {
		return 0
	}
	return 1
}

// Handshakes count what became of TLS handshakes with the clients of a service, or with a server.
type Handshakes struct {
	Full    [len(TLSVersions)]uint64
	Resumed [len(TLSVersions)]uint64
	Failed  [tlsio.Failures]uint64 // by HandshakeFailure
}

// HandshakeFailure is why a handshake came to nothing.
type HandshakeFailure = tlsio.Failure

// done counts a handshake that has succeeded.
func (h *Handshakes) done(e *tlsio.End) {
	s, _ := e.State()
	if s.DidResume {
		h.Resumed[versionIndex(s.Version)]++
	} else {
		h.Full[versionIndex(s.Version)]++
	}
}

func (h *Handshakes) add(other *Handshakes) {
	for i := range h.Full {
		h.Full[i] += other.Full[i]
		h.Resumed[i] += other.Resumed[i]
	}
	for i := range h.Failed {
		h.Failed[i] += other.Failed[i]
	}
}
