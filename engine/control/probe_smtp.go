package control

import (
	"bufio"
	"context"
	"io"
	"net/textproto"
)

// probeSMTP waits for the banner, says EHLO and QUIT (RFC 5321).
func probeSMTP(ctx context.Context, t *subject) error {
	c, err := t.speak(ctx, "tcp", t.probe.Port)
	if err != nil {
		return err
	}
	defer c.Close()
	r := textproto.NewReader(bufio.NewReader(io.LimitReader(c, maxResponse)))
	if _, _, err := r.ReadResponse(220); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "EHLO pen\r\n"); err != nil {
		return err
	}
	if _, _, err := r.ReadResponse(250); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "QUIT\r\n"); err != nil {
		return err
	}
	_, _, err = r.ReadResponse(221)
	return err
}
