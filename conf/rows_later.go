package conf

// laterCommands are known and will come. Until then they are errors, and turning them off is none.
var laterCommands = []*Command{
	{Name: "dsr_if", Args: "INTERFACE", Help: "Use an interface for direct server return.", Later: true, kind: absent("")},
	{
		Name: "tarpit_acl", Args: "[N]", Help: "Answer for addresses on access list N that nobody has.",
		Later: true, kind: absent(""), reply: sayTarpit,
	},
}

// absent is the kind of a setting that does not exist yet; line is what is written for it, "" for nothing.
func absent(line string) kind {
	k := kind{set: func(c *call) error { return c.wrong("not available in this version of pen") }}
	if line == "" {
		return k
	}
	k.off = func(*call) error { return nil }
	k.lines = func(*Command, *Settings, *Service) []string { return []string{line} }
	return k
}

// sayTarpit replies, without a line end like pen, that there is no tarpit.
func sayTarpit(c *call) error {
	c.printf("tarpit_acl = -1")
	return nil
}
