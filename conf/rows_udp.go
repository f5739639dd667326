package conf

import "time"

// udp is the command that makes a service one of datagrams. A file says it before the addresses, whose ports may have
// names.
var udp = &Command{
	Name: "udp", Help: "Forward datagrams, like option -U.", NoHelp: "Forward streams.", perService: true,
	kind: withNames(toggle(func(_ *Settings, v *Service) *bool { return &v.UDP })),
}

// withNames makes a change of the network an error if the name of a port in an address is none of the new network.
func withNames(k kind) kind {
	checked := func(do func(*call) error) func(*call) error {
		return func(c *call) error {
			v := c.service
			was := v.UDP
			if err := do(c); err != nil {
				return err
			}
			if err := v.namesKnown(); err != nil {
				v.UDP = was
				return c.wrong("%v", err)
			}
			return nil
		}
	}
	k.set, k.off = checked(k.set), checked(k.off)
	return k
}

// namesKnown says if an address of the service has the name of a port that its network does not know.
func (v *Service) namesKnown() error {
	if v.Listen != "" {
		if _, err := ParseListen(v.Listen, v.Network()); err != nil {
			return err
		}
	}
	for _, spare := range [...]string{v.Emergency, v.Abuse} {
		if spare == "" {
			continue
		}
		if _, err := ParseServer(spare, 0, v.Network()); err != nil {
			return err
		}
	}
	return nil
}

// maxResponses bounds udp_responses; who expects more wants the timeout.
const maxResponses = 1 << 16

// datagramCommands are about services that forward datagrams.
var datagramCommands = []*Command{
	udp,
	{
		Name: "datagrams", Args: "[json]", Help: "Show the flows and datagrams of a service: who sent how many, and why some were dropped.",
		perService: true, reply: sayDatagrams,
	},
	{
		Name: "udp_responses", Args: "[N]",
		Help:       "End a flow of datagrams when the server has sent N for each of the client, or not for that reason if 0, and show N.",
		perService: true, reply: sayValue,
		kind: count("a number of answers", 0, maxResponses, func(_ *Settings, v *Service) *int { return &v.Flow.Responses }),
	},
	{
		Name: "udp_timeout", Args: "[SECONDS]",
		Help:       "End a flow of datagrams on which nothing happened for so long, or never if 0, and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.Flow.Timeout }),
	},
}

// sayDatagrams replies with the counters of datagrams of a service.
func sayDatagrams(c *call) error {
	json := c.asJSON()
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	d := c.draft.rt.Datagrams(c.service.Name)
	if json {
		return c.json(d)
	}
	c.printf("flows active %d begun %d moved %d evicted %d\n", d.Flows.Active, d.Flows.Begun, d.Flows.Moved, d.Flows.Evicted)
	for _, line := range [...]struct {
		name string
		Traffic
	}{
		{"from clients", d.FromClients}, {"to servers", d.ToServers}, {"from servers", d.FromServers}, {"to clients", d.ToClients},
	} {
		c.printf("%s %d bytes %d\n", line.name, line.Datagrams, line.Bytes)
	}
	for _, drop := range d.Dropped {
		c.printf("dropped %s %d\n", drop.Why, drop.Datagrams)
	}
	return nil
}
