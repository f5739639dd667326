package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tablePath is the table of all files that are installed; its head explains the columns.
const tablePath = "conf/etc/packages/files"

// The kinds of a row.
const (
	kindProgram = "program"
	kindMan     = "man"
	kindConf    = "conf"
	kindText    = "text"
	kindFile    = "file"
	kindMade    = "made"
	kindDir     = "dir"
	kindLeft    = "-"
)

var (
	kinds  = []string{kindProgram, kindMan, kindConf, kindText, kindFile, kindMade, kindDir}
	places = []string{"deb", "rpm", "apk", "sun", "linux", "sunos", "freebsd", "openbsd", "netbsd", "darwin"}
)

// row is a line of the table.
type row struct {
	places []string // where it belongs; none if it is left out
	mode   fs.FileMode
	kind   string
	source string // for a program or what is made its name; else a file of the module, or a folder, with a slash behind it
	target string // an absolute path; for what is left out the reason
}

// in reports whether the row belongs to a place.
func (r row) in(place string) bool {
	return slices.Contains(r.places, place)
}

// readTable returns the rows of the table, and those of what is left out.
func readTable(path string) (installed, leftOut []row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var rows, left []row
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRow(line)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if r.kind == kindLeft {
			left = append(left, r)
		} else {
			rows = append(rows, r)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, nil, err
	}
	rows, err = unfold(rows, left)
	return rows, left, err
}

// unfold puts the files of a folder in the place of a row about it, those apart that are left out.
func unfold(rows, left []row) ([]row, error) {
	var all []row
	for _, r := range rows {
		if !strings.HasSuffix(r.source, "/") {
			all = append(all, r)
			continue
		}
		files, err := os.ReadDir(r.source)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			path := r.source + file.Name()
			if file.IsDir() || slices.ContainsFunc(left, func(l row) bool { return l.source == path }) {
				continue
			}
			f := r
			f.source, f.target = path, r.target+filepath.Base(path)
			if r.kind == kindMan {
				f.target = r.target + "man" + filepath.Ext(path)[1:] + "/" + filepath.Base(path)
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// parseRow reads a line of the table.
func parseRow(line string) (row, error) {
	words := strings.Fields(line)
	if len(words) < 5 {
		return row{}, fmt.Errorf("%d words; want: for, mode, kind, source, target", len(words))
	}
	r := row{kind: words[2], source: words[3], target: strings.Join(words[4:], " ")}
	if r.kind == kindLeft {
		return r, nil
	}
	if strings.HasSuffix(r.source, "/") != strings.HasSuffix(r.target, "/") {
		return row{}, fmt.Errorf("source %q and target %q; want two folders or none", r.source, r.target)
	}
	mode, err := strconv.ParseUint(words[1], 8, 9)
	switch {
	case err != nil:
		return row{}, fmt.Errorf("mode %q; want an octal number", words[1])
	case !slices.Contains(kinds, r.kind):
		return row{}, fmt.Errorf("kind %q; want one of %s", r.kind, strings.Join(kinds, ", "))
	case len(words) != 5 || !strings.HasPrefix(r.target, "/"):
		return row{}, fmt.Errorf("target %q; want an absolute path", r.target)
	}
	r.mode = fs.FileMode(mode)
	if words[0] == "all" {
		r.places = places
		return r, nil
	}
	r.places = strings.Split(words[0], ",")
	for _, p := range r.places {
		if !slices.Contains(places, p) {
			return row{}, fmt.Errorf("for %q; want all or some of %s", p, strings.Join(places, ", "))
		}
	}
	return r, nil
}
