package control

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"time"

	"pen/conf"
	"pen/engine"
)

// report is what the status page and the text of USR1 show about one service, collected at one time.
type report struct {
	at             time.Time
	service        *conf.Service
	last           int // the server chosen last, which pen calls current
	servers        []conf.ServerStatus
	clientsMax     int
	clients        []conf.ClientStatus
	connectionsMax int
	connections    []conf.ConnectionStatus // by number
}

func newReport(s *conf.Settings, service *conf.Service, from *engine.Engine) report {
	connections := from.Connections(service.Name)
	slices.SortFunc(connections, func(a, b conf.ConnectionStatus) int { return cmp.Compare(a.Number, b.Number) })
	return report{
		at:             time.Now(),
		service:        service,
		last:           from.LastServer(service.Name),
		servers:        servers(from, service),
		clientsMax:     s.Limits.Clients,
		clients:        from.Clients(service.Name, math.MaxInt64),
		connectionsMax: from.ConnectionsMax(),
		connections:    connections,
	}
}

// servers returns the state of the servers of a service, with the address that pen shows for an unused place.
func servers(e *engine.Engine, service *conf.Service) []conf.ServerStatus {
	list := e.Servers(service.Name)
	for i := range list {
		if list[i].Address == "" {
			list[i].Address = "0.0.0.0"
		}
	}
	return list
}

// The first and the last lines of the page.
const (
	pageHead = "<html>\n<head>\n<title>Pen status page</title>\n</head>\n<body bgcolor=\"#ffffff\"><h1>Pen status page</h1>\n"
	pageFoot = "</body>\n</html>\n"
)

// page is the whole HTML report: of several services one below the other, each under its name.
func page(reports ...report) []byte {
	var p htmlWriter
	p.WriteString(pageHead)
	for _, r := range reports {
		if len(reports) > 1 {
			fmt.Fprintf(&p, "<h2>Service %s</h2>\n", html.EscapeString(r.service.Name))
		}
		r.html(&p)
	}
	p.WriteString(pageFoot)
	return p.Bytes()
}

// html writes the part of the page about one service.
func (r *report) html(p *htmlWriter) {
	fmt.Fprintf(p, "Time %s, %d servers, %d current<p>\n", r.at.Format(timeFormat), len(r.servers), r.last)
	p.open("server", "address", "status", "port", "connections", "max soft", "max hard", "sent", "received", "weight", "prio")
	for i, s := range r.servers {
		set := r.limits(i)
		p.row(i, s.Address, s.Failed, s.Port, s.Connections, set.Max, set.Hard, s.Sent, s.Received, set.Weight, set.Prio)
	}
	p.close()

	fmt.Fprintf(p, "<h2>Active clients</h2>Max number of clients: %d<p>", r.clientsMax)
	p.open("client", "address", "age(secs)", "last server", "connects", "sent", "received")
	for _, c := range r.clients {
		p.row(c.Index, c.Address, int64(c.Age.Seconds()), c.Server, c.Connects, c.Sent, c.Received)
	}
	p.close()

	fmt.Fprintf(p, "<h2>Active connections</h2>Number of connections: %d max, %d used, %d last<p>",
		r.connectionsMax, len(r.connections), r.lastConnection())
	p.open("connection", "downfd", "upfd", "pending data down", "pending data up", "client", "server")
	for _, c := range r.connections {
		p.row(c.Number, c.DownFD, c.UpFD, c.PendingDown, c.PendingUp, c.ClientIndex, c.Server)
	}
	p.close()
}

// limits returns the settings of server i; the engine may still know a server that the settings have just lost.
func (r *report) limits(i int) conf.Server {
	if i < len(r.service.Servers) {
		return r.service.Servers[i]
	}
	return conf.Server{}
}

// lastConnection is the highest number in use: where pen begins to look for the next free one.
func (r *report) lastConnection() int {
	if len(r.connections) == 0 {
		return 0
	}
	return r.connections[len(r.connections)-1].Number
}

// text is the report as messages of the log.
func (r *report) text() []string {
	messages := []string{fmt.Sprintf("Time %s, %d servers, %d current", r.at.Format(timeFormat), len(r.servers), r.last)}
	say := func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }
	for i, s := range r.servers {
		set := r.limits(i)
		say("Server %d status:\naddress %s\n%d\nport %d\n%d connections (%d soft, %d hard)\n%d sent, %d received\n",
			i, s.Address, s.Failed, s.Port, s.Connections, set.Max, set.Hard, s.Sent, s.Received)
	}
	say("Max number of clients: %d", r.clientsMax)
	say("Active clients:")
	for _, c := range r.clients {
		say("Client %d status:\naddress %s\nlast used %d\nlast server %d\nconnects %d\n%d sent, %d received\n",
			c.Index, c.Address, r.at.Add(-c.Age).Unix(), c.Server, c.Connects, c.Sent, c.Received)
	}
	say("Max number of connections: %d", r.connectionsMax)
	say("Active connections:")
	for _, c := range r.connections {
		say("Connection %d status:\ndownfd = %d, upfd = %d\npending data %d down, %d up\nclient %d, server %d\n",
			c.Number, c.DownFD, c.UpFD, c.PendingDown, c.PendingUp, c.ClientIndex, c.Server)
	}
	return messages
}

// htmlWriter writes the tables of the page.
type htmlWriter struct{ bytes.Buffer }

func (p *htmlWriter) open(heads ...string) {
	p.WriteString("<table bgcolor=\"#c0c0c0\">\n<tr>\n")
	for _, head := range heads {
		fmt.Fprintf(p, "<td bgcolor=\"#80f080\">%s</td>\n", head)
	}
	p.WriteString("</tr>\n")
}

func (p *htmlWriter) row(cells ...any) {
	p.WriteString("<tr>\n")
	for _, cell := range cells {
		fmt.Fprintf(p, "<td>%s</td>\n", html.EscapeString(fmt.Sprint(cell)))
	}
	p.WriteString("</tr>\n")
}

func (p *htmlWriter) close() { p.WriteString("</table>\n") }
