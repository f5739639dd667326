package engine

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"pen/conf"
)

// Routes send TLS clients to some of the servers of a service by what their ClientHello asks for, which is in clear. The
// hello is only peeked at: the server that is chosen gets every byte of it, and pen takes no part in the TLS.
//
// A route is the service over again, with fewer places: from the moment that a session has one, all that chooses among
// the places of its service goes by the route.

// route is a way through a service.
type route struct {
	conf.Route
	service *service
}

// compileRoutes makes the routes of a service, and the one for clients that none fits, which comes last.
func (g *registry) compileRoutes(v *service) error {
	if len(v.conf.Routes) == 0 {
		return nil
	}
	named := map[int]bool{}
	for _, c := range v.conf.Routes {
		for _, n := range c.Servers {
			if n >= len(v.places) {
				return fmt.Errorf("%s: there is no server %d", strings.TrimSpace("route "+c.Kind.String()+" "+c.Name), n)
			}
			named[n] = true
		}
		v.routes = append(v.routes, route{c, g.narrowed(v, c, func(n int) bool { return slices.Contains(c.Servers, n) })})
		v.looks = v.looks || c.Kind != conf.RouteDefault
	}
	rest := conf.Route{Kind: conf.RouteDefault}
	v.routes = append(v.routes, route{rest, g.narrowed(v, rest, func(n int) bool { return !named[n] })})
	return nil
}

// narrowed returns a service with the places of one route. Its clients are remembered apart from those of the others.
func (g *registry) narrowed(v *service, c conf.Route, has func(place int) bool) *service {
	w := *v
	w.routes = nil
	w.choice = g.choice(v.conf.Name + " route " + c.Kind.String() + " " + c.Name)
	w.places = nil
	for i, p := range v.places {
		if has(i) {
			w.places = append(w.places, p)
		}
	}
	w.index = w.indexPlaces(len(v.index))
	return &w
}

// along returns the service with the places of a choice: its own, or those of one of its routes. If it does not have that
// choice any more, it is the service itself.
func (v *service) along(c *choice) *service {
	for i := range v.routes {
		if v.routes[i].service.choice == c {
			return v.routes[i].service
		}
	}
	return v
}

// choices returns what tells the clients of a service, and of its routes, from others in the client table.
func (v *service) choices() []int32 {
	ids := []int32{v.choice.id}
	for _, t := range v.routes {
		ids = append(ids, t.service.choice.id)
	}
	return ids
}

// takeRoute finds out which servers a client may get.
func (r *reactor) takeRoute(s *session) greeting {
	v := s.service
	if v.routes == nil || s.first == abuseIndex {
		return passed
	}
	var h *asked
	if v.looks {
		seen, how := r.look(s, r.pool.Scratch()[:maxHello])
		if how != passed {
			return how
		}
		size, err := helloSize(seen)
		if err == nil && size == 0 {
			return r.lookAgain(s)
		}
		if err == nil {
			h = readHello(seen[:size])
		}
	}
	i := slices.IndexFunc(v.routes, func(t route) bool { return t.fits(h) })
	s.service = v.routes[i].service
	return passed
}

// fits tells if the route is for a client; nil is one that does not speak TLS.
func (t *route) fits(h *asked) bool {
	switch {
	case t.Kind == conf.RouteDefault:
		return true
	case h == nil:
		return false
	case t.Kind == conf.RouteALPN:
		return slices.Contains(h.protocols, t.Name)
	case strings.HasPrefix(t.Name, "*."):
		_, domain, _ := strings.Cut(h.name, ".")
		return domain == t.Name[2:]
	}
	return h.name == t.Name
}

// asked is what a client asks for.
type asked struct {
	name      string // of the host, in small letters; "" = none
	protocols []string
}

const (
	maxHello = 16 << 10 // bytes of a ClientHello with its records; usual ones have less than 2,000

	recordHeader    = 5  // bytes: type, version, length; RFC 8446, 5.1
	recordHandshake = 22 // a type
	handshakeHeader = 4  // bytes: type, length; RFC 8446, 4
	clientHello     = 1  // a type
)

var errNoHello = errors.New("no ClientHello")

// helloSize returns how many bytes the records take that a ClientHello is spread over, 0 if b does not hold all of them
// yet. It looks at no more than their headers, so that a client that sends byte by byte costs little.
func helloSize(b []byte) (int, error) {
	var start []byte // of the handshake message, as much as its header
	payload, want := 0, handshakeHeader
	for at := 0; ; {
		switch left := b[at:]; {
		case len(left) > 0 && left[0] != recordHandshake, len(left) > 1 && left[1] != 3:
			return 0, errNoHello
		case len(left) < recordHeader:
			if len(b) >= maxHello {
				return 0, errNoHello
			}
			return 0, nil
		}
		n := int(binary.BigEndian.Uint16(b[at+3:]))
		if n == 0 || at+recordHeader+n > maxHello {
			return 0, errNoHello
		}
		at += recordHeader
		have := min(n, len(b)-at)
		start = append(start, b[at:at+min(have, handshakeHeader-len(start))]...)
		if len(start) > 0 && start[0] != clientHello {
			return 0, errNoHello
		}
		if len(start) == handshakeHeader {
			want = handshakeHeader + int(start[1])<<16 + int(binary.BigEndian.Uint16(start[2:]))
		}
		if have < n {
			return 0, nil
		}
		at += n
		if payload += n; payload >= want {
			return at, nil
		}
	}
}

// readHello has crypto/tls take a ClientHello apart; nil means that it can't.
func readHello(b []byte) (h *asked) {
	c := tls.Server(&heard{b: b}, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h = &asked{strings.ToLower(info.ServerName), info.SupportedProtos}
		return nil, errNoHello // that is all we want
	}})
	c.Handshake()
	return h
}

// heard is the connection on which a hello came. What is answered goes nowhere.
type heard struct {
	net.Conn
	b []byte
}

func (c *heard) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b)
	c.b = c.b[n:]
	return n, nil
}

func (c *heard) Write(p []byte) (int, error)      { return len(p), nil }
func (c *heard) Close() error                     { return nil }
func (c *heard) SetDeadline(time.Time) error      { return nil }
func (c *heard) SetReadDeadline(time.Time) error  { return nil }
func (c *heard) SetWriteDeadline(time.Time) error { return nil }
