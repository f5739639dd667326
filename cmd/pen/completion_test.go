package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pen/conf"
)

// The completion files for bash, zsh and fish have the lists of the options of pen and of the commands of penctl.

func TestGeneratedCompletion(t *testing.T) {
	files, err := filepath.Glob(root + "/conf/etc/completion/*/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no completion files: %v", err)
	}
	compareGenerated(t, files, map[string]func() string{
		"bash_options": func() string { return indented("\t\t\t\t", optionWords(shownOptions())) },
		"bash_values":  bashValues, "bash_operands": func() string { return operandCases(bashComplete) },
		"bash_commands": func() string { return indented("\t\t", namesOf(isSaid)) },
		"bash_no":       func() string { return indented("\t\t", namesOf(hasNo)) },
		"zsh_options":   zshOptions, "zsh_operands": func() string { return operandCases(zshComplete) },
		"zsh_commands": func() string { return zshCommands(isSaid, func(c *conf.Command) string { return c.Help }) },
		"zsh_no":       func() string { return zshCommands(hasNo, func(c *conf.Command) string { return c.NoHelp }) },
		"fish_options": fishOptions, "fish_commands": fishCommands,
	})
}

// operand is what an option or a command wants behind it.
type operand struct {
	kind  string // file, directory, user, command, words; "" = something that nobody can guess
	words string // of the kind words
}

var (
	operandFile      = operand{kind: "file"}
	operandDirectory = operand{kind: "directory"}
	smallWord        = regexp.MustCompile(`[a-z][a-z_0-9.]*`)
)

// operandOf guesses from the usage of an option or a command.
func operandOf(usage string) operand {
	switch {
	case usage == "USER":
		return operand{kind: "user"}
	case usage == "COMMAND" || usage == "[COMMAND]":
		return operand{kind: "command"}
	case strings.Contains(usage, "DIR"):
		return operandDirectory
	case strings.Contains(usage, "FILE"):
		return operandFile
	}
	if words := smallWord.FindAllString(usage, -1); words != nil {
		return operand{"words", strings.Join(words, " ")}
	}
	return operand{}
}

// shownOptions are those that are worth to be offered.
func shownOptions() []option {
	return slices.DeleteFunc(slices.Concat(optionGroups[:usageGroups]...), func(o option) bool { return o.later() != "" })
}

// repeats tells if an option may be said more than once.
func (o option) repeats() bool {
	return strings.Contains(o.help, "repeat -") || o.value == "COMMAND"
}

// forms returns the letter and the name of an option as they are typed.
func (o option) forms() []string {
	if o.letter == "" {
		return []string{"--" + o.name}
	}
	return []string{"-" + o.letter, "--" + o.name}
}

func optionWords(list []option) []string {
	var words []string
	for _, o := range list {
		words = append(words, o.forms()...)
	}
	return words
}

// isSaid tells if a command is said to a running pen, hasNo if it can be turned off there.
func isSaid(c *conf.Command) bool { return c.Where&conf.OnControl != 0 && !c.Later && c.Help != "" }
func hasNo(c *conf.Command) bool  { return isSaid(c) && c.NoHelp != "" }

func commands(fits func(*conf.Command) bool) []*conf.Command {
	return slices.DeleteFunc(conf.Table(), func(c *conf.Command) bool { return !fits(c) })
}

func namesOf(fits func(*conf.Command) bool) []string {
	var names []string
	for _, c := range commands(fits) {
		names = append(names, c.Name)
	}
	return names
}

// indented puts words on lines.
func indented(indent string, words []string) string {
	var b strings.Builder
	for line := range slices.Chunk(words, 6) {
		b.WriteString(indent + strings.Join(line, " ") + "\n")
	}
	return b.String()
}

// bashComplete is how bash completes an operand.
func bashComplete(o operand) string {
	const reply = "mapfile -t COMPREPLY < <(compgen %s -- \"$cur\")"
	switch o.kind {
	case "file":
		return fmt.Sprintf(reply, "-f") + "\n\t\tcompopt -o filenames 2>/dev/null"
	case "directory":
		return fmt.Sprintf(reply, "-d") + "\n\t\tcompopt -o filenames 2>/dev/null"
	case "user":
		return fmt.Sprintf(reply, "-u")
	case "command":
		return fmt.Sprintf(reply, "-W '"+strings.Join(namesOf(func(c *conf.Command) bool { return c.Where&conf.AtStart != 0 && !c.Later }), " ")+"'")
	case "words":
		return fmt.Sprintf(reply, "-W '"+o.words+"'")
	}
	return "COMPREPLY=()"
}

// bashValues are the branches for options that have a value before the word at hand.
func bashValues() string {
	by := map[operand][]string{}
	for _, o := range shownOptions() {
		if o.value != "" {
			by[operandOf(o.value)] = append(by[operandOf(o.value)], o.forms()...)
		}
	}
	return cases(by, bashComplete)
}

