package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"pen/conf"
	"pen/engine/certs"
)

// plan is a configuration compiled for the reactors: names resolved, lists compiled, listeners open. It never changes
// after it has been published; each reactor loads the pointer once per turn.
type plan struct {
	settings *conf.Settings
	services []*service
	matchers [conf.ACLs]*conf.Matcher
	geoip    *geoip // nil = none
}

// service is one front of a plan.
type service struct {
	conf      *conf.Service
	state     *serviceState
	choice    *choice
	routes    []route  // none = all clients may get all servers; else the last one fits everybody
	looks     bool     // a route looks at the ClientHello
	addr      *address // nil = not listening
	places    []place
	index     []int32 // by server.id: place of a server, none if it is not in this plan
	emergency *place  // nil = none
	abuse     *place  // nil = none
	source    *address
	tls       *certs.Front // nil = clients speak no TLS
	acl       *conf.Matcher
	trusted   *conf.Matcher // whose PROXY headers count
	http      *httpRules    // nil = requests are not looked at
	logNet    bool          // the request log goes to a penlogd
	sockets   []int         // that listen, one for each reactor, which owns it; -1 = another reactor has the only one
}

// serviceState is what a service keeps from one plan to the next. It is found again by name.
type serviceState struct {
	id   int32
	line *line
	logs *Logs
}

// choice is what choosing keeps from one plan to the next, of a service or of one of its routes. It is found again by name.
type choice struct {
	id     int32                  // by which the client table tells its clients from others
	turn   atomic.Int32           // index that round robin handed out last
	maglev atomic.Pointer[maglev] // nil = was never asked for; written by the control goroutine
}

// indexOf returns the place of a server in this plan, none if it has none.
func (v *service) indexOf(id int32) int {
	if id < 0 || int(id) >= len(v.index) {
		return none
	}
	return int(v.index[id])
}

// listening returns the service that a reactor's socket is for, nil if the plan does not have it.
func (p *plan) listening(reactor, fd int) *service {
	for _, v := range p.services {
		if v.sockets != nil && v.sockets[reactor] == fd {
			return v
		}
	}
	return nil
}

// named returns the service of a name, nil if there is none. A nil plan has none.
func (p *plan) named(name string) *service {
	if p != nil {
		for _, v := range p.services {
			if v.conf.Name == name {
				return v
			}
		}
	}
	return nil
}

// renewed returns the service of this plan that an older plan's service has become, or the route of one, nil if there is
// none.
func (p *plan) renewed(old *service) *service {
	for _, v := range p.services {
		if v.state == old.state {
			return v.along(old.choice)
		}
	}
	return nil
}

// socketsOn returns the sockets of whichever service listens on an address, for datagrams or for streams, nil if none
// does. A nil plan has none.
func (p *plan) socketsOn(a *address, datagrams bool) []int {
	if p != nil {
		for _, v := range p.services {
			if v.sockets != nil && v.conf.UDP == datagrams && v.addr.String() == a.String() {
				return v.sockets
			}
		}
	}
	return nil
}

// usesPort tells if a service listens on a port of any address, for datagrams or for streams. A nil plan has none.
func (p *plan) usesPort(port uint16, datagrams bool) bool {
	return p != nil && slices.ContainsFunc(p.services, func(v *service) bool {
		return v.sockets != nil && v.conf.UDP == datagrams && v.addr.ip.Port() == port
	})
}

// registry finds again what survives a change of plan. It belongs to the control goroutine.
type registry struct {
	services map[string]*serviceState
	choices  map[string]*choice // by name of the service, and of the route
	servers  map[serverKey]*server
	byID     []*server // by server.id
	names    resolver
	start    time.Time // of the engine's clock
	nextID   int32     // of a server
	reread   bool      // the next compile reads files anew
}

// serverKey tells servers apart: by address, and by their order where one address stands in several places.
type serverKey struct {
	service string
	address string
	nth     int
}

func newRegistry() *registry {
	return &registry{services: map[string]*serviceState{}, choices: map[string]*choice{}, servers: map[serverKey]*server{}}
}

func (g *registry) service(name string) *serviceState {
	s, ok := g.services[name]
	if !ok {
		s = &serviceState{id: int32(len(g.services)), line: &line{start: g.start}, logs: &Logs{newSink[byte](), newSink[AccessRecord]()}}
		g.services[name] = s
	}
	return s
}

func (g *registry) choice(name string) *choice {
	c, ok := g.choices[name]
	if !ok {
		c = &choice{id: int32(len(g.choices))}
		g.choices[name] = c
	}
	return c
}

func (g *registry) server(key serverKey, a *address) *server {
	v, ok := g.servers[key]
	if !ok {
		v = &server{id: g.nextID, addr: a, line: g.service(key.service).line, hash: hashKey(key)}
		v.share.Store(100)
		g.byID = append(g.byID, v)
		g.nextID++
		g.servers[key] = v
	}
	return v
}

// compile makes a plan out of settings. Access lists that have not changed since the old plan are taken from there.
func (g *registry) compile(s *conf.Settings, old *plan) (*plan, error) {
	p := &plan{settings: s}
	if err := g.compileLists(p, old); err != nil {
		return nil, err
	}
	for _, c := range s.Services {
		v, err := g.compileService(p, old, c)
		if err != nil {
			if len(s.Services) > 1 {
				err = fmt.Errorf("service %s: %w", c.Name, err)
			}
			return nil, err
		}
		p.services = append(p.services, v)
	}
	return p, nil
}

