package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"pen/conf"
)

// What the manual pages, the guides and the sample show is tried: command lines of pen are parsed, commands for penctl and
// files are executed on a draft. And each option and each command is shown somewhere.

// examples is what has been shown so far.
type examples struct {
	t        *testing.T
	options  map[string]bool // -X and --NAME
	commands map[string]bool
}

func TestExamples(t *testing.T) {
	e := &examples{t, map[string]bool{}, map[string]bool{}}
	for _, b := range manualBlocks(t) {
		e.try(b)
	}
	for _, g := range guides(t) {
		if g.file == "docs/testing.md" { // its scripts are in a language of their own
			continue
		}
		for _, b := range g.blocks {
			e.try(b)
		}
	}
	e.trySample()
	for _, o := range slices.Concat(optionGroups[:usageGroups]...) {
		if strings.Contains(o.help+o.later(), "not available yet") {
			continue
		}
		for _, form := range []string{"-" + o.letter, "--" + o.name} {
			if form != "-" && !e.options[form] {
				t.Errorf("no example shows the option %s of %s; add one to conf/man/pen.1", form, o.usage())
			}
		}
	}
	without := map[string]bool{"block": true, "delayed_forward": true, "tcp_nodelay": true, "epoll": true, "kqueue": true, "select": true}
	for _, c := range conf.Table() {
		if !e.commands[c.Name] && !c.Later && !without[c.Name] {
			t.Errorf("no example shows the command %s; add one to conf/etc/pen.conf.sample or conf/man/penctl.1", c.Name)
		}
	}
}

// trySample takes the commands of the sample; that they are right is tested beside it.
func (e *examples) trySample() {
	text, err := os.ReadFile(root + "/conf/etc/pen.conf.sample")
	if err != nil {
		e.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if code := strings.TrimPrefix(line, "#"); code != line && code[0] != ' ' {
			e.note(strings.Fields(code))
		}
	}
}

// note remembers which command words are.
func (e *examples) note(words []string) {
	if len(words) > 2 && words[0] == "service" {
		e.commands["service"] = true
		words = words[2:]
	}
	if len(words) > 1 && words[0] == "no" {
		words = words[1:]
	}
	if len(words) > 0 {
		e.commands[words[0]] = true
	}
}

// ofPen are the languages of blocks that hold a file of commands.
var ofPen = map[string]bool{"conf": true}

var (
	mentionsPrograms = regexp.MustCompile(`(?m)^(\S*/)?(pen|penctl) `)
	isConfiguration  = regexp.MustCompile(`\A(` + strings.Join(commandNames(), "|") + `|no [a-z_]+)( |\n)`)
)

func commandNames() (names []string) {
	for _, c := range conf.Table() {
		names = append(names, c.Name)
	}
	return names
}

// try runs what a block shows, if it is about pen.
func (e *examples) try(b block) {
	switch {
	case ofPen[b.lang] || b.lang == "" && isConfiguration.MatchString(b.code):
		e.configuration(b)
	case b.lang == "sh" || b.lang == "" && mentionsPrograms.MatchString(b.code):
		e.script(b)
	}
}

// configuration executes a file. Files that it names need not be there.
func (e *examples) configuration(b block) {
	d := conf.NewDraft(conf.Default(), conf.Offline{})
	for i, line := range strings.Split(b.code, "\n") {
		line, _, _ = strings.Cut(line, "  ") // what follows is for the reader
		e.note(strings.Fields(line))
		if err := d.Exec(line, io.Discard); err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.t.Errorf("%s:%d: %v", b.file, b.line+i, err)
		}
	}
}

// script finds the calls of pen and penctl in a script of the shell.
func (e *examples) script(b block) {
	f, err := syntax.NewParser().Parse(strings.NewReader(b.code), b.file)
	if err != nil {
		e.t.Errorf("%s:%d: %v", b.file, b.line, err)
		return
	}
	syntax.Walk(f, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		words := literals(call.Args)
		for i, word := range words { // after sudo, ip netns exec, env
			if name := path.Base(word); name == "pen" || name == "penctl" {
				where := fmt.Sprintf("%s:%d: %s", b.file, b.line+int(call.Pos().Line())-1, strings.Join(words[i:], " "))
				e.call(where, name, words[i+1:])
				break
			}
		}
		return true
	})
}

