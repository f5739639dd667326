package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inFile writes a file for a test and returns its name.
func inFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoad(t *testing.T) {
	file := inFile(t, "pen.conf", "# Generated\n\n\thash\r\nuser pen\ntracking 77\nservice web\nlisten 8080\n  server 1 port 80 address www2")
	d := NewDraft(Default(), Offline{})
	var b bytes.Buffer
	if err := d.Load(file, &b); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Process.User = "pen"
	want.Services[0].Balance.Hash = true
	want.Services[0].Timeout.Tracking = 77e9
	web := NewService("web")
	web.Listen, web.Servers = "8080", []Server{{}, {Address: "www2", Port: 80}}
	want.Services = append(want.Services, web)
	if !equal(d.Settings(), want) {
		t.Errorf("got\n%s\nwant\n%s", dump(d.Settings()), dump(want))
	}
	if got, want := b.String(), "77\n8080\n"; got != want {
		t.Errorf("replies: got %q, want %q", got, want)
	}
	if err := d.Exec("weight", io.Discard); err != nil || !d.Settings().Services[0].Balance.Weight {
		t.Errorf("a line after the file does not mean the first service: %v", err)
	}
}

// TestLoadErrors checks that all wrong lines of a file are reported with their places, and that nothing changes.
func TestLoadErrors(t *testing.T) {
	inner := inFile(t, "inner.conf", "weight\nserver 0 max\n")
	file := inFile(t, "pen.conf", strings.Join([]string{
		"hash", "hsah", "timeout x", "", "# comment", "tcp_fastclose", "no such", "include " + inner, "include /none", "write", "exit", "dsr_if eth0",
		"service web", "log 'x", "hash\rprio", strings.Repeat("y", 70000), "prio",
	}, "\n"))
	s := settings(t, "server 0 address www1 port 80")
	d := NewDraft(s, Offline{})
	err := d.Load(file, io.Discard)
	want := strings.NewReplacer("FILE", file, "INNER", inner).Replace(`FILE:2: unknown command 'hsah'; did you mean 'hash'?
FILE:3: timeout: expected seconds from 1 to 2147483647, not 'x'
FILE:6: tcp_fastclose: expected tcp_fastclose up|down|both|off
FILE:7: no such: unknown command 'such'; the command help lists all commands
INNER:2: server: expected a value after 'max'
FILE:9: include: stat /none: no such file or directory
FILE:10: write: not possible in a file, only at start or on the control socket
FILE:11: exit: not possible in a file, only on the control socket
FILE:12: dsr_if: not available in this version of pen
FILE:14: log 'x: expected a closing ' at the end of the value
FILE:15: expected one command a line, not a carriage return inside of one
FILE:16: expected a line of at most 65536 bytes`)
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if d.Changed() {
		t.Errorf("a file with errors changed the settings:\n%s", dump(d.Settings()))
	}
	var e *Error
	if !errors.As(err, &e) || e.File != file || e.Line != 2 {
		t.Errorf("the first error is %+v, want an Error of line 2", e)
	}
	if err := d.Exec("hash", io.Discard); err != nil || !d.Settings().Services[0].Balance.Hash {
		t.Errorf("a line after a wrong file: %v", err)
	}
}

func TestLoadLimits(t *testing.T) {
	t.Run("errors", func(t *testing.T) {
		err := NewDraft(Default(), Offline{}).Load(inFile(t, "c", strings.Repeat("bogus\n", 1000)), io.Discard)
		if got := strings.Count(err.Error(), "\n"); got != maxErrors {
			t.Errorf("got %d lines, want %d", got+1, maxErrors+1)
		}
		if !strings.HasSuffix(err.Error(), "\ntoo many errors") {
			t.Errorf("got %v, want too many errors at the end", err)
		}
	})
	t.Run("itself", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "self")
		line := "include " + file + "\n"
		if err := os.WriteFile(file, []byte("hash\n"+line+line+line), 0o600); err != nil {
			t.Fatal(err)
		}
		d := NewDraft(Default(), &running{})
		err := d.Exec(line, io.Discard)
		if err == nil || !strings.Contains(err.Error(), file+":2: include: expected at most 16 files inside one another") {
			t.Errorf("got %v, want an error about files inside one another", err)
		}
		if got := strings.Count(err.Error(), "too many errors"); got != 1 {
			t.Errorf("too many errors is said %d times, want once", got)
		}
		if d.Changed() {
			t.Error("the file changed the settings")
		}
	})
	t.Run("line", func(t *testing.T) {
		longest := "log " + strings.Repeat("x", MaxLine-4)
		if err := NewDraft(Default(), Offline{}).Load(inFile(t, "c", longest+"\r\n"+longest), io.Discard); err != nil {
			t.Errorf("lines of %d bytes: %.100v", MaxLine, err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if err := NewDraft(Default(), Offline{}).Load(t.TempDir(), io.Discard); err == nil {
			t.Error("no error for a directory")
		}
	})
	t.Run("missing", func(t *testing.T) {
		err := NewDraft(Default(), Offline{}).Load("/none", io.Discard)
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v, want one that is ErrNotExist", err)
		}
	})
}

