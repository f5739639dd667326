package conf

import (
	"slices"
	"strconv"
	"strings"
)

// proxyCommands are about what clients say before the bytes that servers get: a PROXY header, a ClientHello.
var proxyCommands = []*Command{
	{
		Name: "proxy_protocol", Args: "[accept] [N]",
		Help:   "Take the PROXY header, with which each connection of a peer that access list N permits must begin, as the client's word, and show the setting.",
		NoHelp: "Expect no PROXY header.", perService: true, reply: sayValue,
		kind: kind{set: setProxy, off: noProxy, lines: proxyLines},
	},
	{
		Name: "route", Args: "[sni|alpn|default] [NAME] [server] [N]...",
		Help: "Send TLS clients that ask for host NAME (or *.DOMAIN), or offer protocol NAME, or else all, to these servers, " +
			"without taking part in their TLS, and show the routes.",
		NoArgs: "[sni|alpn|default] [NAME]", NoHelp: "Delete a route, or all.", perService: true, reply: sayValue,
		kind: kind{set: setRoute, off: noRoute, lines: routeLines},
	},
}

func setProxy(c *call) error {
	if c.args[0] != "accept" || len(c.args) != 2 {
		return c.wrong("expected accept and the number of an access list with the peers to trust, not '%s'", clip(strings.Join(c.args, " ")))
	}
	n, err := c.number("the number of an access list", c.args[1], 0, ACLs-1)
	if err != nil {
		return err
	}
	c.service.Proxy = Proxy{true, n}
	return nil
}

func noProxy(c *call) error {
	c.service.Proxy = Proxy{}
	return nil
}

func proxyLines(_ *Command, _ *Settings, v *Service) []string {
	if !v.Proxy.Accept {
		return []string{"no proxy_protocol"}
	}
	return []string{"proxy_protocol accept " + strconv.Itoa(v.Proxy.ACL)}
}

// maxRoutes bounds how many routes each connection may have to be compared with.
const maxRoutes = 1000

// setRoute adds a route, or gives the one of the same name other servers.
func setRoute(c *call) error {
	r, rest, err := c.parseRoute(c.args)
	if err != nil {
		return err
	}
	if len(rest) < 2 || rest[0] != "server" {
		return c.wrong("expected the word server and numbers of servers, not '%s'", clip(strings.Join(rest, " ")))
	}
	for _, word := range rest[1:] {
		n, err := c.number("the number of a server", word, 0, MaxServers-1)
		if err != nil {
			return err
		}
		if !slices.Contains(r.Servers, n) {
			r.Servers = append(r.Servers, n)
		}
	}
	routes := slices.Clone(c.service.Routes)
	if i := slices.IndexFunc(routes, r.same); i >= 0 {
		routes[i] = r
	} else if len(routes) == maxRoutes {
		return c.wrong("expected at most %d routes", maxRoutes)
	} else {
		routes = append(routes, r)
	}
	c.service.Routes = routes
	return nil
}

func noRoute(c *call) error {
	if len(c.args) == 0 {
		c.service.Routes = nil
		return nil
	}
	r, rest, err := c.parseRoute(c.args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return c.wrong("expected no more than the name of a route, not '%s'", clip(strings.Join(rest, " ")))
	}
	left := slices.DeleteFunc(slices.Clone(c.service.Routes), r.same)
	if len(left) == 0 {
		left = nil
	}
	c.service.Routes = left
	return nil
}

// same tells if two routes look for the same.
func (r Route) same(other Route) bool { return r.Kind == other.Kind && r.Name == other.Name }

// parseRoute takes a kind and, where it has one, a name, and returns the other words.
func (c *call) parseRoute(words []string) (r Route, rest []string, err error) {
	k := slices.Index(routeKinds[:], words[0])
	if k < 0 {
		return r, nil, c.wrong("expected sni, alpn or default, not '%s'", clip(words[0]))
	}
	r.Kind, rest = RouteKind(k), words[1:]
	if r.Kind == RouteDefault {
		return r, rest, nil
	}
	if len(rest) == 0 || rest[0] == "" {
		return r, nil, c.wrong("expected a name after %s", r.Kind)
	}
	r.Name = rest[0]
	if r.Kind == RouteSNI {
		r.Name = strings.ToLower(r.Name)
		if err := validHost(strings.TrimPrefix(r.Name, "*.")); err != nil || len(r.Name) > maxDomain {
			return r, nil, c.wrong("expected the name of a host or *.DOMAIN, not '%s'", clip(words[1]))
		}
	} else if len(r.Name) > maxProtocol {
		return r, nil, c.wrong("expected the name of a protocol of at most %d bytes", maxProtocol)
	}
	return r, rest[1:], nil
}

const maxProtocol = 255 // bytes, RFC 7301

func routeLines(_ *Command, _ *Settings, v *Service) []string {
	lines := []string{"no route"}
	for _, r := range v.Routes {
		var b strings.Builder
		b.WriteString("route " + r.Kind.String())
		if r.Kind != RouteDefault {
			b.WriteString(" " + Quote(r.Name))
		}
		b.WriteString(" server")
		for _, n := range r.Servers {
			b.WriteString(" " + strconv.Itoa(n))
		}
		lines = append(lines, b.String())
	}
	return lines
}
