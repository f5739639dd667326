package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseRow(t *testing.T) {
	tests := []struct {
		name, in, want string // an error that has this in it, or nothing
	}{
		{"good", "all 0755 program pen /usr/bin/pen", ""},
		{"left out", "- - - conf/etc/x   for some reason", ""},
		{"places", "deb,sun 0644 file a /b", ""},
		{"folder", "deb 0644 file docs/ /usr/share/doc/pen/", ""},
		{"too few words", "all 0755 program pen", "4 words"},
		{"mode", "all 0788 program pen /usr/bin/pen", `mode "0788"`},
		{"kind", "all 0755 binary pen /usr/bin/pen", `kind "binary"`},
		{"place", "all,deb 0755 program pen /usr/bin/pen", `for "all"`},
		{"relative", "all 0755 program pen usr/bin/pen", `target "usr/bin/pen"`},
		{"folder and file", "all 0755 file docs/ /usr/share/doc/pen", "two folders or none"},
		{"too many words", "all 0755 program pen /usr/bin/pen x", "absolute path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseRow(tt.in)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// What is added to conf/etc, conf/man or docs and not to the table would be in no package without anybody noticing.
func TestEveryFileIsInTheTable(t *testing.T) {
	rows, left, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"conf/etc", "conf/man", "docs"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if !slices.ContainsFunc(rows, func(r row) bool { return r.source == path }) && !slices.ContainsFunc(left, func(r row) bool {
				return r.source == path || strings.HasSuffix(r.source, "/") && strings.HasPrefix(path, r.source)
			}) {
				t.Errorf("%s is not in %s: say where it belongs, or leave it out with a reason", path, tablePath)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range append(left, rows...) {
		if r.kind == kindProgram || r.kind == kindMade || r.kind == kindDir {
			continue
		}
		if _, err := os.Stat(r.source); err != nil {
			t.Errorf("%s: %v", tablePath, err)
		}
	}
}

func TestTargetsAreOfOneSource(t *testing.T) {
	rows, _, err := readTable(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range places {
		from := map[string]string{}
		for _, r := range rows {
			if !r.in(place) {
				continue
			}
			if from[r.target] != "" {
				t.Errorf("%s: %s is both %s and %s", place, r.target, from[r.target], r.source)
			}
			from[r.target] = r.source
		}
		for _, name := range programs {
			if from["/usr/bin/"+name] == "" {
				t.Errorf("%s: there is no program %s", place, name)
			}
		}
	}
}
