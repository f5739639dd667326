package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// What PEM files hold. Errors name the file and say what is wrong, but never what is in it.

const maxFile = 4 << 20 // bytes of a file: a bundle of all public CAs has 0.3 MB, a revocation list may have more

// readFile reads a regular file of bounded size: one that can't make pen wait.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name) // before it is opened: to open a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: expected a file of at most %d bytes", name, maxFile)
	}
	return text, err
}

// bundle is what a PEM file holds, in its order.
type bundle struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
}

// parseBundle takes certificates and private keys out of PEM text. What else there is in it, like parameters, is skipped.
func parseBundle(text []byte) (bundle, error) {
	var b bundle
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return b, nil
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return b, fmt.Errorf("certificate %d in it can't be read: %w", len(b.certs)+1, err)
			}
			b.certs = append(b.certs, cert)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			key, err := parseKey(block)
			if err != nil {
				return b, err
			}
			b.keys = append(b.keys, key)
		case "ENCRYPTED PRIVATE KEY":
			return b, errEncrypted
		}
	}
}

var (
	errEncrypted = errors.New("the key in it is encrypted; expected one without a passphrase, as pen starts with nobody to ask")
	errKey       = errors.New("the key in it can't be read; expected one of ECDSA, RSA or Ed25519 in PEM format")
)

// parseKey returns a private key. The errors of the library are left out: they might tell of the key.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errEncrypted
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errKey
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, errKey
}

// readBundle reads a PEM file.
func readBundle(name string) (bundle, error) {
	text, err := readFile(name)
	if err != nil {
		return bundle{}, err
	}
	b, err := parseBundle(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return b, err
}

// readCertificates reads a file of certificates. A single one may be in DER format.
func readCertificates(name string) ([]*x509.Certificate, error) {
	text, err := readFile(name)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		if cert, err := x509.ParseCertificate(text); err == nil {
			return []*x509.Certificate{cert}, nil
		}
	}
	b, err := parseBundle(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b.certs) == 0 {
		return nil, fmt.Errorf("%s: expected certificates in PEM format", name)
	}
	return b.certs, nil
}

// match returns the first of the certificates that one of the keys belongs to, with that key.
func match(certs []*x509.Certificate, keys []crypto.Signer) (*x509.Certificate, crypto.Signer) {
	for _, cert := range certs {
		public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok {
			continue
		}
		for _, key := range keys {
			if public.Equal(key.Public()) {
				return cert, key
			}
		}
	}
	return nil, nil
}

// maxChain bounds a chain. No CA has as many certificates between its root and a server.
const maxChain = 10

// chain returns a certificate and what leads to its CA, in order, whatever order the pool has. The root itself is left
// out: who does not know it does not trust it, and who knows it does not need it.
func chain(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	list := []*x509.Certificate{leaf}
	for len(list) < maxChain {
		last := list[len(list)-1]
		if selfSigned(last) {
			break
		}
		i := slices.IndexFunc(pool, func(c *x509.Certificate) bool { return issued(c, last) && !slices.Contains(list, c) })
		if i < 0 || selfSigned(pool[i]) {
			break
		}
		list = append(list, pool[i])
	}
	return list
}

// issuerOf returns the certificate of who signed cert, nil if it is not in the pool.
func issuerOf(cert *x509.Certificate, pool []*x509.Certificate) *x509.Certificate {
	for _, c := range pool {
		if issued(c, cert) {
			return c
		}
	}
	return nil
}

// issued tells if a CA has signed a certificate.
func issued(ca, cert *x509.Certificate) bool {
	return bytes.Equal(ca.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(ca) == nil
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// assemble makes a certificate for TLS.
func assemble(list []*x509.Certificate, key crypto.Signer, staple []byte) *tls.Certificate {
	c := &tls.Certificate{PrivateKey: key, Leaf: list[0], OCSPStaple: staple}
	for _, cert := range list {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}
