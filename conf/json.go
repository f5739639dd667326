package conf

import (
	"encoding/json"
	"math"
	"time"
)

// What the forms with json reply, one value in one line. Names do not change; new ones may come. Times are in whole
// seconds, sizes in bytes.
type (
	// modeJSON is the reply to mode json.
	modeJSON struct {
		Hash       bool `json:"hash"`
		RoundRobin bool `json:"roundrobin"`
		Stubborn   bool `json:"stubborn"`
		Weight     bool `json:"weight"`
		Prio       bool `json:"prio"`

		LeastConnections bool `json:"least_connections"`
		TwoChoices       bool `json:"two_choices"`
		Maglev           bool `json:"maglev"`
	}

	// serviceJSON is an element of the array that services json replies.
	serviceJSON struct {
		Service string `json:"service"` // its name
		Listen  string `json:"listen"`  // as it was configured; "" = it does not listen
		UDP     bool   `json:"udp"`
		Servers int    `json:"servers"` // places in its table
	}

	// serverJSON is an element of the array that servers json replies.
	serverJSON struct {
		Server      int    `json:"server"`  // its number
		Address     string `json:"address"` // IP address or path; 0.0.0.0 = an unused place
		Port        int    `json:"port"`
		Connections int    `json:"connections"`
		Max         int    `json:"max"`
		Hard        int    `json:"hard"`
		Weight      int    `json:"weight"`
		Prio        int    `json:"prio"`
		ACL         int    `json:"acl"`
		Sent        uint64 `json:"sent"`     // towards the server
		Received    uint64 `json:"received"` // from the server

		// The same counted in datagrams.
		SentDatagrams     uint64 `json:"sent_datagrams,omitempty"`
		ReceivedDatagrams uint64 `json:"received_datagrams,omitempty"`

		Failed      int64  `json:"failed"` // Unix time of the last failure, 0 = none
		Blacklisted bool   `json:"blacklisted"`
		Health      string `json:"health"` // what probes say: up, down or probing; "" = not probed
		Reason      string `json:"reason"` // why it is down; "" = it is not
		Share       int    `json:"share"`  // percent of its weight that it gets now, by its agent and slow_start
		Admin       string `json:"admin"`  // what the operator says: ready, drain or maint
	}

	// clientJSON is an element of the array that recent json replies.
	clientJSON struct {
		Address  string `json:"address"`
		Age      int64  `json:"age"`    // since its last connection
		Server   int    `json:"server"` // the one that it used last; -1 = none of the table
		Connects uint64 `json:"connects"`
		Sent     uint64 `json:"sent"`     // to the client
		Received uint64 `json:"received"` // from the client
	}

	// connectionJSON is the reply to connection N json.
	connectionJSON struct {
		Connection  int    `json:"connection"`   // its number
		State       int    `json:"state"`        // 0 unused, 1 connecting, 2 established, 3 half closed, 4 closing
		DownFD      int    `json:"downfd"`       // the client's side; -1 = closed
		UpFD        int    `json:"upfd"`         // the server's side; -1 = closed or none yet
		PendingDown int    `json:"pending_down"` // waiting for the client
		PendingUp   int    `json:"pending_up"`   // waiting for the server
		Client      string `json:"client"`       // its address
		Server      int    `json:"server"`       // -1 = none of the table
	}

	// statusJSON is the reply to status json: what the report in HTML shows.
	statusJSON struct {
		Service        string           `json:"service"`
		Time           string           `json:"time"` // RFC 3339
		Servers        []serverJSON     `json:"servers"`
		ClientsMax     int              `json:"clients_max"`
		Clients        []clientJSON     `json:"clients"`
		ConnectionsMax int              `json:"conn_max"`
		Connections    []connectionJSON `json:"connections"`
	}
)

// json replies with a value in one line.
func (c *call) json(v any) error {
	return json.NewEncoder(c.out).Encode(v)
}

func (c *call) serversJSON() []serverJSON {
	list := []serverJSON{}
	for i, r := range c.serverStatus() {
		s := c.service.Servers[i]
		list = append(list, serverJSON{
			Server: i, Address: r.Address, Port: r.Port, Connections: r.Connections,
			Max: s.Max, Hard: s.Hard, Weight: s.Weight, Prio: s.Prio, ACL: s.ACL,
			Sent: r.Sent, Received: r.Received, Failed: r.Failed, Blacklisted: r.Blacklisted,
			Health: r.Health, Reason: r.Reason, Share: r.Share, Admin: s.Admin.String(),
			SentDatagrams: r.SentDatagrams, ReceivedDatagrams: r.ReceivedDatagrams,
		})
	}
	return list
}

func clientsJSON(clients []ClientStatus) []clientJSON {
	list := []clientJSON{}
	for _, r := range clients {
		list = append(list, clientJSON{
			Address: r.Address, Age: int64(r.Age / time.Second), Server: r.Server,
			Connects: r.Connects, Sent: r.Sent, Received: r.Received,
		})
	}
	return list
}

func connectionJSONOf(r ConnectionStatus) connectionJSON {
	return connectionJSON{
		Connection: r.Number, State: r.State, DownFD: r.DownFD, UpFD: r.UpFD,
		PendingDown: r.PendingDown, PendingUp: r.PendingUp, Client: r.Client, Server: r.Server,
	}
}

func (c *call) statusJSON() statusJSON {
	rt, name := c.draft.rt, c.service.Name
	connections := []connectionJSON{}
	for _, r := range rt.Connections(name) {
		connections = append(connections, connectionJSONOf(r))
	}
	return statusJSON{
		Service: name, Time: time.Now().Format(time.RFC3339), Servers: c.serversJSON(),
		ClientsMax: clientsMax(c), Clients: clientsJSON(rt.Clients(name, math.MaxInt64)),
		ConnectionsMax: connectionsMax(c), Connections: connections,
	}
}
