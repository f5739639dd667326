package conf

import (
	"bytes"
	"os"
	"strings"
	"time"
)

// recentDefault is how far the command recent looks back.
const recentDefault = 300 // seconds

// queryCommands ask what is going on, and end single connections.
var queryCommands = []*Command{
	{
		Name: "close", Args: "[N]", Help: "Close connection N, or 0.", Where: OnControl, reply: closeConnection,
	},
	{
		Name: "connection", Args: "[N] [json]", Help: "Show the state of connection N, or 0.", perService: true, reply: sayConnection,
	},
	{
		Name: "help", Args: "[COMMAND]", Help: "Show all commands, or one of them.", reply: help,
	},
	{
		Name: "mode", Args: "[json]", Help: "Show how servers are chosen.", perService: true, reply: sayMode,
	},
	{
		Name: "recent", Args: "[N] [json]", Help: "Show the clients that connected in the last N seconds, or 300.",
		perService: true, reply: sayRecent,
	},
	{
		Name: "servers", Args: "[json]", Help: "Show all servers with their limits and counters.", perService: true, reply: sayServers,
	},
	{
		Name: "services", Args: "[json]", Help: "Show all services with the addresses that they listen on.", reply: sayServices,
	},
	{
		Name: "socket", Args: "[N]", Help: "Show to which connection the file descriptor N, or 0, belongs.", reply: saySocket,
	},
	{
		Name: "status", Args: "[json]", Help: "Write the report in HTML to the file of web_stats and show it, or show the same as JSON.",
		Where: OnControl, perService: true, reply: sayStatus,
	},
}

// asJSON removes the word json from the end of the operands and reports whether it was there.
func (c *call) asJSON() bool {
	last := len(c.args) - 1
	if last < 0 || c.args[last] != "json" {
		return false
	}
	c.args = c.args[:last]
	return true
}

// option returns the only operand as a number, or otherwise if there is none.
func (c *call) option(what string, least, most, otherwise int) (int, error) {
	switch len(c.args) {
	case 0:
		return otherwise, nil
	case 1:
		return c.number(what, c.args[0], least, most)
	}
	return 0, c.wrong("expected json, not '%s'", clip(c.args[1]))
}

// serverStatus returns one status for each place of the table.
func (c *call) serverStatus() []ServerStatus {
	running := c.draft.rt.Servers(c.service.Name)
	list := make([]ServerStatus, len(c.service.Servers))
	for i, s := range c.service.Servers {
		if i < len(running) {
			list[i] = running[i]
			continue
		}
		list[i] = ServerStatus{Address: s.Address, Port: s.Port}
		if IsPath(s.Address) {
			list[i].Port = pathPort
		}
	}
	for i := range list {
		if list[i].Address == "" {
			list[i].Address = unused
		}
	}
	return list
}

func sayServers(c *call) error {
	if c.asJSON() {
		return c.json(c.serversJSON())
	}
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	for i, r := range c.serverStatus() {
		s := c.service.Servers[i]
		c.printf("%d addr %s port %d conn %d max %d hard %d weight %d prio %d sx %d rx %d\n",
			i, r.Address, r.Port, r.Connections, s.Max, s.Hard, s.Weight, s.Prio, r.Sent, r.Received)
	}
	return nil
}

func sayServices(c *call) error {
	if c.asJSON() {
		list := []serviceJSON{}
		for _, v := range c.set.Services {
			list = append(list, serviceJSON{v.Name, v.Listen, v.UDP, len(v.Servers)})
		}
		return c.json(list)
	}
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	for _, v := range c.set.Services {
		c.printf("%s\n", strings.TrimSpace(v.Name+" "+v.Listen))
	}
	return nil
}

func sayMode(c *call) error {
	b := c.service.Balance
	if c.asJSON() {
		return c.json(modeJSON{b.Hash, b.RoundRobin, b.Stubborn, b.Weight, b.Prio, b.LeastConnections, b.TwoChoices, b.Maglev})
	}
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	no := func(on bool) string {
		if on {
			return ""
		}
		return "no "
	}
	c.printf("%shash %sroundrobin %sstubborn %sweight %sprio", no(b.Hash), no(b.RoundRobin), no(b.Stubborn), no(b.Weight), no(b.Prio))
	for _, ours := range []struct {
		on   bool
		name string
	}{{b.LeastConnections, "least_connections"}, {b.TwoChoices, "two_choices"}, {b.Maglev, "maglev"}} {
		if ours.on { // scripts of pen do not know them
			c.printf(" %s", ours.name)
		}
	}
	c.printf("\n")
	return nil
}

func sayRecent(c *call) error {
	json := c.asJSON()
	n, err := c.option("seconds", 0, maxNumber, recentDefault)
	if err != nil {
		return err
	}
	clients := c.draft.rt.Clients(c.service.Name, time.Duration(n)*time.Second)
	if json {
		return c.json(clientsJSON(clients))
	}
	for _, r := range clients {
		c.printf("%s connects %d sx %d rx %d\n", r.Address, r.Connects, r.Sent, r.Received)
	}
	return nil
}

// connection returns the connection that the operand names; ok is false, and the reply sent, if there is none.
func (c *call) connection() (n int, ok bool, err error) {
	n, err = c.option("the number of a connection", -maxNumber, maxNumber, 0)
	if err != nil {
		return 0, false, err
	}
	if n < 0 || n >= c.draft.rt.ConnectionsMax() {
		c.printf("Connection %d out of range\n", n)
		return n, false, nil
	}
	return n, true, nil
}

func sayConnection(c *call) error {
	json := c.asJSON()
	n, ok, err := c.connection()
	if err != nil || !ok {
		return err
	}
	r, open := c.draft.rt.Connection(n)
	if !open {
		r = ConnectionStatus{Number: n, DownFD: -1, UpFD: -1}
	}
	if json {
		return c.json(connectionJSONOf(r))
	}
	const pend = 0 // what pen shows of any TCP connection, whatever is pending
	c.printf("Connection %d:\nstate = %d\ndownfd = %d, upfd = %d\nclient = %d, server = %d\npend = %d\n",
		n, r.State, r.DownFD, r.UpFD, r.ClientIndex, r.Server, pend)
	return nil
}

func closeConnection(c *call) error {
	n, ok, err := c.connection()
	if err != nil || !ok {
		return err
	}
	c.printf("Forcibly closing connection %d\n", n)
	c.later(func(rt Runtime) { rt.CloseConnection(n) })
	return nil
}

func saySocket(c *call) error {
	n, err := c.option("a file descriptor", -maxNumber, maxNumber, 0)
	if err != nil {
		return err
	}
	c.printf("Socket %d belongs to connection %d\n", n, c.draft.rt.Owner(n))
	return nil
}

func sayStatus(c *call) error {
	if c.asJSON() {
		return c.json(c.statusJSON())
	}
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	page, err := SaveStatus(c.set, c.service.Name, c.draft.rt)
	if err != nil {
		c.printf("Unable to create webstats\n")
		return nil
	}
	c.printf("%s", page)
	return nil
}

// SaveStatus writes the report in HTML about a service to the file of web_stats and returns it. It is an error if there
// is no such file, or if it cannot be written. Readers of the file find the old report or the new one.
func SaveStatus(s *Settings, service string, rt Runtime) (page []byte, err error) {
	if s.WebStats == "" {
		return nil, os.ErrNotExist
	}
	var b bytes.Buffer
	if err := rt.StatusPage(service, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), saveFile(s.WebStats, b.Bytes())
}
