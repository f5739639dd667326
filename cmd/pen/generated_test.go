package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"slices"
	"testing"
)

// Some files are written by hand, but for what stands between lines with the words
//
//	BEGIN name: ...
//	END name
//
// which is written from the tables of options and commands by `go test ./cmd/pen -run TestGenerated -update`.

var update = flag.Bool("update", false, "write the generated parts of files anew")

var generatedRegion = regexp.MustCompile(`(?ms)^([^\n]*\bBEGIN (\w+)\b[^\n]*\n)(.*?)(^[^\n]*\bEND \w+\b[^\n]*\n)`)

// compareGenerated compares the generated parts of files with what they should be, and writes them with -update. Each of
// parts must be in one of the files.
func compareGenerated(t *testing.T, files []string, parts map[string]func() string) {
	t.Helper()
	found := map[string]bool{}
	for _, file := range files {
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		is := generatedRegion.ReplaceAllFunc(was, func(part []byte) []byte {
			m := generatedRegion.FindSubmatch(part)
			name := string(m[2])
			if parts[name] == nil {
				t.Fatalf("%s: there is no part %q", file, name)
			}
			found[name] = true
			return slices.Concat(m[1], []byte(parts[name]()), m[4])
		})
		if bytes.Equal(was, is) {
			continue
		}
		if !*update {
			t.Errorf("%s is not what the tables of options and commands say; run go test ./cmd/pen -run TestGenerated -update", file)
		} else if err := os.WriteFile(file, is, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range parts {
		if !found[name] {
			t.Errorf("none of %q has the part %q", files, name)
		}
	}
}
