package conf

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// safe reports whether fuzzed words may be executed: they must not write files, nor read any of this machine.
func safe(text string) bool {
	for _, name := range []string{"write", "include", "check", "status", "web_stats"} {
		if strings.Contains(text, name) {
			return false
		}
	}
	return true
}

// FuzzExec executes a line while pen runs, and checks that a wrong one changes nothing and that what a right one leads
// to survives being written.
func FuzzExec(f *testing.F) {
	for _, row := range table {
		f.Add(row.Usage())
		f.Add(row.Name + " 1")
		f.Add("no " + row.Name + " 1")
	}
	for _, lines := range goldens {
		for _, line := range lines {
			f.Add(line)
		}
	}
	f.Add("service web server 3 address '[::1]' port http max 1 prio 9 blacklist 7")
	f.Add("log 'it''s'\r\nmode")
	f.Add("\x00\xff '")
	f.Fuzz(func(t *testing.T, line string) {
		if !safe(line) {
			return
		}
		s := Default()
		s.Services = append(s.Services, NewService("web"))
		s.Services[0].Servers = []Server{{Address: "www1", Port: 80}, {Address: "/run/app"}}
		rt := &running{}
		d := NewDraft(s, rt)
		if err := d.Exec(line, io.Discard); err != nil {
			if err.Error() == "" {
				t.Errorf("%q: the error says nothing", line)
			}
			if d.Changed() || len(d.state.later) > 0 {
				t.Errorf("%q failed with %v, but changed something", line, err)
			}
			return
		}
		d.Finish(rt)
		again, err := parse(Format(d.Settings(), "", then))
		if err != nil || !equal(again, d.Settings()) {
			t.Errorf("%q: read as\n%s\nwant\n%s\nerror %v", line, dump(again), dump(d.Settings()), err)
		}
	})
}

// FuzzLoad loads a file at start, and checks that a wrong one changes nothing and is reported with its name.
func FuzzLoad(f *testing.F) {
	for _, lines := range goldens {
		f.Add(strings.Join(lines, "\n"))
		f.Add(string(Format(Default(), "x", then)))
	}
	f.Add("hash\r\nbogus\n\n# comment\nservice web\nno service web\nlisten 80")
	f.Add(strings.Repeat("acl 1 permit ::1\n", 50) + "no acl 1")
	f.Fuzz(func(t *testing.T, text string) {
		if !safe(text) {
			return
		}
		file := filepath.Join(t.TempDir(), "pen.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d := NewDraft(Default(), Offline{})
		if err := d.Load(file, io.Discard); err != nil {
			if !strings.HasPrefix(err.Error(), file+":") {
				t.Errorf("the error does not name the file: %v", err)
			}
			if d.Changed() || len(d.state.later) > 0 {
				t.Errorf("a file with errors changed something: %v", err)
			}
			return
		}
		again, err := parse(Format(d.Settings(), "", then))
		if err != nil || !equal(again, d.Settings()) {
			t.Errorf("read as\n%s\nwant\n%s\nerror %v", dump(again), dump(d.Settings()), err)
		}
	})
}

// FuzzACL compares the matcher of a list with a walk through it, and the list with what it is written as.
func FuzzACL(f *testing.F) {
	f.Add("permit 10.0.0.0 255.0.255.0\ndeny ::1/128\npermit country SE", "10.0.0.1")
	f.Add("deny ::ffff:10.0.0.0/100\npermit 0.0.0.0 0", "::ffff:10.1.1.1")
	f.Add("permit ::/0", "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, text, address string) {
		var a ACL
		for line := range strings.SplitSeq(text, "\n") {
			words := strings.Fields(line)
			if len(words) < 2 || len(words) > 3 {
				continue
			}
			e, err := parseEntry(words)
			if err != nil {
				continue
			}
			again, err := parseEntry(strings.Fields(e.String()))
			if err != nil || again != e {
				t.Errorf("%q is written as %q, which is read as %+v, %v, want %+v", line, e, again, err, e)
			}
			a = append(a, e)
		}
		addr, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		if got, want := a.Compile(countryOf).Permit(addr), naive(a, addr.Unmap().WithZone("")); got != want {
			t.Errorf("%v: Permit(%s) = %t, want %t", a, addr, got, want)
		}
	})
}

// FuzzOperand parses operands, and checks that the server survives being written.
func FuzzOperand(f *testing.F) {
	for _, operand := range []string{
		"www1", "www1:80:1:2:3:4", "[::1]:http", "::1", "/run/app:3:4", "0.0.0.0:1", "/a'b c", "fe80::1%eth0", "www::::::", "[", "[]:", ":80",
	} {
		f.Add("8080", operand)
		f.Add(operand, "www1")
	}
	f.Add("0", "/:\r") // the port of a path means nothing
	f.Fuzz(func(t *testing.T, listen, operand string) {
		d := NewDraft(Default(), Offline{})
		if err := d.Operands([]string{listen, operand}); err != nil {
			if d.Changed() {
				t.Errorf("%q, %q failed with %v, but changed something", listen, operand, err)
			}
			return
		}
		again, err := parse(Format(d.Settings(), "", then))
		if err != nil || !equal(again, d.Settings()) {
			t.Errorf("%q, %q: read as\n%s\nwant\n%s\nerror %v", listen, operand, dump(again), dump(d.Settings()), err)
		}
	})
}

// FuzzSplit checks that quoted words survive.
func FuzzSplit(f *testing.F) {
	f.Add("a", "b c")
	f.Add("#", "'")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := Split(" " + Quote(a) + "\t" + Quote(b) + " ")
		if err != nil || len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("got %q, %v, want %q, %q", got, err, a, b)
		}
	})
}

// FuzzFileIsCommands checks that a file has the same effect as its lines on their own.
func FuzzFileIsCommands(f *testing.F) {
	f.Add("hash\nserver 0 max 3\nservice web\nlisten 80\n")
	f.Add("service 0")
	f.Fuzz(func(t *testing.T, text string) {
		if !safe(text) || len(text) > MaxLine || strings.ContainsAny(text, "\r") {
			return
		}
		got, err := parse([]byte(text))
		if err != nil {
			return
		}
		d := NewDraft(Default(), Offline{})
		d.depth = 1 // the lines are those of a file: there the service that is named first is the first
		var b bytes.Buffer
		for line := range strings.SplitSeq(text, "\n") {
			if err := d.Exec(line, &b); err != nil {
				t.Errorf("%q alone: %v", line, err)
			}
		}
		if !equal(got, d.Settings()) {
			t.Errorf("as a file\n%s\nas lines\n%s", dump(got), dump(d.Settings()))
		}
	})
}
