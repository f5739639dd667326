package conf

import (
	"slices"
	"strconv"
)

// accessCommands are about who may connect.
var accessCommands = []*Command{
	{
		Name: "acl", Args: "N permit|deny ADDRESS[/LENGTH]|country [MASK|XX]",
		Help:   "Add an entry to access list N (0 to 9): an IPv4 address with a mask, an IPv6 address with the length of a prefix, or a country.",
		NoArgs: "N", NoHelp: "Delete all entries of access list N, which then permits everything.",
		kind: kind{set: addEntry, off: clearList, lines: listLines},
	},
	{
		Name: "client_acl", Args: "[N]", Help: "Check clients against access list N and show N.",
		perService: true, reply: sayValue,
		kind: list(func(_ *Settings, v *Service) *int { return &v.ClientACL }),
	},
	{
		Name: "control_acl", Args: "[N]", Help: "Check those who connect to the control port against access list N and show N.",
		reply: sayValue,
		kind:  list(func(s *Settings, _ *Service) *int { return &s.Control.ACL }),
	},
	{
		Name: "geoip", Args: "[FILE]", Help: "Take the countries of addresses from a MaxMind database and show its name.",
		NoHelp: "Know no countries.", reply: sayValue,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.GeoIP }),
	},
}

// addEntry appends an entry to a list.
func addEntry(c *call) error {
	n, err := c.number("the number of an access list", c.args[0], 0, ACLs-1)
	if err != nil {
		return err
	}
	e, err := parseEntry(c.args[1:])
	if err != nil {
		return c.wrong("%v", err)
	}
	c.set.ACL[n] = append(c.set.ACL[n], e)
	return nil
}

// clearList deletes all entries of a list.
func clearList(c *call) error {
	n, err := c.number("the number of an access list", c.args[0], 0, ACLs-1)
	if err != nil {
		return err
	}
	c.set.ACL[n] = nil
	return nil
}

// listLines recreate all lists.
func listLines(_ *Command, s *Settings, _ *Service) []string {
	var lines []string
	for n, list := range s.ACL {
		number := strconv.Itoa(n)
		lines = slices.Grow(lines, 1+len(list))
		lines = append(lines, "no acl "+number)
		for _, e := range list {
			lines = append(lines, "acl "+number+" "+e.String())
		}
	}
	return lines
}