// operandCases are the branches for commands with operands that can be completed.
func operandCases(complete func(operand) string) string {
	by := map[operand][]string{}
	for _, c := range commands(isSaid) {
		if o := operandOf(c.Args); o.kind != "" && o.kind != "command" && c.Name != "service" {
			by[o] = append(by[o], "*:"+c.Name)
		}
	}
	return cases(by, complete)
}

// cases are branches of a case, in a fixed order.
func cases(by map[operand][]string, complete func(operand) string) string {
	var b strings.Builder
	for _, o := range slices.SortedFunc(maps.Keys(by), func(x, y operand) int { return strings.Compare(x.kind+x.words, y.kind+y.words) }) {
		b.WriteString(strings.TrimSuffix(shellCase(by[o], complete(o)), "\n") + "\n\t\t;;\n")
	}
	return b.String()
}

// zshComplete is how zsh completes an operand.
func zshComplete(o operand) string {
	switch o.kind {
	case "file":
		return "_files"
	case "directory":
		return "_files -/"
	}
	return "compadd -- " + o.words
}

// zshOptions are the specifications for _arguments.
func zshOptions() string {
	escape := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`)
	action := map[string]string{"file": "_files", "directory": "_files -/", "user": "_users",
		"command": "(" + strings.Join(namesOf(func(c *conf.Command) bool { return c.Where&conf.AtStart != 0 && !c.Later }), " ") + ")"}
	var b strings.Builder
	for _, o := range shownOptions() {
		value := ""
		if o.value != "" {
			value = ":" + escape.Replace(o.value) + ":" + action[operandOf(o.value).kind]
		}
		help := "[" + escape.Replace(o.help) + "]" + value
		switch {
		case o.letter == "" && o.value == "":
			fmt.Fprintf(&b, "\t'--%s%s'\n", o.name, help)
		case o.letter == "":
			fmt.Fprintf(&b, "\t'--%s=%s'\n", o.name, help)
		case o.repeats():
			fmt.Fprintf(&b, "\t'*'{-%s,--%s}'%s'\n", o.letter+plus(o), o.name+equals(o), help)
		default:
			fmt.Fprintf(&b, "\t'(-%s --%s)'{-%s,--%s}'%s'\n", o.letter, o.name, o.letter+plus(o), o.name+equals(o), help)
		}
	}
	return b.String()
}

func plus(o option) string   { return strings.Repeat("+", min(1, len(o.value))) }
func equals(o option) string { return strings.Repeat("=", min(1, len(o.value))) }

func zshCommands(fits func(*conf.Command) bool, help func(*conf.Command) string) string {
	var b strings.Builder
	for _, c := range commands(fits) {
		fmt.Fprintf(&b, "\t'%s:%s'\n", c.Name, strings.ReplaceAll(help(c), "'", `'\''`))
	}
	return b.String()
}

// fishQuoted quotes a text for fish.
func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func fishOptions() string {
	how := map[string]string{"file": " -r -F", "directory": " -x -a '(__fish_complete_directories)'", "user": " -x -a '(__fish_complete_users)'",
		"command": " -x -a '" + strings.Join(namesOf(func(c *conf.Command) bool { return c.Where&conf.AtStart != 0 && !c.Later }), " ") + "'", "": " -x"}
	var b strings.Builder
	for _, o := range shownOptions() {
		b.WriteString("complete -c pen")
		if o.letter != "" {
			b.WriteString(" -s " + o.letter)
		}
		b.WriteString(" -l " + o.name)
		if o.value != "" {
			b.WriteString(how[operandOf(o.value).kind])
		}
		b.WriteString(" -d " + fishQuoted(o.help) + "\n")
	}
	return b.String()
}

func fishCommands() string {
	var b strings.Builder
	for _, c := range commands(isSaid) {
		fmt.Fprintf(&b, "complete -c penctl -n __penctl_first -a %s -d %s\n", c.Name, fishQuoted(c.Help))
		o := operandOf(c.Args)
		switch {
		case c.Name == "service" || o.kind == "" || o.kind == "user":
		case o.kind == "file" || o.kind == "directory":
			fmt.Fprintf(&b, "complete -c penctl -n '__penctl_is %s' -F\n", c.Name)
		case o.kind == "command":
			fmt.Fprintf(&b, "complete -c penctl -n '__penctl_is %s' -a %s\n", c.Name, fishQuoted(strings.Join(namesOf(isSaid), " ")))
		default:
			fmt.Fprintf(&b, "complete -c penctl -n '__penctl_is %s' -a %s\n", c.Name, fishQuoted(o.words))
		}
	}
	for _, c := range commands(hasNo) {
		fmt.Fprintf(&b, "complete -c penctl -n '__penctl_is no' -a %s -d %s\n", c.Name, fishQuoted(c.NoHelp))
	}
	return b.String()
}
