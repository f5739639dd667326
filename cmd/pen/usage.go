package main

import (
	"fmt"
	"strings"

	"pen/conf"
)

// The answer to --help, and to a command line that gives pen nothing to do, around the list of options.
const (
	usageHead = `usage:
  pen [options] [host:]port|/path/to/socket server ...
  pen [options] -F file
  pen --check -F file

  A server is host[:port[:max[:hard[:weight[:prio]]]]] or /path/to/socket. Options may follow the operands.
`
	usageFoot = `
example:
  pen smtp mailhost1:smtp mailhost2:25 mailhost3
`
)

// usageColumn is where the help of an option starts.
const usageColumn = 28

// usage returns the whole text.
func usage() string {
	var b strings.Builder
	b.WriteString(usageHead)
	for _, group := range optionGroups[:usageGroups] {
		b.WriteByte('\n')
		for _, o := range group {
			fmt.Fprintf(&b, "%-*s%s\n", usageColumn, "  "+o.usage()+" ", o.help+o.later())
		}
	}
	b.WriteString("\n  Obsolete and without effect:\n")
	for _, o := range obsoleteOptions {
		fmt.Fprintf(&b, "%-*s%s\n", usageColumn, "  "+o.usage()+" ", o.help)
	}
	b.WriteString(usageFoot)
	return b.String()
}

// usage returns the forms of an option with its value.
func (o option) usage() string {
	text := "--" + o.name
	if o.value != "" {
		text += " " + o.value
	}
	if o.letter == "" {
		return "    " + text
	}
	return "-" + o.letter + ", " + text
}

// later says if this version does not have the option yet.
func (o option) later() string {
	if row := conf.Lookup(o.command); row != nil && row.Later {
		return " (not available yet)"
	}
	return ""
}
