package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// stage is where the packages of one target are made: bin/ has its programs, made/ what else is made for it, and each
// package a folder for what it changes of a file.
type stage struct {
	*release
	target
	dir string
}

// entry is a file or directory of a package.
type entry struct {
	path   string // where it is installed
	source string // what is installed there; nothing for a directory
	mode   fs.FileMode
	kind   string
}

// make builds the programs of the target and makes its packages.
func (s *stage) make(rows []row) error {
	for _, step := range []func() error{s.build, s.writeBill, s.writeCopyright, s.writeChanges} {
		if err := step(); err != nil {
			return err
		}
	}
	if s.system != "linux" {
		return s.makeSun(rows)
	}
	for _, format := range []string{"deb", "rpm", "apk"} {
		if err := s.makeLinux(format, rows); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

// build builds the programs, as make build does: without paths in them and without what the go command notes of the
// version control, so that the same sources give the same bytes anywhere.
func (s *stage) build() error {
	var paths []string
	for _, name := range programs {
		paths = append(paths, "./cmd/"+name)
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", s.ldflags, "-o", filepath.Join(s.dir, "bin") + "/"}, paths...)
	env := []string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + s.system, "GOARCH=" + s.arch}
	if s.cache != "" {
		env = append(env, "GOCACHE="+s.cache)
	}
	return command(env, "go", args...)
}

// writeMade writes a file that rows of the kind made take up.
func (s *stage) writeMade(name string, text []byte) error {
	path := filepath.Join(s.dir, "made", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (s *stage) writeChanges() error {
	c, err := readChanges(changesPath)
	if err != nil {
		return err
	}
	text := c.of(s.version, s.time)
	packed, err := pack(text)
	if err != nil {
		return err
	}
	if err := s.writeMade("changelog", text); err != nil {
		return err
	}
	return s.writeMade("changelog.gz", packed)
}

// entries returns what a package has in it, in the order of the paths.
func (s *stage) entries(place string, rows []row) ([]entry, error) {
	var all []entry
	for _, r := range rows {
		if !r.in(place) {
			continue
		}
		e := entry{path: r.target, source: r.source, mode: r.mode, kind: r.kind}
		switch r.kind {
		case kindDir:
			e.source = ""
		case kindProgram:
			e.source = filepath.Join(s.dir, "bin", r.source)
		case kindMade:
			e.source = filepath.Join(s.dir, "made", r.source)
		case kindMan:
			if s.system != "linux" {
				break
			}
			text, err := os.ReadFile(r.source)
			if err != nil {
				return nil, err
			}
			if text, err = pack(text); err != nil {
				return nil, err
			}
			name := filepath.Base(r.source) + ".gz"
			if err := s.writeMade(name, text); err != nil {
				return nil, err
			}
			e.path, e.source = r.target+".gz", filepath.Join(s.dir, "made", name)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// list prints what is in a package.
func (s *stage) list(name string, entries []entry) error {
	info, err := os.Stat(filepath.Join(s.out, name))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.log, "\n%s (%d bytes)\n", name, info.Size())
	w := tabwriter.NewWriter(s.log, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		if e.kind == kindDir {
			fmt.Fprintf(w, "  %04o\t\t%s/\n", e.mode, e.path)
			continue
		}
		info, err := os.Stat(e.source)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %04o\t%9d\t%s\n", e.mode, info.Size(), e.path)
	}
	return w.Flush()
}

// pack compresses as gzip -9n does: without a name and a time.
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
