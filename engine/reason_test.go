package engine

import (
	"os"
	"strings"
	"testing"
)

// Operators meet the reasons in logs and metrics, so the guide explains each.
func TestReasonsAreExplained(t *testing.T) {
	guide, err := os.ReadFile("../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(guide), "## Why a connection ended")
	for _, name := range reasonNames[1:] {
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("docs/logs.md does not explain %q", name)
		}
	}
}