// literals returns the words without their quotes; what the shell would put in is left out.
func literals(args []*syntax.Word) (words []string) {
	for _, arg := range args {
		var b strings.Builder
		syntax.Walk(arg, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Lit:
				b.WriteString(n.Value)
			case *syntax.SglQuoted:
				b.WriteString(n.Value)
			case *syntax.ParamExp:
				return false
			}
			return true
		})
		words = append(words, b.String())
	}
	return words
}

// online is what penctl talks to: a pen without clients.
type online struct{ conf.Offline }

// call tries a call of a program.
func (e *examples) call(where, name string, args []string) {
	if name == "pen" {
		e.pen(where, args)
		return
	}
	if args[0] == "-t" {
		args = args[2:]
	}
	if len(args) < 2 || args[1] == "top" {
		return
	}
	e.note(args[1:])
	words := args[1:]
	s := conf.Default()
	if words[0] == "service" && len(words) > 2 {
		s.Services = append(s.Services, conf.NewService(words[1]))
	}
	err := conf.NewDraft(s, online{}).Exec(strings.Join(words, " "), io.Discard)
	if err != nil && !strings.Contains(err.Error(), "no such file") && words[0] != "write" {
		e.t.Errorf("%s: %v", where, err)
	}
}

// pen parses a command line of pen and notes what it shows.
func (e *examples) pen(where string, args []string) {
	c := &commandLine{draft: conf.NewDraft(conf.Default(), conf.Offline{}), replies: io.Discard, notes: io.Discard}
	for _, o := range options {
		for _, arg := range args {
			if name, _, _ := strings.Cut(arg, "="); name == "--"+o.name {
				e.options[name] = true
			}
			if o.letter != "" && regexp.MustCompile(`^-[a-zA-Z]*`+o.letter).MatchString(arg) {
				e.options["-"+o.letter] = true
			}
			if (arg == "-O" || arg == "-o") && o.letter == "O" {
				for i := range args[:len(args)-1] {
					if args[i] == arg {
						e.note(strings.Fields(args[i+1]))
					}
				}
			}
		}
	}
	set := c.flagSet()
	if err := set.Parse(args); err != nil {
		e.t.Errorf("%s: %v", where, explain(err))
	} else if err := c.draft.Operands(set.Args()); err != nil {
		e.t.Errorf("%s: %v", where, err)
	}
}

// TestRecipesAsCommandLines compares a file in a guide with the command line below it: they say the same.
func TestRecipesAsCommandLines(t *testing.T) {
	compared := 0
	for _, g := range guides(t) {
		for i := 1; i < len(g.blocks); i++ {
			file, line := g.blocks[i-1], g.blocks[i]
			if file.lang != "conf" || line.lang != "sh" || !strings.HasPrefix(line.code, "pen ") || strings.HasPrefix(line.code, "pen --check") {
				continue
			}
			compared++
			want := conf.NewDraft(conf.Default(), conf.Offline{})
			for text := range strings.Lines(file.code) {
				if err := want.Exec(text, io.Discard); err != nil {
					t.Errorf("%s:%d: %v", file.file, file.line, err)
				}
			}
			f, err := syntax.NewParser().Parse(strings.NewReader(line.code), line.file)
			if err != nil {
				t.Fatal(err)
			}
			call := f.Stmts[0].Cmd.(*syntax.CallExpr)
			c, err := parse(literals(call.Args)[1:], io.Discard, io.Discard)
			if err != nil {
				t.Errorf("%s:%d: %v", line.file, line.line, err)
				continue
			}
			format := func(s *conf.Settings) string { return string(conf.Format(s, "", time.Time{})) }
			if got, want := format(c.draft.Settings()), format(want.Settings()); got != want {
				t.Errorf("%s:%d: the command line is\n%s\nand the file above it\n%s", line.file, line.line, got, want)
			}
		}
	}
	if compared < 5 {
		t.Errorf("got %d pairs of a file and a command line, want those of the cookbook", compared)
	}
}
