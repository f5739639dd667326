package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

const outputBuffer = 1 << 16 // bytes

// output is the merged log: a file that can be opened again, or standard output. It belongs to the receiver's goroutine.
type output struct {
	path       string    // "" for standard output
	file       *os.File  // nil for standard output
	writer     io.Writer // what buffer writes to
	buffer     *bufio.Writer
	unbuffered bool
}

// openOutput opens path for appending, or takes stdout if it is empty.
func openOutput(path string, stdout io.Writer, unbuffered bool) (*output, error) {
	o := &output{path: path, writer: stdout, unbuffered: unbuffered}
	if path != "" {
		file, err := appendTo(path)
		if err != nil {
			return nil, err
		}
		o.file, o.writer = file, file
	}
	o.buffer = bufio.NewWriterSize(o.writer, outputBuffer)
	return o, nil
}

// appendTo opens a log file, making it if there is none.
func appendTo(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log: Can't open logfile %s: %w", path, errors.Unwrap(err))
	}
	return file, nil
}

// write writes the parts of a line. After an error what was in the buffer is lost, the next line is tried again.
func (o *output) write(parts ...[]byte) error {
	for _, p := range parts {
		if _, err := o.buffer.Write(p); err != nil {
			return o.failed(err)
		}
	}
	if o.unbuffered {
		return o.flush()
	}
	return nil
}

// flush writes what is buffered.
func (o *output) flush() error {
	if err := o.buffer.Flush(); err != nil {
		return o.failed(err)
	}
	return nil
}

// failed empties the buffer, which otherwise would refuse everything from now on.
func (o *output) failed(err error) error {
	lost := o.buffer.Buffered()
	o.buffer.Reset(o.writer)
	return fmt.Errorf("write log, %d bytes lost: %w", lost, err)
}

// reopen writes what is buffered to the old file and goes on with the one that now has its name. If that can't be
// opened the old one stays.
func (o *output) reopen() error {
	err := o.flush()
	if o.file == nil {
		return err
	}
	file, openErr := appendTo(o.path)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	err = errors.Join(err, o.file.Close())
	o.file, o.writer = file, file
	o.buffer.Reset(file)
	return err
}

// close writes what is buffered and closes the file.
func (o *output) close() error {
	err := o.flush()
	if o.file != nil {
		err = errors.Join(err, o.file.Close())
	}
	return err
}
