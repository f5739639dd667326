package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pen/conf"
)

func TestPlaceOf(t *testing.T) {
	entry := conf.ACL{{Permit: true, Country: "SE"}}
	for _, tt := range []struct {
		name, in string
		list     conf.ACL
		want     place
		fails    string
	}{
		{"none", "", nil, place{}, ""},
		{"port", "8888", nil, place{"tcp4", "127.0.0.1:8888"}, ""},
		{"port, with a list", "8888", entry, place{"tcp4", "0.0.0.0:8888"}, ""},
		{"address", "192.0.2.1:8888", nil, place{"tcp4", "192.0.2.1:8888"}, ""},
		{"all addresses", "0.0.0.0:8888", nil, place{"tcp4", "0.0.0.0:8888"}, ""},
		{"IPv6", "::1:8888", nil, place{"tcp", "[::1]:8888"}, ""},
		{"IPv6 in brackets", "[::1]:8888", nil, place{"tcp", "[::1]:8888"}, ""},
		{"all IPv6", ":::8888", nil, place{"tcp", "[::]:8888"}, ""},
		{"name", "localhost:8888", nil, place{"tcp", "localhost:8888"}, ""},
		{"path", "/run/pen.ctl", entry, place{"unix", "/run/pen.ctl"}, ""},
		{"no port", "localhost:", nil, place{}, "localhost:"},
		{"bad port", "70000", nil, place{}, "70000"},
	} {
		s := conf.Default()
		s.Control.Listen = tt.in
		s.ACL[0] = tt.list
		got, err := placeOf(s)
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: got the error %v, want one with %q", tt.name, err, tt.fails)
		}
	}
}

func TestUnixSocketIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	ln, err := place{"unix", path}.open(Owner{}, "control")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), fs.FileMode(0o600); got != want {
		t.Errorf("got the mode %v, want %v", got, want)
	}
}

func TestUnixSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	stale, busy, file := filepath.Join(dir, "stale"), filepath.Join(dir, "busy"), filepath.Join(dir, "file")
	ln, err := place{"unix", stale}.open(Owner{}, "control")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close() // the name stays
	if _, err := os.Lstat(stale); err != nil {
		t.Fatalf("got %v, want the name of a closed socket to stay as in pen", err)
	}
	other, err := net.Listen("unix", busy)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, fails string }{
		{"left behind", stale, ""},
		{"in use", busy, "in use"},
		{"no socket", file, "no socket"},
		{"no directory", filepath.Join(dir, "x", "y"), "no such file or directory"},
	} {
		ln, err := place{"unix", tt.path}.open(Owner{}, "control")
		if err == nil {
			ln.Close()
		}
		if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: got the error %v, want one with %q", tt.name, err, tt.fails)
		}
	}
	if got, err := os.ReadFile(file); string(got) != "precious" {
		t.Errorf("got %q and %v, want the file to be left alone", got, err)
	}
	conn, err := net.Dial("unix", busy)
	if err != nil {
		t.Errorf("got %v, want the other program still to be there", err)
	} else {
		conn.Close()
	}
}
