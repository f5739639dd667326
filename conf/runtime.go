package conf

import (
	"io"
	"time"
)

// Runtime is what a query or an action needs of the running program. The engine's control plane implements it;
// [Offline] stands in where nothing runs yet.
type Runtime interface {
	Servers(service string) []ServerStatus // one for each place of Service.Servers, in that order
	Clients(service string, within time.Duration) []ClientStatus
	Connections(service string) []ConnectionStatus
	Connection(n int) (c ConnectionStatus, open bool)
	ConnectionsMax() int                                   // size of the connection table: numbers are below it
	Owner(fd int) (connection int)                         // -1 if the descriptor belongs to no connection
	Datagrams(service string) DatagramStatus               // of a service of datagrams; of another one all is 0
	Certificates(service string) []CertificateStatus       // of TLS with clients, those first that expire first
	Idlers(service string) int                             // idle connections that are open now
	Blacklist(service string, server int, d time.Duration) // exclude for d; 0 lifts it
	CloseConnection(n int)                                 // nothing happens if n is not in use
	StatusPage(service string, w io.Writer) error          // the HTML report
	Exit(drain time.Duration)                              // end the program, after the reply has been sent
}

// ServerStatus is what a server has done so far. Bytes are counted since start and survive a new configuration.
type ServerStatus struct {
	Address           string // resolved IP address or path; as configured if it is not resolved
	Port              int    // 1 for a path, as in pen
	Connections       int    // established now
	Sent              uint64 // bytes written towards the server
	Received          uint64 // bytes read from the server
	SentDatagrams     uint64 // how many these bytes came in, in a service of datagrams
	ReceivedDatagrams uint64
	Failed            int64  // Unix time of the last failure, 0 = none or lifted: the "status" of the HTML report
	Blacklisted       bool   // excluded now
	Health            string // what probes say: up, down or probing; "" = not probed
	Reason            string // why it is down; "" = it is not
	Share             int    // percent of its weight that it gets now, by its agent and slow_start
}

// ClientStatus is one entry of the client table.
type ClientStatus struct {
	Index    int // place in the client table
	Address  string
	Age      time.Duration // since its last connection
	Server   int           // index of the server it used last; -1 = none of the table
	Connects uint64
	Sent     uint64 // bytes sent to the client
	Received uint64 // bytes received from the client
}

// ConnectionStatus is one connection.
type ConnectionStatus struct {
	Number      int
	State       int // pen's number: 0 unused, 1 connecting, 2 established, 3 half closed, 4 closing
	DownFD      int // the client's side; -1 = closed
	UpFD        int // the server's side; -1 = none yet or closed
	PendingDown int // bytes waiting for the client
	PendingUp   int // bytes waiting for the server
	Client      string
	ClientIndex int // place in the client table
	Server      int // index; -1 = none of the table
}

// DatagramStatus is what a service of datagrams has done since start; it survives a new configuration.
type DatagramStatus struct {
	Flows       FlowStatus `json:"flows"`
	FromClients Traffic    `json:"from_clients"`
	ToServers   Traffic    `json:"to_servers"`
	FromServers Traffic    `json:"from_servers"`
	ToClients   Traffic    `json:"to_clients"`
	Dropped     []Drop     `json:"dropped"` // each reason that there is, also with 0
}

// FlowStatus counts flows: a flow is what goes on between one address and port of a client and its server.
type FlowStatus struct {
	Active  int    `json:"active"`
	Begun   uint64 `json:"begun"`
	Moved   uint64 `json:"moved"`   // to another server, as their own one failed, was excluded or taken out
	Evicted uint64 `json:"evicted"` // ended to make room for others
}

// Traffic is a number of datagrams and of the bytes in them, without headers.
type Traffic struct {
	Datagrams uint64 `json:"datagrams"`
	Bytes     uint64 `json:"bytes"`
}

// Drop is how many datagrams were dropped for one reason.
type Drop struct {
	Why       string `json:"why"` // one word
	Datagrams uint64 `json:"datagrams"`
}

// CertificateStatus is a certificate that clients get.
type CertificateStatus struct {
	File    string    `json:"file"`
	Names   []string  `json:"names"` // that clients may ask for
	Kind    string    `json:"kind"`  // of its key: ECDSA, RSA or Ed25519
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	Chain   int       `json:"chain"`          // certificates that are sent, this one included
	Stapled bool      `json:"stapled"`        // an OCSP response is sent as well
	Until   time.Time `json:"until,omitzero"` // when that is out of date; zero = never, or there is none
}
