package conf

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sampleFile is the file that packages install beside pen.conf. In it a line "#NAME ..." is a default and one with a tab
// after the # an example.
const sampleFile = "etc/pen.conf.sample"

var (
	sampleDefault = regexp.MustCompile(`^#([a-z].*)$`)
	sampleExample = regexp.MustCompile(`^#\t(.*)$`)
	sampleText    = regexp.MustCompile(`^(# .*|#)?$`)
)

// sample returns the commands of the file: the defaults and the examples.
func sample(t *testing.T) (defaults, examples []string) {
	t.Helper()
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if m := sampleDefault.FindStringSubmatch(line); m != nil {
			defaults = append(defaults, m[1])
		} else if m := sampleExample.FindStringSubmatch(line); m != nil {
			examples = append(examples, m[1])
		} else if !sampleText.MatchString(line) {
			t.Errorf("%s:%d: expected a comment, an example or a default: %s", sampleFile, i+1, line)
		}
	}
	return defaults, examples
}

// TestSampleHasTheDefaults compares the defaults in the sample with those that write writes.
func TestSampleHasTheDefaults(t *testing.T) {
	defaults, _ := sample(t)
	var want []string
	for line := range strings.Lines(string(Format(Default(), "", then))) {
		line = strings.TrimSuffix(line, "\n")
		if line[0] != '#' && (!strings.HasPrefix(line, "no acl ") || line == "no acl 0") {
			want = append(want, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(defaults, line) {
			t.Errorf("%s lacks the default #%s", sampleFile, line)
		}
	}
	for i, line := range defaults {
		if !slices.Contains(want, line) {
			t.Errorf("%s: #%s is no default; an example has a tab after the #", sampleFile, line)
		}
		if slices.Contains(defaults[:i], line) {
			t.Errorf("%s: #%s is there twice", sampleFile, line)
		}
	}
	s, err := parse([]byte(strings.Join(defaults, "\n")))
	if err != nil || !equal(s, Default()) {
		t.Errorf("all defaults of %s together are\n%s\nerror %v", sampleFile, dump(s), err)
	}
}

// TestSampleLines takes the # away from one line at a time.
func TestSampleLines(t *testing.T) {
	defaults, examples := sample(t)
	for _, line := range slices.Concat(defaults, examples) {
		if word, _, _ := strings.Cut(line, " "); word == "include" { // of a file that only the reader has
			continue
		}
		d := NewDraft(Default(), Offline{})
		if err := d.Exec(line, io.Discard); err != nil {
			t.Errorf("%s: %s: %v", sampleFile, line, err)
		}
	}
}

// TestSampleHasEverySetting looks for each setting as it is turned on.
func TestSampleHasEverySetting(t *testing.T) {
	defaults, examples := sample(t)
	said := map[string]bool{}
	for _, line := range slices.Concat(defaults, examples) {
		said[strings.Fields(line)[0]] = true
	}
	without := map[string]bool{"block": true, "delayed_forward": true, "tcp_nodelay": true, // they have no effect
		"epoll": true, "kqueue": true, "select": true} // one way to wait for events stands for all
	for _, row := range table {
		if row.set != nil && !row.Later && !said[row.Name] && !without[row.Name] {
			t.Errorf("%s has no line with %s; add one with an explanation to the group that it belongs to", sampleFile, row.Name)
		}
	}
}
