package conf

// help replies with a line for each form of each command, or with the forms of one.
func help(c *call) error {
	if len(c.args) == 0 {
		for _, row := range table {
			c.printf("%s", row.Text())
		}
		return nil
	}
	name := c.args[0]
	row := Lookup(name)
	if row == nil {
		return c.wrong("%s", unknown(clip(name)).Text)
	}
	c.printf("%s", row.Text())
	if row.Where != Anywhere {
		c.printf("    Only %s.\n", row.Where)
	}
	return nil
}

// Text returns the help: for each form the usage and, indented, what it does.
func (c *Command) Text() string {
	text := c.Usage() + "\n    " + c.Help + "\n"
	if c.Later {
		text += "    Not available in this version of pen.\n"
	}
	if c.NoHelp != "" {
		text += c.NoUsage() + "\n    " + c.NoHelp + "\n"
	}
	return text
}
