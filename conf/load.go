package conf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	maxErrors  = 20 // reported of a file and the files that it includes
	maxInclude = 16 // files inside one another, against one that includes itself
)

// Load executes all lines of a file. They mean the first service until a line says service NAME. Replies go to w. The
// error joins one [Error] for each wrong line, FILE:LINE: TEXT, up to a bounded number; then the draft is what it was
// before.
func (d *Draft) Load(file string, w io.Writer) error {
	d.errors = 0
	service := d.state.service
	d.state.service = d.state.set.Services[0].Name
	err := d.load(file, w)
	if d.state.set.Service(service) == nil {
		service = d.state.set.Services[0].Name
	}
	d.state.service = service
	return err
}

// load executes the lines of a file, which go on with the service at hand.
func (d *Draft) load(file string, w io.Writer) error {
	if d.depth == maxInclude {
		return fmt.Errorf("expected at most %d files inside one another", maxInclude)
	}
	f, err := d.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	before := d.state.clone()
	d.depth++
	err = d.lines(f, file, w)
	d.depth--
	if err != nil {
		d.state = before
	}
	return err
}

// open opens a file to read commands. While pen runs it must be one that cannot make it wait.
func (d *Draft) open(file string) (*os.File, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || !d.offline() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("expected a regular file: %s", file)
	}
	return os.Open(file)
}

// lines executes what r holds and goes on after an error, to find the others.
func (d *Draft) lines(r io.Reader, file string, w io.Writer) error {
	var errs []error
	found := func(line int, err error) {
		errs = append(errs, in(file, line, err))
		d.errors++
	}
	sc, n := bufio.NewScanner(r), 0
	sc.Buffer(nil, MaxLine+2) // with the line end
	for sc.Scan() {
		n++
		if err := d.line(sc.Text(), w); err != nil {
			found(n, err)
		}
		if d.errors >= maxErrors {
			return tooMany(errs)
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		found(n+1, fmt.Errorf("expected a line of at most %d bytes", MaxLine))
	} else if err != nil {
		found(n+1, err)
	}
	return errors.Join(errs...)
}

// line executes a line of a file. What follows a carriage return inside of it would be ignored: a file of commands has
// none.
func (d *Draft) line(text string, w io.Writer) error {
	if strings.Contains(text, "\r") {
		return errors.New("expected one command a line, not a carriage return inside of one")
	}
	return d.Exec(text, w)
}

// tooMany joins errs and says, once, that there may be more.
func tooMany(errs []error) error {
	if joined := errors.Join(errs...); errors.Is(joined, errTooMany) {
		return joined
	}
	return errors.Join(append(errs, errTooMany)...)
}
