package engine

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveStale(t *testing.T) {
	open := map[string]func(string) (interface{ Close() error }, error){
		"unix": func(path string) (interface{ Close() error }, error) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
			}
			return l, err
		},
		"unixgram": func(path string) (interface{ Close() error }, error) {
			return net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		},
	}
	tests := []struct {
		name, network string
		made          string // what is there
		closed        bool
		gone          bool // want
	}{
		{"nothing", "unix", "", false, true},
		{"a file", "unix", "file", false, false},
		{"a listener", "unix", "unix", false, false},
		{"a listener that has ended", "unix", "unix", true, true},
		{"datagrams", "unixgram", "unixgram", false, false},
		{"datagrams that have ended", "unixgram", "unixgram", true, true},
		{"a listener where datagrams are to be", "unixgram", "unix", false, false},
		{"datagrams where a listener is to be", "unix", "unixgram", false, false},
		{"ended datagrams where a listener is to be", "unix", "unixgram", true, true},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "s")
		switch tt.made {
		case "":
		case "file":
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		default:
			c, err := open[tt.made](path)
			if err != nil {
				t.Fatal(err)
			}
			if tt.closed {
				c.Close()
			} else {
				defer c.Close()
			}
		}
		err := RemoveStale(tt.network, path)
		if _, stat := os.Lstat(path); (err == nil) != tt.gone || errors.Is(stat, fs.ErrNotExist) != tt.gone {
			t.Errorf("%s: got %v, file: %v, want it gone: %t", tt.name, err, stat, tt.gone)
		}
	}
}
