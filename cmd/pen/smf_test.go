package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The files of the service svc:/network/pen have the list of the properties that are options: the manifest describes
// them, the method script hands them to pen, pen(1) explains them.

const smfDir = root + "/conf/etc/smf"

// noProperty holds the options that are no property of their own, with the reason.
var noProperty = map[string]string{
	"config":     "it is the property of the same name that the manifest describes by hand",
	"foreground": "the method waits until pen has gone to the background",
	"stderr":     "the method gives it always",
	"option":     "it is like command",
	"debug":      "it is a number, described by hand",
}

// smfProperties returns the options that are properties.
func smfProperties() []option {
	all := slices.SortedFunc(slices.Values(slices.Concat(generalOptions, tlsOptions, ourOptions)), func(a, b option) int { return strings.Compare(a.name, b.name) })
	return slices.DeleteFunc(all, func(o option) bool { return noProperty[o.name] != "" })
}

// property returns the name of the property.
func (o option) property() string { return strings.ReplaceAll(o.name, "-", "_") }

// smfType returns the type of the property.
func (o option) smfType() string {
	switch o.value {
	case "":
		return "boolean"
	case "SEC", "N":
		return "count"
	}
	return "astring"
}

func TestGeneratedService(t *testing.T) {
	compareGenerated(t, []string{smfDir + "/pen.xml", smfDir + "/svc-pen"}, map[string]func() string{
		"patterns": smfPatterns,
		"options":  smfOptions,
	})
	for name := range noProperty {
		if !slices.ContainsFunc(options, func(o option) bool { return o.name == name }) {
			t.Errorf("noProperty has %q, which is no option", name)
		}
	}
}

// smfPatterns describes the properties in the manifest.
func smfPatterns() string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	var b strings.Builder
	for _, o := range smfProperties() {
		most := "1"
		if o.repeats() {
			most = "18446744073709551615"
		}
		fmt.Fprintf(&b, "\t\t\t\t<prop_pattern name='%s' type='%s' required='false'>\n", o.property(), o.smfType())
		fmt.Fprintf(&b, "\t\t\t\t\t<description>\n\t\t\t\t\t\t<loctext xml:lang='C'>Option %s: %s</loctext>\n\t\t\t\t\t</description>\n",
			o.shortest(), escape.Replace(o.help+o.later()))
		fmt.Fprintf(&b, "\t\t\t\t\t<visibility value='readwrite'/>\n\t\t\t\t\t<cardinality min='0' max='%s'/>\n\t\t\t\t</prop_pattern>\n", most)
	}
	return b.String()
}

// shortest returns the shortest form of an option.
func (o option) shortest() string {
	if o.letter != "" {
		return "-" + o.letter
	}
	return "--" + o.name
}

// smfOptions are the cases of the method script, one for each kind of option.
func smfOptions() string {
	var flags, valued []string
	for _, o := range smfProperties() {
		if o.value == "" {
			flags = append(flags, o.property())
		} else {
			valued = append(valued, o.property())
		}
	}
	return shellCase(flags, `flag "$property" "$raw" ;;`) + shellCase(valued, `valued "$property" "$raw" ;;`)
}

// shellCase is a branch of a case with many names, a few on each line.
func shellCase(names []string, do string) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
			b.WriteString("\t" + name)
		case i%5 == 0:
			b.WriteString(" | \\\n\t\t" + name)
		default:
			b.WriteString(" | " + name)
		}
	}
	return b.String() + ")\n\t\t" + do + "\n"
}

// manualProperties lists the properties for pen(1).
func manualProperties() string {
	var b strings.Builder
	for _, o := range smfProperties() {
		flag := " Fl -" + o.name
		if o.letter != "" {
			flag = " Fl " + o.letter
		}
		fmt.Fprintf(&b, ".It Va pen/%s Pq Vt %s\n.%s", o.property(), o.smfType(), strings.TrimPrefix(flag, " "))
		if o.repeats() {
			b.WriteString(" ,\nonce for each value")
		}
		b.WriteString("\n")
	}
	return b.String()
}
