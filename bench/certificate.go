//go:build linux

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// keyKind is what a TLS front signs with; empty for tests without TLS.
type keyKind string

const (
	noKey    keyKind = ""
	ecdsaKey keyKind = "ecdsa" // P-256
	rsaKey   keyKind = "rsa"   // 2048 bits

	rsaBits  = 2048
	certName = "bench.test"
	certLife = 24 * time.Hour
)

// certificate is where a certificate and its key lie. The zero value is that of a front without TLS.
type certificate struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	Both string `json:"both"` // key and certificate in one file
}

// makeCertificate writes a new self-signed certificate and its key into dir.
func makeCertificate(dir string, kind keyKind) (certificate, error) {
	var key crypto.Signer
	var err error
	switch kind {
	case ecdsaKey:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case rsaKey:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return certificate{}, fmt.Errorf("no certificate for a key %q", kind)
	}
	if err != nil {
		return certificate{}, err
	}
	now := time.Now()
	template := x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: certName}, DNSNames: []string{certName},
		NotBefore: now.Add(-certLife), NotAfter: now.Add(certLife), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return certificate{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificate{}, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	name := func(part string) string { return filepath.Join(dir, string(kind)+"."+part) }
	c := certificate{Cert: name("crt"), Key: name("key"), Both: name("pem")}
	for path, text := range map[string][]byte{c.Cert: certPEM, c.Key: keyPEM, c.Both: append(keyPEM, certPEM...)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return certificate{}, err
		}
	}
	return c, nil
}
