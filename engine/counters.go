package engine

// counters are what one reactor has counted. They are plain integers that only it touches; others ask for a copy
// through its mailbox.
type counters struct {
	accepted uint64
	denied   uint64            // by an access list
	unserved uint64            // no server could be had
	panics   uint64            // sessions that were closed because of a defect in pen
	servers  []*serverCounters // by server.id
}

// serverCounters is the traffic between one reactor and one server.
type serverCounters struct {
	connects uint64
	failed   uint64 // connects that were refused or timed out
	sent     uint64 // bytes
	received uint64
}

// server returns the counters of a server.
func (c *counters) server(id int32) *serverCounters {
	for int(id) >= len(c.servers) {
		c.servers = append(c.servers, &serverCounters{})
	}
	return c.servers[id]
}
