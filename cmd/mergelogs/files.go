package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	lineMax      = 1 << 20 // bytes; a longer line means that the file is no log
	bufferSize   = 1 << 16 // bytes read at a time
	progressStep = 100 * time.Millisecond
)

// files is all files that are read, and how much of them has been.
type files struct {
	list   []*os.File
	total  int64 // bytes, as on disk
	stderr io.Writer
	bar    *progressbar.ProgressBar // nil unless shown
}

func newFiles(stderr io.Writer) *files { return &files{stderr: stderr} }

// open opens a log, compressed by gzip or not, which its first bytes tell.
func (f *files) open(path string) (*reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f.list = append(f.list, file)
	if info, err := file.Stat(); err == nil {
		f.total += info.Size()
	}
	buffered := bufio.NewReaderSize(counted{file, f}, bufferSize)
	var content io.Reader = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952
		if content, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	scanner := bufio.NewScanner(content)
	scanner.Buffer(make([]byte, bufferSize), lineMax)
	scanner.Split(splitLines)
	return &reader{path: path, scanner: scanner}, nil
}

// showProgress shows a progress bar from now on if stderr is a terminal.
func (f *files) showProgress() {
	terminal, ok := f.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return
	}
	f.bar = progressbar.NewOptions64(f.total, progressbar.OptionSetWriter(terminal), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(progressStep), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("merging"))
}

// close closes all files and removes the progress bar.
func (f *files) close() {
	if f.bar != nil {
		f.bar.Finish()
	}
	for _, file := range f.list {
		file.Close()
	}
}

// counted is a file whose reads move the progress bar.
type counted struct {
	*os.File
	files *files
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	if c.files.bar != nil {
		c.files.bar.Add(n)
	}
	return n, err
}

// reader reads the lines of a log.
type reader struct {
	path    string
	line    int // number of the last line that was read
	scanner *bufio.Scanner
}

// next returns the next line without its newline, nil at the end. It lives as long as the reader leaves its buffer alone:
// until the next call.
func (r *reader) next() ([]byte, error) {
	if r.scanner.Scan() {
		r.line++
		return r.scanner.Bytes(), nil
	}
	if err := r.scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", r.path, r.line+1, err)
	}
	return nil, nil
}

// splitLines splits at newlines only; a carriage return belongs to the line.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
