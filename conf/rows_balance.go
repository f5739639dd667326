package conf

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// balanceCommands are about the servers and how one of them is chosen.
var balanceCommands = []*Command{
	{
		Name: "abuse", Args: "[HOST:PORT]", Help: "Send clients that client_acl denies to this server and show it.",
		NoHelp: "Close the connections of clients that client_acl denies.", perService: true, reply: sayValue,
		kind: text(spareServer, func(_ *Settings, v *Service) *string { return &v.Abuse }),
	},
	{
		Name: "blacklist", Args: "[SECONDS]", Help: "Leave out a server that failed for so long and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.Timeout.Blacklist }),
	},
	{
		Name: "emergency", Args: "[HOST:PORT]", Help: "Contact this server if all others are unavailable and show it.",
		NoHelp: "Have no server of last resort.", perService: true, reply: sayValue,
		kind: text(spareServer, func(_ *Settings, v *Service) *string { return &v.Emergency }),
	},
	{
		Name: "hash", Help: "Choose the first server by a hash of the client's address.",
		NoHelp: "Use no hash.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.Hash }),
	},
	{
		Name: "idlers", Args: "[N]", Help: "Keep N idle connections to the servers open and show how many there are and should be.",
		perService: true, reply: sayIdlers,
		kind: count("a number of idle connections", 0, maxTable, func(_ *Settings, v *Service) *int { return &v.Idlers }),
	},
	{
		Name: "least_connections", Help: "Choose the server with the fewest connections, a heavier one sooner.",
		NoHelp: "Do not look for the fewest connections.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.LeastConnections }),
	},
	{
		Name: "maglev", Help: "Choose the server by a consistent hash of the client's address, which few clients notice when a server comes or goes.",
		NoHelp: "Use no consistent hash.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.Maglev }),
	},
	{
		Name: "prio", Help: "Choose the server with the smallest prio.",
		NoHelp: "Do not look at the prio of servers.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.Prio }),
	},
	{
		Name: "roundrobin", Help: "Choose the servers in turn, even for a client that was here before.",
		NoHelp: "Send a client to the server that it used last.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.RoundRobin }),
	},
	{
		Name: "server", Args: "N acl|address|port|max|hard|blacklist|weight|prio|proxy_protocol|tls|probe|ready|drain|maint [VALUE] ...",
		Help:       "Change the given properties of server N, blacklist it for a number of seconds, take it out by drain or maint, bring it back by ready, tell it who the client is by a PROXY header v1, v2 or none, speak TLS to it by tls [verify CAFILE] [sni NAME] or not by tls off, or probe it by KIND, none or default.",
		perService: true,
		kind:       kind{set: setServer, lines: serverLines},
	},
	{
		Name: "stubborn", Help: "Close a client's connection if the chosen server is unavailable, without trying another one.",
		NoHelp: "Try the other servers if the chosen one is unavailable.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.Stubborn }),
	},
	{
		Name: "timeout", Args: "[SECONDS]", Help: "Give a server so long to accept a connection and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(1, func(_ *Settings, v *Service) *time.Duration { return &v.Timeout.Connect }),
	},
	{
		Name: "tracking", Args: "[SECONDS]", Help: "Remember for so long which server a client used last, or for ever if 0, and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.Timeout.Tracking }),
	},
	{
		Name: "two_choices", Help: "Choose two servers at random and of these the one with fewer connections.",
		NoHelp: "Choose nothing at random.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.TwoChoices }),
	},
	{
		Name: "weight", Help: "Choose the server with the fewest connections in proportion to its weight.",
		NoHelp: "Do not look at the weight of servers.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Balance.Weight }),
	},
}

// spareServer checks the operand of a server that has no number.
func spareServer(c *call, operand string) error {
	if _, err := ParseServer(operand, 0, c.service.Network()); err != nil {
		return c.wrong("%v", err)
	}
	return nil
}

// setServer changes server N by pairs of a key and a value, in any order. Places below N that do not exist become
// unused ones.
func setServer(c *call) error {
	n, err := c.number("the number of a server", c.args[0], 0, MaxServers-1)
	if err != nil {
		return err
	}
	var s Server
	if n < len(c.service.Servers) {
		s = c.service.Servers[n]
	}
	pairs, err := c.setHealth(&s, c.args[1:])
	if err != nil {
		return err
	}
	if len(pairs)%2 != 0 {
		return c.wrong("expected a value after '%s'", clip(pairs[len(pairs)-1]))
	}
	ban := time.Duration(-1)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[0] == "blacklist" {
			seconds, err := c.number("seconds", pair[1], 0, maxNumber)
			if err != nil {
				return err
			}
			ban = time.Duration(seconds) * time.Second
		} else if err := c.setKey(&s, pair[0], pair[1]); err != nil {
			return err
		}
	}
	if missing := n + 1 - len(c.service.Servers); missing > 0 {
		c.service.Servers = append(c.service.Servers, make([]Server, missing)...)
	}
	c.service.Servers[n] = s.tidy()
	c.note(n, pairs)
	if name := c.service.Name; ban >= 0 {
		c.later(func(rt Runtime) { rt.Blacklist(name, n, ban) })
	}
	return nil
}

