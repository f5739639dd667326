package main_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// certificate NAME [rsa] makes a certificate for NAME and localhost, with its key, in NAME.pem of the script's directory.
func certificate(sc *scenario, args []string) (string, error) {
	if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[1] != "rsa" {
		return "", errors.New("usage: certificate NAME [rsa]")
	}
	var key crypto.Signer
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if len(args) == 2 {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return "", err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: args[0]}, DNSNames: []string{args[0], "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return "", os.WriteFile(filepath.Join(sc.ts.Getenv("WORK"), args[0]+".pem"), text, 0o640)
}

// encrypted tells if an address wants TLS, in which version, and returns the rest of it.
func encrypted(addr string) (version uint16, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(addr, "tls:"); ok {
		return tls.VersionTLS13, rest, true
	}
	rest, ok = strings.CutPrefix(addr, "tls1.2:")
	return tls.VersionTLS12, rest, ok
}

// encrypt shakes hands as a client.
func encrypt(c net.Conn, version uint16) (net.Conn, error) {
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: version, MaxVersion: version})
	c.SetDeadline(time.Now().Add(patience))
	defer c.SetDeadline(time.Time{})
	if err := t.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}
