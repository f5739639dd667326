package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What the packages say of pen.
const (
	summary     = "load balancer for TCP and UDP"
	description = `It lets several servers appear as one, notices which of them are down, and
sends each client back to the server it used last. It knows HTTP, TLS and the
PROXY protocol where it is told to, probes its servers, and shows metrics.

It takes the place of pen 0.34 without a change of command lines, configuration
files, penctl scripts or log tools.`
	license = "Apache-2.0"
)

// nfpm is a file of settings for nfpm, as far as we use it. nfpm reads YAML, which JSON is a part of.
type nfpm struct {
	Name          string            `json:"name"`
	Arch          string            `json:"arch"`
	Platform      string            `json:"platform"`
	Version       string            `json:"version"`
	VersionSchema string            `json:"version_schema"`
	Prerelease    string            `json:"prerelease,omitempty"`
	Release       string            `json:"release,omitempty"`
	Section       string            `json:"section"`
	Priority      string            `json:"priority"`
	Maintainer    string            `json:"maintainer"`
	Description   string            `json:"description"`
	License       string            `json:"license"`
	MTime         time.Time         `json:"mtime"`
	Depends       []string          `json:"depends,omitempty"`
	Scripts       map[string]string `json:"scripts"`
	RPM           nfpmRPM           `json:"rpm"`
	Deb           nfpmDeb           `json:"deb"`
	Contents      []nfpmContent     `json:"contents"`
}

type nfpmRPM struct {
	Summary   string `json:"summary"`
	BuildHost string `json:"buildhost"`
	Group     string `json:"group"`
}

type nfpmDeb struct {
	Compression string `json:"compression"`
}

type nfpmContent struct {
	Source string   `json:"src,omitempty"`
	Target string   `json:"dst"`
	Type   string   `json:"type,omitempty"`
	Info   nfpmFile `json:"file_info"`
}

type nfpmFile struct {
	Mode  fs.FileMode `json:"mode"`
	Owner string      `json:"owner"`
	Group string      `json:"group"`
	MTime time.Time   `json:"mtime"`
}

// scripts are those that a package brings, by nfpm's names for them.
var scripts = map[string]map[string]string{
	"deb": {"postinstall": "deb/postinst", "preremove": "deb/prerm", "postremove": "deb/postrm"},
	"rpm": {"postinstall": "rpm/post", "preremove": "rpm/preun", "postremove": "rpm/postun"},
	"apk": {"postinstall": "apk/post-install"},
}

// needs are the packages that the scripts want. The programs want none.
var needs = map[string][]string{"deb": {"adduser"}, "rpm": {"/bin/sh"}}

// descriptions are how the formats want it: Debian's first line is the summary, Alpine has no more than that.
var descriptions = map[string]string{"deb": summary + "\n" + description, "rpm": description, "apk": summary}

// makeLinux makes a package by nfpm.
func (s *stage) makeLinux(format string, rows []row) error {
	entries, err := s.entries(format, rows)
	if err != nil {
		return err
	}
	settings, err := s.settings(format, entries)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, format+".yaml")
	if err := os.WriteFile(path, settings, 0o644); err != nil {
		return err
	}
	name := s.fileName(format)
	epoch := fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.time.Unix())
	if err := tool([]string{epoch}, "nfpm", "package", "-f", path, "-p", format, "-t", filepath.Join(s.out, name)); err != nil {
		return err
	}
	return s.list(name, entries)
}

// settings writes nfpm's file.
func (s *stage) settings(format string, entries []entry) ([]byte, error) {
	log, err := readChanges(changesPath)
	if err != nil {
		return nil, err
	}
	number, pre := s.number()
	n := nfpm{
		Name: "pen", Arch: s.arch, Platform: s.system,
		Version: number, VersionSchema: "none", Prerelease: pre,
		Section: "net", Priority: "optional", Maintainer: log.maintainer, License: license,
		Description: descriptions[format],
		MTime:       s.time, Depends: needs[format], Scripts: map[string]string{},
		RPM: nfpmRPM{Summary: summary, BuildHost: "localhost", Group: "System Environment/Daemons"},
		Deb: nfpmDeb{Compression: "xz"},
	}
	for when, file := range scripts[format] {
		if n.Scripts[when], err = s.script(file); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		c := nfpmContent{Source: e.source, Target: e.path, Info: nfpmFile{e.mode, "root", "root", s.time}}
		switch e.kind {
		case kindConf:
			c.Type = "config|noreplace"
		case kindDir:
			c.Type = "dir"
		}
		n.Contents = append(n.Contents, c)
	}
	return json.MarshalIndent(n, "", "  ")
}

// script puts a script where it has the time of all files: nfpm takes it over.
func (s *stage) script(file string) (string, error) {
	text, err := os.ReadFile("conf/etc/packages/" + file)
	if err != nil {
		return "", err
	}
	if err := s.writeMade(file, text); err != nil {
		return "", err
	}
	path := filepath.Join(s.dir, "made", file)
	return path, os.Chtimes(path, s.time, s.time)
}

// fileName is the name of a package, by the custom of its system.
func (s *stage) fileName(format string) string {
	number, pre := s.number()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[s.arch]
	switch format {
	case "deb":
		return fmt.Sprintf("pen_%s_%s.deb", s.version, s.arch)
	case "rpm":
		return fmt.Sprintf("pen-%s-1.%s.rpm", s.version, machine)
	}
	return fmt.Sprintf("pen-%s.%s.apk", strings.Trim(number+"_"+pre, "_"), machine)
}
