package engine

// reason is why a session ended, as told in the access log. The first reason counts: what follows from it is no news.
type reason uint8

const (
	reasonNone        reason = iota
	reasonClient             // the client ended its stream first
	reasonServer             // the server did
	reasonClientReset        // the client's connection broke
	reasonServerReset        // the server's connection broke
	reasonIdle               // idle_timeout
	reasonNoServer           // every candidate refused, failed, or is full, blacklisted or barred
	reasonDenied             // by client_acl
	reasonClosed             // by the command close
	reasonExit               // pen ended
	reasonDefect             // of pen
	reasonDummy              // the built-in web server answered
	reasonLimit              // client_max or client_rate
	reasonDown               // the server was found down, and on_down is close
	reasonAnswered           // a flow of datagrams: udp_responses
	reasonEvicted            // a flow of datagrams: it made room for another
	reasonSlow               // handshake_timeout
	reasonPreface            // a trusted peer did not begin with a PROXY header that can be read
	reasonHandshake          // TLS with the client came to nothing
	reasonRequest            // a request of HTTP was refused
)

var reasonNames = [...]string{
	"-", "client", "server", "client-reset", "server-reset", "idle", "no-server", "denied", "closed", "exit", "defect", "dummy", "limit", "server-down",
	"answered", "evicted", "slow", "no-header", "handshake", "bad-request",
}

func (w reason) String() string { return reasonNames[w] }

// because notes why the session is going to end, unless that is known.
func (s *session) because(w reason) {
	if s.why == reasonNone {
		s.why = w
	}
}

// either returns the first value for the client's side and the second for the server's.
func either[T any](x side, client, server T) T {
	if x == down {
		return client
	}
	return server
}
