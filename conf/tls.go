package conf

import "slices"

// TLS is how a service speaks TLS to its clients; see [TLS.On].
type TLS struct {
	Certs   []string // ssl_cert, -E: files in PEM format; each holds a certificate, what leads to its CA, and maybe its key
	Keys    []string // ssl_key, -K: files with the keys that are not in those of Certs
	SNIPath string   // ssl_sni_path: directory of NAME.crt and NAME.key; "" = none
	OCSP    OCSP
	Client  ClientTLS
	Version TLSVersions
	Ciphers string   // ssl_ciphers: a list as OpenSSL takes it, for TLS 1.2; "" = those that are safe
	ALPN    []string // ssl_alpn: protocols, the most wanted first; none = the extension is not answered
	Tickets Tickets  // of sessions that may be resumed
}

// On reports whether the service speaks TLS to clients: it has a certificate, or a place where to look for some.
func (t *TLS) On() bool { return len(t.Certs) > 0 || t.SNIPath != "" }

// clone returns a copy that changes apart from t.
func (t TLS) clone() TLS {
	t.Certs, t.Keys = slices.Clone(t.Certs), slices.Clone(t.Keys)
	t.ALPN, t.Tickets.Keys = slices.Clone(t.ALPN), slices.Clone(t.Tickets.Keys)
	return t
}

// OCSP is what is stapled to certificates: a word of their CA that they are not revoked.
type OCSP struct {
	Response string // ssl_ocsp_response: file in DER for the first certificate of ssl_cert; "" = none
	Fetch    bool   // ssl_ocsp fetch: ask the CAs for those of which there is no file
}

// ClientTLS is what is asked of clients.
type ClientTLS struct {
	CAFile string // ssl_ca_file, -G: file with certificates of CAs; "" = none
	CADir  string // ssl_ca_dir, -A: directory of such files; "" = none
	Verify Verify // ssl_verify, -R
	CRL    string // ssl_crl: file with the lists of certificates that the CAs have revoked; "" = none
}

// Verify says which certificates of clients are wanted.
type Verify uint8

// The values of ssl_verify.
const (
	VerifyNone     Verify = iota // clients are not asked for one
	VerifyOptional               // one that a client has must be valid
	VerifyRequired               // clients without a valid one are refused
)

// TLSVersions are the versions of the protocol that are spoken: all of those that there are, but for these.
type TLSVersions struct {
	Only13 bool // ssl_protocol tls1.3: it is the least version
	No12   bool // ssl_option no_tlsv1.2
	No13   bool // ssl_option no_tlsv1.3
}

// Tickets hold sessions, encrypted with keys that only pen has, so that clients resume them later without a full
// handshake.
type Tickets struct {
	Off  bool     // ssl_session_tickets off
	Keys []string // ssl_ticket_key: files shared with other pens, the first one encrypts; none = random keys that change by themselves
}

// ServerTLS is how TLS is spoken to a server.
type ServerTLS struct {
	On     bool
	Verify string // file with certificates of the CAs that may have signed the server's; "" = it is not checked
	SNI    string // the name that is asked for and checked; "" = the host of the server's address
}

// words returns what the command server says about it, with a blank in front.
func (t ServerTLS) words() string {
	words := " tls"
	if t.Verify != "" {
		words += " verify " + Quote(t.Verify)
	}
	if t.SNI != "" {
		words += " sni " + Quote(t.SNI)
	}
	return words
}

// setServerTLS takes what follows the word tls in the command server, and returns how many words that were.
func (c *call) setServerTLS(s *Server, words []string) (n int, err error) {
	if len(words) > 0 && words[0] == "off" {
		s.TLS = ServerTLS{}
		return 1, nil
	}
	t := ServerTLS{On: true}
	for ; n < len(words) && (words[n] == "verify" || words[n] == "sni"); n += 2 {
		if n+1 == len(words) {
			return 0, c.wrong("expected a value after '%s'", words[n])
		}
		value := words[n+1]
		switch {
		case words[n] == "sni" && validHost(value) != nil:
			return 0, c.wrong("expected the name of a host after sni, not '%s'", clip(value))
		case words[n] == "sni":
			t.SNI = value
		case value == "":
			return 0, c.wrong("expected a file with certificates of CAs after verify")
		default:
			t.Verify = value
		}
	}
	s.TLS = t
	return n, nil
}
