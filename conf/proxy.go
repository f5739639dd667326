package conf

// Proxy says whether clients come through another proxy that tells who they are.
type Proxy struct {
	Accept bool // proxy_protocol accept N: peers on the list begin with a PROXY header
	ACL    int  // N: index into Settings.ACL, the peers whose word is taken
}

// ProxyVersion is the form of the PROXY header that a server wants; 0 = none.
type ProxyVersion uint8

// The forms of the header. Version 1 is a line of text, version 2 is binary; for datagrams there is only version 2.
const (
	ProxyNone ProxyVersion = iota
	ProxyV1
	ProxyV2
)

var proxyVersions = [...]string{"none", "v1", "v2"}

// String returns the word of the command server.
func (v ProxyVersion) String() string { return proxyVersions[v] }

// Route sends the TLS clients that ask for a name, or for a protocol, to some of the servers. The first route that fits
// counts. Clients that none fits, and those that do not speak TLS, go to the servers that no route names.
type Route struct {
	Kind    RouteKind
	Name    string // sni: a host, or *.domain for those one label below; alpn: a protocol
	Servers []int
}

// RouteKind is what a route looks at.
type RouteKind uint8

// The kinds of routes.
const (
	RouteSNI     RouteKind = iota // the host that the client asks for, RFC 6066
	RouteALPN                     // a protocol that it offers, RFC 7301
	RouteDefault                  // nothing: it fits every client
)

var routeKinds = [...]string{"sni", "alpn", "default"}

// String returns the word of the command route.
func (k RouteKind) String() string { return routeKinds[k] }
