package conf

import (
	"errors"
	"io"
	"time"
)

// fileCommands read and write files of commands.
var fileCommands = []*Command{
	{
		Name: "check", Args: "FILE", Help: "Read commands from a file without carrying them out, and show what is wrong with them.",
		Where: AtStart | OnControl, reply: check,
	},
	{
		Name: "include", Args: "FILE", Help: "Carry out the commands of a file: all of them, or none if one is wrong.",
		kind: kind{set: include},
	},
	{
		Name: "write", Args: "[FILE]", Help: "Write the settings to a file, or to the one of option -F, from which the program can be started.",
		Where: AtStart | OnControl, reply: write,
	},
}

// include executes a file. Lines like service NAME in it have no effect behind its end.
func include(c *call) error {
	d, out := c.draft, c.out
	if d.Included != nil {
		out = d.Included
	}
	if d.depth == 0 {
		d.errors = 0
	}
	service := d.state.service
	d.state.service = c.service.Name
	err := d.load(c.args[0], out)
	d.state.service = service
	if d.state.set.Service(service) == nil { // the file has removed it
		d.state.service = d.state.set.Services[0].Name
	}
	return c.located(err)
}

// check loads a file into a draft of its own.
func check(c *call) error {
	d := NewDraft(c.set, c.draft.rt)
	err := d.Load(c.args[0], io.Discard)
	if err == nil && c.draft.Compile != nil {
		err = c.draft.Compile(d.Settings())
	}
	if err == nil {
		c.printf("%s: no errors\n", c.args[0])
	}
	return c.located(err)
}

// located returns an error that says where it is as it is, and any other one with the name of the command.
func (c *call) located(err error) error {
	if e, ok := errors.AsType[*Error](err); err == nil || ok && e.File != "" {
		return err
	}
	return c.wrong("%v", err)
}

// write saves the settings.
func write(c *call) error {
	file := c.set.Process.ConfigFile
	if len(c.args) > 0 {
		file = c.args[0]
	}
	if file == "" {
		return c.wrong("expected a file, since the program was started without option -F")
	}
	if err := Save(c.set, file, time.Now()); err != nil {
		return c.wrong("%v", err)
	}
	return nil
}
