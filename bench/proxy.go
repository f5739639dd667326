//go:build linux

package main

import (
	"context"

	"github.com/cloudwego/netpoll"
)

// serve is the peer built on netpoll, the way its guide suggests: a handler per connection that copies what has
// arrived to the other end and waits while that is full. Netpoll has no half-close: the end of one is the end of both.
func (r *proxyRole) serve() error {
	listener, err := netpoll.CreateListener("tcp", r.Listen)
	if err != nil {
		return err
	}
	type serverKey struct{}
	loop, err := netpoll.NewEventLoop(
		func(ctx context.Context, client netpoll.Connection) error {
			server, ok := ctx.Value(serverKey{}).(netpoll.Connection)
			if !ok {
				return client.Close()
			}
			return forward(client, server)
		},
		netpoll.WithOnConnect(func(ctx context.Context, client netpoll.Connection) context.Context {
			server, err := netpoll.DialConnection("tcp", r.Origin, dialTimeout)
			if err != nil {
				client.Close()
				return ctx
			}
			join(client, server)
			return context.WithValue(ctx, serverKey{}, server)
		}))
	if err != nil {
		return err
	}
	return loop.Serve(listener)
}

// join makes the server's bytes and the end of either connection reach the other.
func join(client, server netpoll.Connection) {
	client.AddCloseCallback(func(netpoll.Connection) error { return server.Close() })
	server.AddCloseCallback(func(netpoll.Connection) error { return client.Close() })
	server.SetOnRequest(func(_ context.Context, server netpoll.Connection) error {
		return forward(server, client)
	})
}

// forward copies what has arrived at one end to the other.
func forward(from, to netpoll.Connection) error {
	in := from.Reader()
	seen, err := in.Next(in.Len())
	if err != nil {
		return err
	}
	if _, err := to.Writer().WriteBinary(seen); err != nil {
		return err
	}
	if err := to.Writer().Flush(); err != nil {
		return from.Close()
	}
	return in.Release()
}
