package control

import (
	"context"
	"crypto/tls"
)

// probeTLS makes a handshake. Certificates are not verified: a probe finds out if a server works, and there is nothing
// to keep from a wrong one.
func probeTLS(ctx context.Context, t *subject) error {
	c, err := t.dial(ctx, "tcp", t.probe.Port)
	if err != nil {
		return err
	}
	secure := tls.Client(c, &tls.Config{ServerName: t.probe.Host, InsecureSkipVerify: true})
	defer secure.Close()
	return secure.HandshakeContext(ctx)
}
