package control

import (
	"context"
	"net"
)

// probeTCP connects: by a knock where that can do it (probe_knock.go), else by this. The connection is reset, which leaves nothing behind on either side: thousands of probes a second
// would else leave as many ports in TIME_WAIT for minutes.
func probeTCP(ctx context.Context, t *subject) error {
	c, err := t.dial(ctx, "tcp", t.probe.Port)
	if err != nil {
		return err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0) // where it is not known, the connection ends as others do
	}
	c.Close()
	return nil
}
