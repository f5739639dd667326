package certs

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"slices"
	"strings"
)

// names finds the certificates for what a client asks for. The name of a file in the directory of ssl_sni_path comes
// first, then what the certificates of ssl_cert are made out to, then the same with *. in front, then those of ssl_cert.
type names struct {
	exact    map[string][]*Certificate
	wild     map[string][]*Certificate    // by what follows *.
	defaults []*Certificate               // of ssl_cert
	configs  map[*Certificate]*tls.Config // of those with CAs of their own
}

func newNames(certs []*Certificate) names {
	n := names{exact: map[string][]*Certificate{}, wild: map[string][]*Certificate{}, configs: map[*Certificate]*tls.Config{}}
	files := map[string]bool{} // names for which there are files
	for _, c := range certs {
		if c.name != "" {
			files[c.name] = true
			n.add(c.name, c)
		}
	}
	for _, c := range certs {
		if c.name != "" {
			continue
		}
		n.defaults = append(n.defaults, c)
		for _, name := range c.leaf().DNSNames {
			if name = strings.ToLower(name); !files[name] {
				n.add(name, c)
			}
		}
	}
	for _, m := range []map[string][]*Certificate{n.exact, n.wild, {"": n.defaults}} {
		for _, list := range m {
			slices.SortStableFunc(list, func(a, b *Certificate) int { return cmp.Compare(rank(a), rank(b)) })
		}
	}
	return n
}

func (n *names) add(name string, c *Certificate) {
	if rest, wild := strings.CutPrefix(name, "*."); wild {
		n.wild[rest] = append(n.wild[rest], c)
		return
	}
	n.exact[name] = append(n.exact[name], c)
}

// rank orders certificates for the same name: a signature by ECDSA costs a thirtieth of one by RSA, and nearly every
// client can check either. Ed25519 is between them: few clients can.
func rank(c *Certificate) int {
	switch c.key.(type) {
	case *ecdsa.PrivateKey:
		return 0
	case *rsa.PrivateKey:
		return 2
	}
	return 1
}

// find returns the certificates for a name, the most wanted first.
func (n *names) find(name string) []*Certificate {
	name = strings.ToLower(name)
	if list := n.exact[name]; list != nil {
		return list
	}
	if _, rest, dot := strings.Cut(name, "."); dot {
		if list := n.wild[rest]; list != nil {
			return list
		}
	}
	return n.defaults
}

// choose returns the certificate for a client: the first one that it can check, else the first one, so that the library
// says what is wrong; nil if there is none at all.
func (n *names) choose(hello *tls.ClientHelloInfo) *tls.Certificate {
	list := n.find(hello.ServerName)
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		nameless := *hello
		nameless.ServerName = "" // that the certificate is for this name is settled
		for _, c := range list {
			if cert := c.current.Load(); nameless.SupportsCertificate(cert) == nil {
				return cert
			}
		}
	}
	return list[0].current.Load()
}

// configFor returns the configuration for a name that has CAs of its own, nil for the others.
func (n *names) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if list := n.find(hello.ServerName); len(list) > 0 {
		return n.configs[list[0]], nil
	}
	return nil, nil
}

// The ends of the names of files in the directory of ssl_sni_path.
const (
	certSuffix = ".crt"
	keySuffix  = ".key"
	caSuffix   = ".ca"
	ocspSuffix = ".ocsp"
)

// nameOf returns the name for which a file in the directory is, "" if it holds no certificate: NAME.crt, or NAME.ecdsa.crt
// and NAME.rsa.crt side by side. A name that begins with _. is one with *. for shells that dislike stars.
func nameOf(file string) string {
	name, ok := strings.CutSuffix(file, certSuffix)
	if !ok || name == "" || name[0] == '.' {
		return ""
	}
	name = strings.ToLower(name)
	for _, kind := range []string{".ecdsa", ".rsa"} {
		if rest, ok := strings.CutSuffix(name, kind); ok && rest != "" {
			name = rest
			break
		}
	}
	if rest, ok := strings.CutPrefix(name, "_."); ok {
		name = "*." + rest
	}
	return name
}
