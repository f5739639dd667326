package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The programs are static, so a package of them passes on the code of every module in them, and of Go's own library.
// Their licences want that who gets it gets their texts, too: all are in the file copyright, in the form that Debian
// has for it (DEP 5).

// module is a module that is in the programs.
type module struct {
	path, version, dir string
}

// marks are sentences by which a licence is known. A text without any, or with those of two, stops the packages: a person
// has to look at it.
var marks = []struct{ id, mark string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-3-Clause", "The name of any author may not be used to endorse or promote products derived from this software"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
}

// licenseID returns the SPDX name of a licence.
func licenseID(text string) (string, error) {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	var found []string
	for _, m := range marks {
		if strings.Contains(plain, strings.ToLower(m.mark)) && !slices.Contains(found, m.id) {
			found = append(found, m.id)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the licence is like %q: want exactly one of those known", found)
	}
	return found[0], nil
}

// modules returns what the programs of the target have in them besides pen, Go's library first.
func (s *stage) modules() ([]module, error) {
	const each = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}"
	args := []string{"list", "-deps", "-f", each}
	for _, name := range programs {
		args = append(args, "./cmd/"+name)
	}
	lines, err := s.goOutput(args...)
	if err != nil {
		return nil, err
	}
	env, err := s.goOutput("env", "GOVERSION", "GOROOT")
	if err != nil {
		return nil, err
	}
	version, goroot, _ := strings.Cut(strings.TrimSpace(env), "\n")
	all := []module{{"std", version, goroot}}
	known := map[string]bool{}
	for line := range strings.Lines(lines) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(words) == 3 && !known[words[0]] {
			known[words[0]] = true
			all = append(all, module{words[0], words[1], words[2]})
		}
	}
	return all, nil
}

// goOutput runs the go command for the target.
func (s *stage) goOutput(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+s.system, "GOARCH="+s.arch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return string(out), nil
}

// text returns the first of the named files of a module, or an error if it has none.
func (m module) text(names ...string) (string, error) {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s %s has no file %s", m.path, m.version, strings.Join(names, ", "))
}

// orGPL is where libcap/psx goes on with the GPL, after the licence of BSD: it may be had by one or the other, and we take
// the first.
const orGPL = "\n-------------------------------------------------------------------------\nGPL v2.0:\n"

// license returns the text of a module's licence. The Go of some systems comes without one: it has the words of the
// modules that its authors publish.
func (m module) license(all []module) (string, error) {
	text, err := m.text("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "License", "COPYING")
	if err == nil || m.path != "std" {
		text, _, _ = strings.Cut(text, orGPL)
		return text, err
	}
	for _, other := range all {
		if strings.HasPrefix(other.path, "golang.org/x/") {
			return other.license(nil)
		}
	}
	return "", err
}

// writeCopyright makes the files copyright and, for Debian, copyright.debian: there the Apache licence is at a known place
// and must not be repeated.
func (s *stage) writeCopyright() error {
	all, err := s.modules()
	if err != nil {
		return err
	}
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: pen\n")
	b.WriteString("Comment: pen is the first paragraph; the others are what its programs have in them of others.\n")
	b.WriteString("\nFiles: *\nCopyright: the authors of pen\nLicense: Apache-2.0\n")
	for _, m := range all {
		if err := m.stanza(&b, all); err != nil {
			return err
		}
	}
	b.WriteString("\nLicense: Apache-2.0\n")
	const place = "On Debian systems the text is in the file /usr/share/common-licenses/Apache-2.0.\n"
	if err := s.writeMade("copyright", []byte(b.String()+field(string(own)))); err != nil {
		return err
	}
	return s.writeMade("copyright.debian", []byte(b.String()+field(place)))
}

var copyrightLine = regexp.MustCompile(`(?mi)^\s*(?:Copyright|\(c\))\s.*[12]\d{3}.*$`)

// stanza writes the paragraph of a module.
func (m module) stanza(b *strings.Builder, all []module) error {
	text, err := m.license(all)
	if err != nil {
		return err
	}
	id, err := licenseID(text)
	if err != nil {
		return fmt.Errorf("%s %s: %w", m.path, m.version, err)
	}
	notice, err := m.text("NOTICE", "NOTICE.txt")
	if err != nil {
		notice = "" // few modules have one
	}
	named := text
	if id == license { // its text is about how to name them, and names nobody
		named = notice
	}
	holders := "its authors"
	if lines := copyrightLine.FindAllString(named, -1); len(lines) > 0 {
		for i, line := range lines {
			lines[i] = strings.TrimSpace(line)
		}
		holders = strings.Join(lines, "\n ")
	}
	fmt.Fprintf(b, "\nFiles: %s/*\nCopyright: %s\nLicense: %s\n", m.path, holders, id)
	if id != license {
		b.WriteString(field(text))
	}
	fmt.Fprintf(b, "Comment: version %s\n", m.version)
	if notice != "" {
		b.WriteString(field(notice))
	}
	return nil
}

// field writes a text as the rest of a field: each line after a blank, an empty one as a dot.
func field(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		line = strings.TrimRight(line, " \t\r\n\f")
		if line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}
