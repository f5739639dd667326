package logline

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// FuzzAppend checks that what is appended can be parsed again, and keeps to its limits.
func FuzzAppend(f *testing.F) {
	for _, tt := range appended {
		client, _ := tt.client.MarshalBinary()
		f.Add(client, int64(1700000000), tt.server, []byte(tt.chunk))
	}
	f.Fuzz(func(t *testing.T, address []byte, epoch int64, server string, chunk []byte) {
		client, _ := netip.AddrFromSlice(address)
		want := Line{Client: []byte("-"), Epoch: epoch, Server: []byte(clean(server)), Text: AppendText(nil, chunk)}
		if client.IsValid() {
			want.Client = []byte(client.String())
		}
		checkFile(t, AppendFile(nil, client, epoch, server, chunk), want)

		want.Epoch, want.Text = 0, firstLine(chunk, DatagramMax)
		checkNet(t, AppendNet(nil, client, server, chunk), want)
	})
}

func checkFile(t *testing.T, line []byte, want Line) {
	t.Helper()
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
		t.Errorf("%q is not one line", line)
	}
	if len(want.Text) > TextMax {
		t.Errorf("%q: text of %d bytes, want at most %d", line, len(want.Text), TextMax)
	}
	if got, err := ParseFile(line); err != nil || !same(got, want) {
		t.Errorf("%q: got %s, %v, want %s", line, show(got), err, show(want))
	}
}

func checkNet(t *testing.T, line []byte, want Line) {
	t.Helper()
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 || len(line) > DatagramMax {
		t.Errorf("%q is not one line of at most %d bytes", line, DatagramMax)
	}
	if len(want.Server) > 900 {
		return // cut, and the text with it
	}
	got, err := ParseNet(line)
	if len(line) == DatagramMax && bytes.HasPrefix(want.Text, got.Text) {
		want.Text = got.Text
	}
	if err != nil || !same(got, want) {
		t.Errorf("%q: got %s, %v, want %s", line, show(got), err, show(want))
	}
}

// clean returns the field that a server's name becomes.
func clean(server string) string {
	if server == "" {
		return "-"
	}
	clean := []byte(server)
	for i, c := range clean {
		if strings.IndexByte("\x7f", c) >= 0 || c < 33 {
			clean[i] = '.'
		}
	}
	return string(clean)
}

// FuzzParse checks that no input makes Parse panic and that what it accepts is part of the input.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", " ", "+", "+ ", "1.2.3.4 1 10.0.0.1 GET /\n", "+ 1.2.3.4 10.0.0.1 GET /\n", " 1 /s x", "a b c d", "a 1  c  d", "\n\r", "+\x00 \xff x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, parse := range []func([]byte) (Line, error){ParseFile, ParseNet} {
			line, err := parse(in)
			if err != nil {
				continue
			}
			for _, field := range [][]byte{line.Client, line.Server, line.Text} {
				if !bytes.Contains(in, field) || bytes.ContainsAny(field, "\r\n") {
					t.Errorf("%q: field %q is not a part of its first line", in, field)
				}
			}
			if bytes.IndexByte(line.Client, ' ') >= 0 || bytes.IndexByte(line.Server, ' ') >= 0 {
				t.Errorf("%q: blank in client %q or server %q", in, line.Client, line.Server)
			}
		}
	})
}
