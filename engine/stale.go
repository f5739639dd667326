package engine

import (
	"errors"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// RemoveStale removes the file of a Unix socket that a program which has ended left behind. network is unix or unixgram. It
// leaves alone, with an error, what is not a socket and what is or may be somebody's: only a refused connection proves that
// nobody is there.
func RemoveStale(network, path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != fs.ModeSocket:
		return errors.New("the file is there and is no socket")
	}
	conn, err := net.Dial(network, path)
	if err == nil {
		conn.Close()
		return errors.New("the socket is in use by a running program")
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return err
	}
	return os.Remove(path)
}
