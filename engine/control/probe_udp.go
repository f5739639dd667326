package control

import (
	"context"
	"encoding/hex"
)

// probeUDP sends a datagram; any answer will do.
func probeUDP(ctx context.Context, t *subject) error {
	question, err := hex.DecodeString(t.probe.Arg)
	if err != nil {
		return err // conf has checked it
	}
	c, err := t.dial(ctx, "udp", t.probe.Port)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(question); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1)) // the rest of the datagram is thrown away
	return err
}