// compileLists compiles the access lists and opens the database of countries that they refer to.
func (g *registry) compileLists(p, old *plan) (err error) {
	s, reread := p.settings, g.reread
	g.reread = false // also if it fails: the next change has nothing to do with the file
	if old != nil && old.settings.GeoIP == s.GeoIP && !reread {
		p.geoip = old.geoip
	} else if p.geoip, err = openGeoIP(s.GeoIP); err != nil {
		return err
	}
	for i := range s.ACL {
		if old != nil && old.geoip == p.geoip && slices.Equal(s.ACL[i], old.settings.ACL[i]) {
			p.matchers[i] = old.matchers[i]
		} else {
			p.matchers[i] = s.ACL[i].Compile(p.geoip.country)
		}
	}
	return nil
}

func (g *registry) compileService(p, old *plan, c *conf.Service) (*service, error) {
	if err := streamsOnly(c); err != nil {
		return nil, err
	}
	if c.TCP.Transparent && !canForeign {
		return nil, errors.New("transparent: this system has no connections from addresses of others")
	}
	v := &service{conf: c, state: g.service(c.Name), choice: g.choice(c.Name), acl: p.matchers[c.ClientACL], trusted: p.matchers[c.Proxy.ACL], http: compileHTTP(p, &c.HTTP)}
	seen := map[string]int{}
	_, _, v.logNet = conf.LogAddress(c.Log)
	var err error
	was := old.named(c.Name)
	if v.tls, err = compileTLS(&c.TLS, was); err != nil {
		return nil, err
	}
	for i := range c.Servers {
		if err = g.compilePlace(p, v, i, seen); err == nil {
			err = v.places[i].compileTLS(&c.Servers[i], was)
		}
		if err != nil {
			return nil, fmt.Errorf("server %d: %w", i, err)
		}
	}
	if v.emergency, err = g.special(c, c.Emergency, emergencyIndex); err != nil {
		return nil, fmt.Errorf("emergency server: %w", err)
	}
	if v.abuse, err = g.special(c, c.Abuse, abuseIndex); err != nil {
		return nil, fmt.Errorf("abuse server: %w", err)
	}
	if v.source, err = g.names.source(c.TCP.Source); err != nil {
		return nil, err
	}
	if c.Listen != "" {
		if v.addr, err = g.names.listen(c.Listen, c.Network()); err != nil {
			return nil, err
		}
	}
	v.index = v.indexPlaces(int(g.nextID))
	if err := g.compileRoutes(v); err != nil {
		return nil, err
	}
	return v, nil
}

// indexPlaces returns the places of n servers by server.id.
func (v *service) indexPlaces(n int) []int32 {
	index := slices.Repeat([]int32{none}, n)
	for i := range v.places {
		if p := &v.places[i]; p.server != nil {
			index[p.id] = int32(i)
		}
	}
	return index
}

// streamsOnly refuses for datagrams what works with streams alone.
func streamsOnly(c *conf.Service) error {
	switch {
	case !c.UDP:
	case c.Dummy:
		return errors.New("dummy: it answers streams, not datagrams; turn off dummy or udp")
	case c.HTTP.On:
		return errors.New("http: there are no requests in datagrams; turn off http or udp")
	case c.Idlers > 0:
		return errors.New("idlers: there are no idle connections for datagrams; set idlers to 0 or turn off udp")
	case c.TLS.On():
		return errors.New("ssl_cert, ssl_sni_path: TLS needs streams, not datagrams; unset them or turn off udp")
	case slices.ContainsFunc(c.Servers, func(s conf.Server) bool { return s.TLS.On }):
		return errors.New("server: TLS needs streams, not datagrams; say tls off or turn off udp")
	case slices.ContainsFunc(c.Servers, func(s conf.Server) bool { return s.Proxy == conf.ProxyV1 }):
		return errors.New("server: proxy_protocol v1 is a line in front of a stream; datagrams take v2")
	case len(c.Routes) > 0:
		return errors.New("route: datagrams have no ClientHello that it could look at; delete the routes or turn off udp")
	}
	return nil
}

func (g *registry) compilePlace(p *plan, v *service, i int, seen map[string]int) error {
	c := &v.conf.Servers[i]
	l := place{index: i, max: c.Max, hard: c.Hard, weight: c.Weight, prio: c.Prio, acl: p.matchers[c.ACL],
		admin: c.Admin, proxy: c.Proxy, slow: int64(v.conf.Health.SlowStart)}
	if c.Address != "" {
		a, err := g.names.server(c.Address, c.Port)
		if err != nil {
			return err
		}
		l.server = g.server(serverKey{v.conf.Name, a.String(), seen[a.String()]}, a)
		seen[a.String()]++
	}
	v.places = append(v.places, l)
	return nil
}

// special makes the place of an emergency or abuse server, which has no number, no limit and no list.
// Its port defaults to the one that the service listens on.
func (g *registry) special(c *conf.Service, address string, index int) (*place, error) {
	if address == "" {
		return nil, nil
	}
	port := 0
	if l, err := conf.ParseListen(c.Listen, c.Network()); err == nil {
		port = l.Port
	}
	s, err := conf.ParseServer(address, port, c.Network())
	if err != nil {
		return nil, err
	}
	a, err := g.names.server(s.Address, s.Port)
	if err != nil {
		return nil, err
	}
	return &place{server: g.server(serverKey{c.Name, a.String(), index}, a), index: index}, nil
}
