package conf

import (
	"math"
	"slices"
	"strings"
)

// Command is a row of the table of commands. Dispatch, the check of the number of operands, help, files, options, write
// and the manual page are derived from it.
type Command struct {
	Name   string // the first word
	Args   string // the operands: [X] may be missing, ... stands for any number; "" = none
	Help   string // one sentence; "" = there is only the no form
	NoArgs string // the operands of the form no NAME
	NoHelp string // one sentence; "" = there is no such form
	Where  Where  // where it may be said; a query may be made anywhere

	// Later is set for what this version of pen does not do: the command is known, and answered with an error.
	Later bool

	perService bool // it concerns one service, not the whole process
	kind
	reply  func(*call) error // says something: after set, if there was something to set
	legacy string            // pen's answer if the operands are missing, where it has one
}

// kind is how a setting is taken, turned off and written.
type kind struct {
	set   func(*call) error                            // with operands, or if there are none; all or nothing
	off   func(*call) error                            // the form no NAME
	lines func(*Command, *Settings, *Service) []string // the command lines that recreate it
}

// Where is a set of places from which commands come.
type Where uint8

// The places.
const (
	AtStart   Where = 1 << iota // options of the command line, -O
	InFile                      // -F, include, HUP
	OnControl                   // the control socket
	Anywhere  = AtStart | InFile | OnControl
)

// String names the places.
func (w Where) String() string {
	var names []string
	for i, name := range []string{"at start", "in a file", "on the control socket"} {
		if w&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// Usage returns the name and the operands.
func (c *Command) Usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Sets reports whether it changes settings; another one asks something or does something at once.
func (c *Command) Sets() bool { return c.set != nil }

// NoUsage returns the form that turns it off, or "".
func (c *Command) NoUsage() string {
	if c.NoHelp == "" {
		return ""
	}
	return strings.TrimSpace("no " + c.Name + " " + c.NoArgs)
}

// table holds all commands by name. It is filled at start because its functions look up commands, too.
var table []*Command

func init() {
	table = slices.Concat(accessCommands, balanceCommands, logCommands, processCommands, queryCommands,
		socketCommands, datagramCommands, healthCommands, limitCommands, proxyCommands, httpCommands, tlsCommands, fileCommands, laterCommands)
	slices.SortFunc(table, func(a, b *Command) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range table {
		if c.Where == 0 {
			c.Where = Anywhere
		}
	}
}

// Table returns all commands, sorted by name.
func Table() []*Command { return slices.Clone(table) }

// Lookup returns the command of a name, or nil.
func Lookup(name string) *Command {
	i, found := slices.BinarySearchFunc(table, name, func(c *Command, name string) int { return strings.Compare(c.Name, name) })
	if !found {
		return nil
	}
	return table[i]
}

// arity returns how many operands a usage allows at least and at most.
func arity(usage string) (least, most int) {
	for word := range strings.FieldsSeq(usage) {
		if strings.Contains(word, "...") {
			return least, math.MaxInt
		}
		if most++; word[0] != '[' {
			least++
		}
	}
	return least, most
}
