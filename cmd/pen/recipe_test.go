package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The guides show whole files. Scenarios run these very files: `recipe` takes one out of a guide.

// recipe GUIDE HEADING[/N] FILE [OLD NEW]... writes the first block, or block N, below a heading of a guide in docs/ to a
// file, with other texts in the place of some: addresses, ports, paths. Each of the old texts must be there.
func recipe(sc *scenario, args []string) (string, error) {
	if len(args) < 3 || len(args)%2 == 0 {
		return "", errors.New("usage: recipe GUIDE HEADING[/N] FILE [OLD NEW]...")
	}
	text, err := guideBlock(args[0], args[1])
	if err != nil {
		return "", err
	}
	file := sc.ts.MkAbs(args[2])
	for pairs := args[3:]; len(pairs) > 0; pairs = pairs[2:] {
		if !strings.Contains(text, pairs[0]) {
			return "", fmt.Errorf("%s, %s: there is no %q", args[0], args[1], pairs[0])
		}
		text = strings.ReplaceAll(text, pairs[0], pairs[1])
	}
	return "", os.WriteFile(file, []byte(text), 0o666)
}

// guideBlock returns a fenced block of a guide: the one with that number, from 1, below the heading.
func guideBlock(guide, heading string) (string, error) {
	source, err := os.ReadFile(filepath.Join("../../docs", guide))
	if err != nil {
		return "", err
	}
	n := 1
	if title, number, found := strings.Cut(heading, "/"); found {
		heading = title
		fmt.Sscan(number, &n)
	}
	_, section, found := strings.Cut("\n"+string(source), "\n## "+heading+"\n")
	if !found {
		return "", fmt.Errorf("%s has no section %q", guide, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	if len(blocks) < n {
		return "", fmt.Errorf("%s, %s: got %d blocks, want %d", guide, heading, len(blocks), n)
	}
	return blocks[n-1][1], nil
}

// TestRecipesAreRun wants each file of pen that these guides show, in a block of the language conf, to be run by a scenario.
// The others show lines, which TestExamples tries.
func TestRecipesAreRun(t *testing.T) {
	var scripts strings.Builder
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	for _, guide := range []string{"cookbook.md", "getting-started.md", "high-availability.md", "migrating-haproxy.md", "migrating-nginx.md", "security.md"} {
		source, err := os.ReadFile("../../docs/" + guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range strings.Split("\n"+string(source), "\n## ")[1:] {
			title, body, _ := strings.Cut(section, "\n")
			for i, block := range regexp.MustCompile("(?m)^```(\\w*)\n(?s:.*?)^```$").FindAllStringSubmatch(body, -1) {
				if block[1] != "conf" {
					continue
				}
				name := title
				if i > 0 {
					name = fmt.Sprintf("%s/%d", title, i+1)
				}
				if !regexp.MustCompile(`(?m)^recipe ` + guide + ` '?` + regexp.QuoteMeta(name) + `'? `).MatchString(scripts.String()) {
					t.Errorf("no scenario runs the file in %s, %s; write one with: recipe %s '%s' pen.conf", guide, name, guide, name)
				}
			}
		}
	}
}
