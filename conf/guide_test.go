package conf

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNewCommandsInGuide compares the list of commands that the C pen does not have in docs/migrating.md with the table.
func TestNewCommandsInGuide(t *testing.T) {
	const guide = "../docs/migrating.md"
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(pens)
	var list strings.Builder
	for _, row := range table {
		if !slices.Contains(known, row.Name) {
			list.WriteString(", `" + row.Name + "`")
		}
	}
	place := regexp.MustCompile(`(?s)(<!-- written by go test ./conf -run NewCommands -update -->\n).*?\n(<!-- end -->)`)
	is := place.ReplaceAll(text, []byte("${1}"+strings.TrimPrefix(list.String(), ", ")+"\n${2}"))
	if !place.Match(text) {
		t.Fatalf("%s has no place for the list", guide)
	}
	if bytes.Equal(is, text) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the table says; write it with go test ./conf -run NewCommands -update", guide)
	}
	if err := os.WriteFile(guide, is, 0o644); err != nil {
		t.Fatal(err)
	}
}