// setHealth takes the words of a server that are no pairs: its switch, tls with what belongs to it, and its probe, which
// goes on to the end of the line. It returns the others.
func (c *call) setHealth(s *Server, words []string) (pairs []string, err error) {
	for i := 0; i < len(words); i++ {
		if n := slices.Index(admins[:], words[i]); n >= 0 {
			s.Admin = Admin(n)
			continue
		}
		if words[i] == "tls" {
			n, err := c.setServerTLS(s, words[i+1:])
			if err != nil {
				return nil, err
			}
			i += n
			continue
		}
		if words[i] == "probe" {
			s.Probe, err = c.parseOwnProbe(words[i+1:])
			return pairs, err
		}
		pairs = append(pairs, words[i:min(i+2, len(words))]...)
		i++
	}
	return pairs, nil
}

// parseOwnProbe takes what follows the word probe in the command server.
func (c *call) parseOwnProbe(words []string) (Probe, error) {
	switch {
	case len(words) == 0:
		return Probe{}, c.wrong("expected a probe, none or default after 'probe'")
	case len(words) == 1 && words[0] == NoProbe:
		return Probe{Kind: NoProbe}, nil
	case len(words) == 1 && words[0] == "default":
		return Probe{}, nil
	}
	return c.parseProbe(words)
}

// setKey changes one property of a server.
func (c *call) setKey(s *Server, key, value string) (err error) {
	switch key {
	case "acl":
		s.ACL, err = c.number("acl, the number of an access list,", value, 0, ACLs-1)
	case "address":
		if s.Address, err = parseAddress(value); err != nil {
			err = c.wrong("expected an address: %v", err)
		}
	case "port":
		if s.Port, err = parsePort(value, c.service.Network()); err != nil {
			err = c.wrong("%v", err)
		}
	case "max":
		s.Max, err = c.number("max, a number of connections,", value, 0, maxNumber)
	case "hard":
		s.Hard, err = c.number("hard, a number of connections,", value, 0, maxNumber)
	case "weight":
		s.Weight, err = c.number("weight, a number", value, 0, maxNumber)
	case "prio":
		s.Prio, err = c.number("prio, a number", value, 0, maxNumber)
	case "proxy_protocol":
		i := slices.Index(proxyVersions[:], value)
		if i < 0 {
			return c.wrong("expected proxy_protocol v1, v2 or none, not '%s'", clip(value))
		}
		s.Proxy = ProxyVersion(i)
	default:
		err = c.wrong("expected acl, address, port, max, hard, blacklist, weight, prio, proxy_protocol, tls, probe, ready, drain or maint, not '%s'", clip(key))
	}
	return err
}

// note remembers which keys of a server have been set: operands leave them alone.
func (c *call) note(n int, pairs []string) {
	if !c.first() {
		return
	}
	said := c.draft.state.said
	if said[n] == nil {
		said[n] = map[string]bool{}
	}
	for pair := range slices.Chunk(pairs, 2) {
		said[n][pair[0]] = true
	}
}

// serverLines recreate the table of servers. pen writes the weight and the prio of servers only when they are used, and
// so loses them; they are left out here only when there is nothing to lose.
func serverLines(_ *Command, _ *Settings, v *Service) []string {
	var lines []string
	for i, s := range v.Servers {
		address, port := s.Address, s.Port
		if IsPath(address) {
			port = pathPort
		}
		if address == "" {
			address = unused
		}
		var b strings.Builder
		field := func(key string, value int) { b.WriteString(" " + key + " " + strconv.Itoa(value)) }
		b.WriteString("server " + strconv.Itoa(i))
		field("acl", s.ACL)
		b.WriteString(" address " + Quote(address))
		field("port", port)
		field("max", s.Max)
		field("hard", s.Hard)
		if v.Balance.Weight || s.Weight != 0 {
			field("weight", s.Weight)
		}
		if v.Balance.Prio || s.Prio != 0 {
			field("prio", s.Prio)
		}
		lines = append(lines, b.String())
		if s.Admin != Ready { // a line of its own: the C pen gives up reading a line at a key that it does not know
			lines = append(lines, "server "+strconv.Itoa(i)+" "+s.Admin.String())
		}
		if s.Proxy != ProxyNone {
			lines = append(lines, "server "+strconv.Itoa(i)+" proxy_protocol "+s.Proxy.String())
		}
		if s.TLS.On {
			lines = append(lines, "server "+strconv.Itoa(i)+s.TLS.words())
		}
		if s.Probe.Kind != "" {
			lines = append(lines, "server "+strconv.Itoa(i)+" probe "+s.Probe.words())
		}
	}
	return lines
}

// pathPort is what pen shows and writes as the port of a path.
const pathPort = 1

// sayIdlers replies how many idle connections there are, before this change, and should be.
func sayIdlers(c *call) error {
	c.printf("Idlers: %d/%d\n", c.draft.rt.Idlers(c.service.Name), c.service.Idlers)
	return nil
}
