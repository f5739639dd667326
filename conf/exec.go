package conf

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Draft is a change of the settings while it is prepared: commands are executed on a copy, which is published as a
// whole or dropped. A command that fails leaves the draft as it was. One goroutine uses a Draft.
type Draft struct {
	// Included takes the replies of files that are read by the command include; nil means that they go where the
	// other replies go. pen prints them on its standard output, not to the control client.
	Included io.Writer

	// Compile is what the command check asks about the settings that a file leads to; nil asks nothing more.
	Compile func(*Settings) error

	rt     Runtime
	base   *Settings
	state  draftState
	depth  int // files being read now, one inside the other
	errors int // found in the files of this Load
}

// draftState is what commands change, and what a failing file must leave unchanged.
type draftState struct {
	set     *Settings
	service string                  // the service that a line means
	later   []func(Runtime)         // what waits until the change has been published
	said    map[int]map[string]bool // keys of the first service's servers that commands have set: operands leave them
	listen  bool                    // a command has set the first service's address
	touched bool                    // a command has been about a service
}

// NewDraft returns a draft of a change to s, which it never modifies and which must stay unmodified meanwhile. Queries
// are answered from rt: [Offline] before anything runs.
func NewDraft(s *Settings, rt Runtime) *Draft {
	d := &Draft{rt: rt, base: s}
	d.state = draftState{set: s.Clone(), service: s.Services[0].Name, said: map[int]map[string]bool{}}
	return d
}

// Settings returns the result so far. It is the draft's until no more commands follow.
func (d *Draft) Settings() *Settings { return d.state.set }

// Changed reports whether the result differs from what the draft began with, so that it has to be published.
func (d *Draft) Changed() bool { return !reflect.DeepEqual(d.base, d.state.set) }

// Finish carries out what has to wait until the change has been published, like server N blacklist T, close N and exit,
// in the order of the commands. It is called once at most, and not at all if the change was dropped.
func (d *Draft) Finish(rt Runtime) {
	for _, do := range d.state.later {
		do(rt)
	}
	d.state.later = nil
}

// Exec executes one command line, up to its line end if it has one. Replies go to w. An error names the command, the
// word, and what was expected; then the draft is what it was before.
func (d *Draft) Exec(line string, w io.Writer) error {
	if i := strings.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	if len(line) > MaxLine {
		return &Error{Text: fmt.Sprintf("expected a line of at most %d bytes, not %d", MaxLine, len(line))}
	}
	words, err := Split(line)
	if err != nil {
		return &Error{Text: fmt.Sprintf("%s: %v", clip(line), err)}
	}
	return d.ExecWords(w, words...)
}

// ExecWords executes the command that the words make, like [Draft.Exec], but takes each word as it is: an option of the
// command line may hold blanks and quotes.
func (d *Draft) ExecWords(w io.Writer, words ...string) error {
	for _, word := range words {
		if strings.ContainsAny(word, lineEnds) {
			return &Error{Text: fmt.Sprintf("expected a word without line ends and zero bytes, not %q", clip(word))}
		}
	}
	if len(words) == 0 {
		return nil
	}
	v := d.state.set.Service(d.state.service)
	if words[0] == "service" && len(words) > 2 {
		if v = d.state.set.Service(words[1]); v == nil {
			return wrong("service", "expected the name of a service, not '%s'; service %s makes one", clip(words[1]), Quote(clip(words[1])))
		}
		if words = words[2:]; words[0] == "service" {
			return wrong("service", "expected a command for the service %s, not another service", v.Name)
		}
	}
	return d.run(&call{draft: d, set: d.state.set, service: v, out: w}, words)
}

// run finds the row for the words, checks their number and does what the row says.
func (d *Draft) run(c *call, words []string) error {
	no := words[0] == "no"
	if no {
		if words = words[1:]; len(words) == 0 {
			return wrong("no", "expected a command to turn off")
		}
	}
	row := Lookup(words[0])
	if row == nil && no {
		return wrong("no "+clip(words[0]), "%s", unknown(words[0]).Text)
	}
	if row == nil {
		return unknown(clip(words[0]))
	}
	c.command, c.args = row, words[1:]
	d.state.touched = d.state.touched || row.perService
	if no {
		return c.turnOff()
	}
	return c.perform()
}

// perform executes the command without no.
func (c *call) perform() error {
	row := c.command
	if least, most := arity(row.Args); len(c.args) < least || len(c.args) > most {
		return c.misused(row.Usage())
	}
	sets := row.set != nil && (len(c.args) > 0 || row.Args == "" || row.reply == nil)
	if sets || row.set == nil {
		if err := c.allowed(); err != nil {
			return err
		}
	}
	if sets {
		if err := row.set(c); err != nil {
			return err
		}
	}
	if row.reply == nil {
		return nil
	}
	return row.reply(c)
}

// turnOff executes the command with no.
func (c *call) turnOff() error {
	row := c.command
	if row.off == nil {
		return wrong("no "+row.Name, "%s cannot be turned off; expected %s", row.Name, row.Usage())
	}
	if least, most := arity(row.NoArgs); len(c.args) < least || len(c.args) > most {
		return c.misused(row.NoUsage())
	}
	if err := c.allowed(); err != nil {
		return err
	}
	return row.off(c)
}

// misused says how the command is used.
func (c *call) misused(usage string) error {
	if c.command.legacy != "" && len(c.args) == 0 {
		return &Error{Text: c.command.Name + ": expected " + usage, legacy: c.command.legacy}
	}
	return wrong(c.command.Name, "expected %s", usage)
}

// allowed says whether the command may stand where it stands.
func (c *call) allowed() error {
	where := c.draft.where()
	if c.command.Where&where != 0 {
		return nil
	}
	return c.wrong("not possible %s, only %s", where, c.command.Where)
}

// where says where commands come from now.
func (d *Draft) where() Where {
	if d.depth > 0 {
		return InFile
	}
	if d.offline() {
		return AtStart
	}
	return OnControl
}

// offline reports whether nothing runs yet.
func (d *Draft) offline() bool {
	_, offline := d.rt.(Offline)
	return offline
}

// clone returns a copy that later commands do not change.
func (s draftState) clone() draftState {
	s.set = s.set.Clone()
	s.later = slices.Clone(s.later)
	said := make(map[int]map[string]bool, len(s.said))
	for n, keys := range s.said {
		said[n] = maps.Clone(keys)
	}
	s.said = said
	return s
}

// call is one command under execution.
type call struct {
	draft   *Draft
	command *Command
	set     *Settings
	service *Service // the one that the command means
	args    []string
	out     io.Writer
}

// wrong returns an Error that names the command.
func (c *call) wrong(format string, args ...any) error {
	return wrong(c.command.Name, format, args...)
}

// printf writes a part of the reply. Replies are collected in memory; what cannot be delivered is the caller's matter.
func (c *call) printf(format string, args ...any) {
	fmt.Fprintf(c.out, format, args...)
}

// arg returns the operand i, or "".
func (c *call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// first reports whether the command means the first service, the one of the operands.
func (c *call) first() bool { return c.service == c.set.Services[0] }

// clip shortens a word for a message.
func clip(word string) string {
	const longest = 60 // bytes
	if len(word) > longest {
		return word[:longest] + "..."
	}
	return word
}

var errTooMany = errors.New("too many errors")