// A file that begins with a service has no empty one in front of it, and is written as such.
func TestFirstServiceIsNamed(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"at once", "service web\nlisten 8080\nservice mail\nlisten 25\n", "web mail"},
		{"after a setting of the default one", "tracking 5\nservice web\nlisten 8080\n", "default web"},
		{"after process-wide lines", "# front\nreactors 2\nservice web\nlisten 8080\n", "web"},
		{"after a line of the default one", "listen 80\nservice web\nlisten 8080\n", "default web"},
	}
	for _, tt := range tests {
		d := NewDraft(Default(), Offline{})
		if err := d.Load(inFile(t, "pen.conf", tt.file), io.Discard); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var names []string
		for _, v := range d.Settings().Services {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: got services %q, want %q", tt.name, got, tt.want)
		}
		d.Settings().Process.ConfigFile = "" // what only option -F says
		again, err := parse(Format(d.Settings(), "", then))
		if err != nil || dump(again) != dump(d.Settings()) {
			t.Errorf("%s: written and read again: %v\n%s\nwant\n%s", tt.name, err, dump(again), dump(d.Settings()))
		}
	}
}

// TestInclude checks where replies go, and which services the lines mean.
func TestInclude(t *testing.T) {
	file := inFile(t, "inc", "hash\ntimeout 9\nservice mail\nprio\n")
	s := settings(t, "service web")
	d := NewDraft(s, &running{})
	var included, out bytes.Buffer
	d.Included = &included
	for _, line := range []string{"service web include " + file, "weight"} {
		if err := d.Exec(line, &out); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "" || included.String() != "9\n" {
		t.Errorf("replies: got %q and %q, want none and 9", out.String(), included.String())
	}
	v := d.Settings().Services
	got := fmt.Sprintf("%+v %+v %+v", v[0].Balance, v[1].Balance, v[2].Balance)
	want := fmt.Sprintf("%+v %+v %+v", Balance{Weight: true}, Balance{Hash: true}, Balance{Prio: true})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	good := inFile(t, "good", "hash\nserver 0 blacklist 9\nuser pen\nmode\n")
	bad := inFile(t, "bad", "hash\nbogus\n")
	tests := []struct {
		file, want string
		compile    error
	}{
		{good, good + ": no errors\n", nil},
		{good, "check: listen 80: permission denied", errors.New("listen 80: permission denied")},
		{bad, bad + ":2: unknown command 'bogus'; the command help lists all commands", nil},
		{"/none", "check: stat /none: no such file or directory", nil},
	}
	for _, tt := range tests {
		rt := &running{}
		d := NewDraft(Default(), rt)
		d.Compile = func(s *Settings) error {
			if !s.Services[0].Balance.Hash {
				t.Error("compiled other settings than those of the file")
			}
			return tt.compile
		}
		var b bytes.Buffer
		if err := d.Exec("check "+tt.file, &b); err != nil {
			b.WriteString(err.Error())
		}
		if got := b.String(); got != tt.want {
			t.Errorf("check %s:\ngot  %q\nwant %q", tt.file, got, tt.want)
		}
		if d.Finish(rt); d.Changed() || len(rt.did) > 0 {
			t.Errorf("check %s changed something: %q", tt.file, rt.did)
		}
	}
}
