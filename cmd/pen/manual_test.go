package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

const manualDir = root + "/conf/man"

// manualParts are the generated parts of the manual pages by name.
var manualParts = map[string]func() string{
	"options":  func() string { return manualOptions(slices.Concat(optionGroups[:usageGroups]...)) },
	"obsolete": func() string { return manualOptions(obsoleteOptions) },
	"settings": func() string { return manualCommands(conf.InFile, isSetting) },
	"queries": func() string {
		return manualCommands(conf.OnControl, func(c *conf.Command) bool { return !isSetting(c) })
	},
	"names":      manualNames,
	"properties": manualProperties,
}

// TestGeneratedManual compares the generated parts of the manual pages with the tables.
func TestGeneratedManual(t *testing.T) { compareGenerated(t, manualPages(t), manualParts) }

func manualPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(manualDir + "/*.[1-8]")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no manual pages in %s: %v", manualDir, err)
	}
	return pages
}

// isSetting tells settings from queries and actions.
func isSetting(c *conf.Command) bool { return c.Sets() }

// manualOptions describes options in mdoc.
func manualOptions(list []option) string {
	var b strings.Builder
	for _, o := range list {
		b.WriteString(".It")
		if o.letter != "" {
			b.WriteString(" Fl " + o.letter)
			if o.value != "" {
				b.WriteString(" " + mdocWords(o.value))
			}
			b.WriteString(" ,")
		}
		b.WriteString(" Fl -" + o.name)
		if o.value != "" {
			b.WriteString(" " + mdocWords(o.value))
		}
		help, value, _ := strings.Cut(strings.TrimSuffix(o.help, "]"), " [")
		b.WriteString("\n" + mdocSentence(help+o.later()))
		if value != "" {
			b.WriteString("Default: " + value + ".\n")
		}
		if o.command != "" {
			b.WriteString("Command:\n.Ic " + o.command + " .\n")
		}
	}
	return b.String()
}

// manualCommands describes the commands that may be said at a place and fit.
func manualCommands(at conf.Where, fits func(*conf.Command) bool) string {
	defaults := map[string]string{}
	for line := range strings.Lines(string(conf.Format(conf.Default(), "", time.Time{}))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		defaults[name] = value
	}
	var b strings.Builder
	for _, c := range conf.Table() {
		if c.Where&at == 0 || !fits(c) {
			continue
		}
		b.WriteString(mdocItem(c.Name, c.Args) + mdocSentence(c.Help))
		if value := defaults[c.Name]; value != "" {
			b.WriteString("Default:\n.Cm " + value + " .\n")
		}
		if c.Later {
			b.WriteString("Not available in this version.\n")
		}
		if c.Where != conf.Anywhere {
			b.WriteString("Only " + c.Where.String() + ".\n")
		}
		if c.NoHelp != "" {
			b.WriteString(mdocItem("no "+c.Name, c.NoArgs) + mdocSentence(c.NoHelp))
		}
	}
	return b.String()
}

// manualNames lists the settings that can be changed while pen runs.
func manualNames() string {
	var names []string
	for _, c := range conf.Table() {
		if c.Where&conf.OnControl != 0 && isSetting(c) && !c.Later {
			names = append(names, ".Ic "+c.Name)
		}
	}
	return strings.Join(names, " ,\n") + " .\n"
}

// mdocItem starts an item of a list: a command with its operands, on several lines if it is long.
func mdocItem(name, args string) string {
	line := ".It Ic " + name
	var b strings.Builder
	for _, word := range strings.Fields(mdocWords(args)) {
		if len(line)+len(word) > 70 && (word == "Ar" || word == "Cm" || word == "Oo") && !strings.HasSuffix(line, " Ns") {
			b.WriteString(line + " Xo\n")
			line = "." + word
			continue
		}
		line += " " + word
	}
	if b.Len() == 0 {
		return line + "\n"
	}
	text := b.String() + line
	if first := strings.IndexByte(text, '\n'); first >= 0 { // one Xo is enough
		text = text[:first+1] + strings.ReplaceAll(text[first+1:], " Xo\n", "\n")
	}
	return text + "\n.Xc\n"
}

var mdocToken = regexp.MustCompile(`\s+|[A-Z][A-Z0-9]*|[a-z_0-9]+(?:\.[a-z0-9]+)*|\.\.\.|.`)

// mdocWords translates operands as they stand in help: [X] may be missing, capitals stand for something, small letters
// for themselves.
func mdocWords(args string) string {
	var words []string
	var blank, inside = true, false // a blank is due before the next word; the next word is inside of a bracket just opened
	add := func(macros ...string) {
		if !blank && !inside && len(words) > 0 {
			words = append(words, "Ns")
		}
		words = append(words, macros...)
		blank, inside = false, false
	}
	for _, token := range mdocToken.FindAllString(args, -1) {
		switch first := token[0]; {
		case strings.TrimSpace(token) == "":
			blank = true
		case token == "[":
			add("Oo")
			inside = true
		case token == "]":
			words = append(words, "Oc")
			blank = false
		case token == "|" || token == ":":
			words = append(words, token)
			blank = token == "|"
		case token == "/":
			add("No", "/")
		case token == "...":
			words = append(words, "No", "...")
			blank = false
		case 'A' <= first && first <= 'Z':
			add("Ar", token)
		default:
			add("Cm", token)
		}
	}
	return strings.Join(words, " ")
}

// mdocSentence makes a sentence of a help text, with a capital at its beginning and a full stop at its end.
func mdocSentence(help string) string {
	text := strings.ReplaceAll(strings.ToUpper(help[:1])+help[1:], `\`, `\e`)
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > 76 {
			b.WriteString(line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		if line == "" && (word[0] == '.' || word[0] == '\'') {
			word = `\&` + word
		}
		line += word
	}
	fmt.Fprintln(&b, line)
	return b.String()
}

// TestManualHasTheProbeDefaults compares the numbers in brackets in the section about probes.
func TestManualHasTheProbeDefaults(t *testing.T) {
	page, err := os.ReadFile(manualDir + "/pen.conf.5")
	if err != nil {
		t.Fatal(err)
	}
	p := conf.NewProbe("tcp")
	for key, want := range map[string]string{
		"interval": fmt.Sprint(p.Interval.Seconds()), "timeout": fmt.Sprint(p.Timeout.Seconds()), "rise": fmt.Sprint(p.Rise), "fall": fmt.Sprint(p.Fall),
	} {
		m := regexp.MustCompile(`(?s)\.Cm ` + key + ` Ar \w+\n[^(]*\(([^)]*)\)`).FindSubmatch(page)
		if m == nil || string(m[1]) != want {
			t.Errorf("got %q as the default of %s, want %s", m, key, want)
		}
	}
}

// TestManualHasTheKeys wants each key of the command server to be explained.
func TestManualHasTheKeys(t *testing.T) {
	page, err := os.ReadFile(manualDir + "/pen.conf.5")
	if err != nil {
		t.Fatal(err)
	}
	keys, _, _ := strings.Cut(strings.TrimPrefix(conf.Lookup("server").Args, "N "), " ")
	for _, key := range strings.Split(keys, "|") {
		if !regexp.MustCompile(`(?m)^\.It .*Cm ` + key + `\b`).Match(page) {
			t.Errorf("pen.conf.5 does not explain server N %s", key)
		}
	}
}
