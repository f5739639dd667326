package engine

import "pen/conf"

// drop is why a datagram was not forwarded.
type drop uint8

const (
	dropDenied      drop = iota // client_acl denies the client, and there is no abuse server
	dropLimit                   // client_max or client_rate
	dropNoServer                // every candidate failed, is full, blacklisted or bars the client
	dropFull                    // no room for another flow, or no descriptor or port for it
	dropUnreachable             // the server was found dead by it, and the system did not give it back
	dropQueue                   // the queue of a socket that it was to leave from, or of a Unix socket's peer, was full
	dropSize                    // longer than the way takes
	dropRefused                 // the system refused to send it
	dropKernel                  // the receive queue of a socket of ours was full (SO_RXQ_OVFL, Linux)
	dropHeader                  // a trusted peer did not begin with a PROXY header that can be read
	drops                       // how many reasons there are
)

var dropNames = [drops]string{"denied", "limit", "no-server", "full", "unreachable", "queue", "size", "refused", "kernel", "no-header"}

func (d drop) String() string { return dropNames[d] }

// datagramCounters are what one reactor has counted for one service of datagrams, since start.
type datagramCounters struct {
	flows                                          conf.FlowStatus
	fromClients, toServers, fromServers, toClients conf.Traffic
	dropped                                        [drops]uint64
}

// count adds n datagrams of so many bytes.
func count(t *conf.Traffic, n, bytes int) {
	t.Datagrams += uint64(n)
	t.Bytes += uint64(bytes)
}

func (c *datagramCounters) drop(why drop, n int) { c.dropped[why] += uint64(n) }

// datagramsOf returns the reactor's counters of a service.
func (c *counters) datagramsOf(v *serviceState) *datagramCounters {
	return entry(&c.datagrams, v.id)
}

// Datagrams returns what a service of datagrams has done since start: flows, datagrams and bytes each way, and what was
// dropped for which reason. All is 0 for a service of streams, and for one that does not exist.
func (e *Engine) Datagrams(service string) conf.DatagramStatus {
	sum := noDatagrams()
	v := e.service(service)
	if v == nil {
		return sum
	}
	for _, c := range ask(e, func(r *reactor) datagramCounters {
		c := *r.counters.datagramsOf(v.state)
		r.eachFlow(func(f *flow) {
			if f.service.state == v.state {
				c.flows.Active++
			}
		})
		return c
	}) {
		c.addTo(&sum)
	}
	return sum
}

// noDatagrams is a sum of nothing.
func noDatagrams() (sum conf.DatagramStatus) {
	for why := range drops {
		sum.Dropped = append(sum.Dropped, conf.Drop{Why: why.String()})
	}
	return sum
}

// addTo adds what one reactor has counted.
func (c *datagramCounters) addTo(sum *conf.DatagramStatus) {
	sum.Flows.Active += c.flows.Active
	sum.Flows.Begun += c.flows.Begun
	sum.Flows.Moved += c.flows.Moved
	sum.Flows.Evicted += c.flows.Evicted
	add(&sum.FromClients, c.fromClients)
	add(&sum.ToServers, c.toServers)
	add(&sum.FromServers, c.fromServers)
	add(&sum.ToClients, c.toClients)
	for why, n := range c.dropped {
		sum.Dropped[why].Datagrams += n
	}
}

func add(to *conf.Traffic, t conf.Traffic) {
	to.Datagrams += t.Datagrams
	to.Bytes += t.Bytes
}
