package certs

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// list is a certificate revocation list (RFC 5280, 5).
type list struct {
	issuer   string                          // for people
	signedBy func(ca *x509.Certificate) bool // a CA that may
	serials  []*big.Int                      // of what has been revoked
	until    time.Time                       // when it is to be replaced; zero = never
}

// parseLists takes revocation lists out of PEM text, or a single one in DER format.
func parseLists(text []byte) (lists []*list, err error) {
	if l, err := parseList(text); err == nil {
		return []*list{l}, nil
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := parseList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d in it can't be read: %w", len(lists)+1, err)
		}
		lists = append(lists, l)
	}
	if lists == nil {
		return nil, errors.New("expected revocation lists in PEM format")
	}
	return lists, nil
}

// parseList reads a list in DER format.
func parseList(der []byte) (*list, error) {
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		if first := parseFirstVersion(der); first != nil {
			return first, nil
		}
		return nil, err
	}
	var serials []*big.Int
	for _, e := range l.RevokedCertificateEntries {
		serials = append(serials, e.SerialNumber)
	}
	return &list{
		issuer: l.Issuer.String(),
		signedBy: func(ca *x509.Certificate) bool {
			return bytes.Equal(ca.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(ca) == nil
		},
		serials: serials,
		until:   l.NextUpdate,
	}, nil
}

// parseFirstVersion reads a list of version 1, nil if it is none. "openssl ca -gencrl" makes such lists where neither
// crlnumber nor crl_extensions are set. What reads them has been deprecated since ParseRevocationList came, which refuses them.
func parseFirstVersion(der []byte) *list {
	l, err := x509.ParseDERCRL(der) //lint:ignore SA1019 see above
	if err != nil || l.TBSCertList.Version != 0 || len(l.TBSCertList.Extensions) > 0 {
		return nil
	}
	var issuer pkix.Name
	issuer.FillFromRDNSequence(&l.TBSCertList.Issuer)
	var serials []*big.Int
	for _, e := range l.TBSCertList.RevokedCertificates {
		serials = append(serials, e.SerialNumber)
	}
	return &list{
		issuer: issuer.String(),
		signedBy: func(ca *x509.Certificate) bool {
			may := ca.IsCA && (ca.KeyUsage == 0 || ca.KeyUsage&x509.KeyUsageCRLSign != 0) && ca.Subject.String() == issuer.String()
			return may && ca.CheckCRLSignature(l) == nil //lint:ignore SA1019 see above
		},
		serials: serials,
		until:   l.TBSCertList.NextUpdate,
	}
}
