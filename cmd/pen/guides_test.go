package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// guide is a Markdown file as the tests of documents see it.
type guide struct {
	file   string
	blocks []block
	links  []string
	ids    map[string]bool // of the headings
}

// block is a piece of code, in a guide or a manual page.
type block struct {
	file, lang, code string // lang is what stands behind the fence
	line             int
}

// guides returns the README files and all of docs/.
func guides(t *testing.T) []guide {
	t.Helper()
	files, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no guides in docs/: %v", err)
	}
	var list []guide
	for _, file := range append(files, root+"/README.md", root+"/bench/README.md") {
		list = append(list, readGuide(t, file))
	}
	return list
}

// readGuide parses a file.
func readGuide(t *testing.T, file string) guide {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := guide{file: strings.TrimPrefix(filepath.ToSlash(file), root+"/"), ids: map[string]bool{}}
	md := goldmark.New(goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	add := func(lang string, lines *text.Segments) {
		if lines.Len() > 0 {
			g.blocks = append(g.blocks, block{g.file, lang, string(lines.Value(source)), 1 + bytes.Count(source[:lines.At(0).Start], []byte("\n"))})
		}
	}
	err = ast.Walk(md.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			add(string(n.Language(source)), n.Lines())
		case *ast.CodeBlock:
			add("", n.Lines())
		case *ast.Link:
			g.links = append(g.links, string(n.Destination))
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok {
				g.ids[string(id.([]byte))] = true
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestLinks follows the links inside of the project: the file must be there, and the heading in it.
func TestLinks(t *testing.T) {
	all := guides(t)
	ids := map[string]map[string]bool{}
	for _, g := range all {
		ids[g.file] = g.ids
	}
	for _, g := range all {
		for _, link := range g.links {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %s: %v", g.file, link, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			to := g.file
			if u.Path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(g.file), u.Path))
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which is not there", g.file, link)
			}
			if u.Fragment != "" && ids[to] != nil && !ids[to][u.Fragment] {
				t.Errorf("%s links to %s, and there is no such heading", g.file, link)
			}
		}
	}
}

// TestGuidesAreFound wants each guide to be linked by the README or the list of the guides.
func TestGuidesAreFound(t *testing.T) {
	found := map[string]bool{}
	all := guides(t)
	for _, g := range all {
		if g.file != "README.md" && g.file != "docs/README.md" {
			continue
		}
		for _, link := range g.links {
			found[filepath.ToSlash(filepath.Join(filepath.Dir(g.file), link))] = true
		}
	}
	for _, g := range all {
		if g.file != "README.md" && !found[g.file] {
			t.Errorf("neither the README nor docs/README.md links to %s", g.file)
		}
	}
}

// manualBlocks returns the displays of the manual pages.
func manualBlocks(t *testing.T) []block {
	t.Helper()
	unescape := strings.NewReplacer(`\e`, `\`, `\(dq`, `"`, `\&`, "")
	var list []block
	for _, page := range manualPages(t) {
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(filepath.ToSlash(page), root+"/")
		lines := strings.Split(string(source), "\n")
		for i := 0; i < len(lines); i++ {
			if code, found := strings.CutPrefix(lines[i], ".Dl "); found {
				list = append(list, block{name, "", unescape.Replace(code) + "\n", i + 1})
			}
			if !strings.HasPrefix(lines[i], ".Bd -literal") {
				continue
			}
			b := block{file: name, line: i + 2}
			for i++; lines[i] != ".Ed"; i++ {
				b.code += unescape.Replace(lines[i]) + "\n"
			}
			list = append(list, b)
		}
	}
	return list
}

// TestManualReferences wants the pages that ours refer to, and that are ours, to be there.
func TestManualReferences(t *testing.T) {
	ours := regexp.MustCompile(`(?m)^\.Xr ((?:pen|mergelogs)\S*) (\d)`)
	for _, page := range manualPages(t) {
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ours.FindAllSubmatch(source, -1) {
			if _, err := os.Stat(filepath.Join(manualDir, string(m[1])+"."+string(m[2]))); err != nil {
				t.Errorf("%s refers to %s(%s), which is not there", page, m[1], m[2])
			}
		}
	}
}
