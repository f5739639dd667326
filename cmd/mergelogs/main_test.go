package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pen/cmd/version"
)

// noon is the time that most lines of the tests have.
const noon = 1700000000 // seconds: 14/Nov/2023:22:13:20 +0000

// web is a line of a web server's log.
func web(seconds int64, request string) string {
	return fmt.Sprintf("9.9.9.9 - - [%s] \"%s\" 200 5\n", time.Unix(seconds, 0).UTC().Format("02/Jan/2006:15:04:05 -0700"), request)
}

// inUTC makes the output of the test the same wherever it runs.
func inUTC(t *testing.T) {
	t.Helper()
	t.Setenv("TZ", "UTC")
	old := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = old })
}

// write makes a file in dir and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func compressed(content string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(content))
	z.Close()
	return b.String()
}

// merges are merges of which the C program does at least some wrong; see TestSameAsC for those it does right.
var merges = []struct {
	name    string
	options []string
	pen     string
	logs    []string // server:content
	want    string
}{
	{"oldest first, first operand on a tie", nil, "",
		[]string{"10.0.0.1:" + web(noon, "A") + web(noon+2, "B") + web(noon+2, "C"), "10.0.0.2:" + web(noon+1, "D") + web(noon+2, "E")},
		strings.ReplaceAll(web(noon, "A"), "9.9.9.9", "10.0.0.1") + strings.ReplaceAll(web(noon+1, "D"), "9.9.9.9", "10.0.0.2") +
			strings.ReplaceAll(web(noon+2, "B")+web(noon+2, "C"), "9.9.9.9", "10.0.0.1") + strings.ReplaceAll(web(noon+2, "E"), "9.9.9.9", "10.0.0.2")},
	{"each with the nearest entry", nil, "c1 1700000000 s A\nc2 1700000010 s A\nc3 1700000020 s A\n",
		[]string{"s:" + web(noon+1, "A") + web(noon+9, "A") + web(noon+15, "A") + web(noon+16, "A") + web(noon+300, "A")},
		"c1" + web(noon+1, "A")[7:] + "c2" + web(noon+9, "A")[7:] + "c2" + web(noon+15, "A")[7:] + "c3" + web(noon+16, "A")[7:] + "c3" + web(noon+300, "A")[7:]},
	{"jitter is a limit", []string{"-j5"}, "c1 1700000000 s A\nc2 1700000020 s A\n", []string{"s:" + web(noon+5, "A") + web(noon+6, "A") + web(noon+15, "A") + web(noon+26, "A")},
		"c1" + web(noon+5, "A")[7:] + "s" + web(noon+6, "A")[7:] + "c2" + web(noon+15, "A")[7:] + "s" + web(noon+26, "A")[7:]},
	{"default jitter", nil, "c1 1700000000 s A\n", []string{"s:" + web(noon+600, "A") + web(noon+601, "A")}, "c1" + web(noon+600, "A")[7:] + "s" + web(noon+601, "A")[7:]},
	{"no cache ignores the jitter", []string{"-c", "-j", "1"}, "c1 1700000000 s A\n", []string{"s:" + web(noon+7000, "A")}, "c1" + web(noon+7000, "A")[7:]},
	{"lines out of order", []string{"-j", "10"}, "c1 1700000000 s A\nc2 1700000050 s B\n", []string{"s:" + web(noon+10, "B") + web(noon, "A")}, "s" + web(noon+10, "B")[7:] + "c1" + web(noon, "A")[7:]},
	{"log of pen out of order", nil, "c2 1700000010 s A\nc1 1700000000 s A\n", []string{"s:" + web(noon, "A") + web(noon+10, "A")}, "c1" + web(noon, "A")[7:] + "c2" + web(noon+10, "A")[7:]},
	{"request longer than pen's text", nil, "c1 1700000000 s " + strings.Repeat("x", 100) + "\n", []string{"s:" + web(noon, strings.Repeat("x", 130))}, "c1" + web(noon, strings.Repeat("x", 130))[7:]},
	{"bytes above 127", nil, "c1 1700000000 s GET /..\n", []string{"s:" + web(noon, "GET /\xc3\xa9")}, "c1" + web(noon, "GET /\xc3\xa9")[7:]},
	{"IPv6", nil, "2001:db8::7 1700000000 2001:db8:0:0::1 A\n::1 1700000000 ::2 A\n", []string{"[2001:db8::1]:" + web(noon, "A"), "::2:" + web(noon, "A")}, "2001:db8::7" + web(noon, "A")[7:] + "::1" + web(noon, "A")[7:]},
	{"timezone", []string{"-t", "7200"}, "c1 1700007200 s A\n", []string{"s:" + web(noon, "A")}, "c1" + web(noon, "A")[7:]},
	{"timezone west", []string{"-t", "-7200"}, "c1 1699992800 s A\n", []string{"s:" + web(noon, "A")}, "c1" + web(noon, "A")[7:]},
	{"client on a unix socket, C pen", nil, " 1700000000 s A\n", []string{"s:" + web(noon, "A")}, "-" + web(noon, "A")[7:]},
	{"junk in both", nil, "junk\n\nc1 1700000000 s A\n", []string{"s:\njunk\n" + web(noon, "A") + "x - [no/date] \"A\" t\n"}, "c1" + web(noon, "A")[7:]},
	{"empty logs", nil, "", []string{"s:"}, ""},
}

func TestMerge(t *testing.T) {
	inUTC(t)
	for _, tt := range merges {
		for _, pack := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/gzip=%v", tt.name, pack), func(t *testing.T) {
				dir := t.TempDir()
				packed := func(s string) string { return s }
				if pack {
					packed = compressed
				}
				args := append([]string{"-p", write(t, dir, "pen.log", packed(tt.pen))}, tt.options...)
				for i, l := range tt.logs {
					cut := strings.LastIndex(strings.SplitN(l, "9.9.9.9", 2)[0], ":")
					if j := strings.Index(l, ":\n"); j >= 0 {
						cut = j
					}
					args = append(args, l[:cut+1]+write(t, dir, fmt.Sprint("web", i), packed(l[cut+1:])))
				}
				var stdout, stderr bytes.Buffer
				if status := run(args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
					t.Fatalf("got status %d, %q", status, &stderr)
				}
				if stdout.String() != tt.want {
					t.Errorf("got\n%swant\n%s", &stdout, tt.want)
				}
			})
		}
	}
}

func TestOptionsAndErrors(t *testing.T) {
	dir := t.TempDir()
	pen, log, long := write(t, dir, "pen.log", ""), "s:"+write(t, dir, "web", ""), write(t, dir, "long", strings.Repeat("x", lineMax+1))
	broken := write(t, dir, "broken", "\x1f\x8bjunk")
	missing := filepath.Join(dir, "missing")
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string // what it must contain
	}{
		{"nothing", nil, 0, usage, ""},
		{"no logs", []string{"-p", pen}, 0, usage, ""},
		{"help", []string{"--help"}, 0, usage, ""},
		{"unknown option", []string{"-q"}, 0, usage, "mergelogs: unknown shorthand flag: 'q'"},
		{"version", []string{"--version"}, 0, version.Line("mergelogs"), ""},
		{"no log of pen", []string{log}, 1, "", "use -p FILE"},
		{"missing log of pen", []string{"-p", missing, log}, 1, "", missing},
		{"missing log", []string{"-p", pen, "s:" + missing}, 1, "", missing},
		{"no colon", []string{"-p", pen, "s"}, 1, "", `"s"`},
		{"no file", []string{"-p", pen, "s:"}, 1, "", `"s:"`},
		{"bracket open", []string{"-p", pen, "[::1:x"}, 1, "", `"[::1:x"`},
		{"negative jitter", []string{"-p", pen, "-j", "-1", log}, 1, "", "jitter -1"},
		{"no directory for rejects", []string{"-p", pen, "-r", missing + "/x", log}, 1, "", missing + "/x"},
		{"line too long", []string{"-p", pen, "s:" + long}, 1, "", long + ":1: "},
		{"broken gzip", []string{"-p", pen, "s:" + broken}, 1, "", broken + ": "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(tt.args, &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("got %d, stdout %q, stderr %q, want %d, %q, a text with %q", status, &stdout, &stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestRejectsAndDebug(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	rejects := filepath.Join(dir, "rejects")
	path := write(t, dir, "web", "junk\n"+web(noon, "A")+web(noon, "B")+"more junk")
	var stdout, stderr bytes.Buffer
	status := run([]string{"-dd", "-r", rejects, "-p", write(t, dir, "pen", "c 1700000000 s A\n"), "s:" + path}, &stdout, &stderr)
	got, _ := os.ReadFile(rejects)
	if status != 0 || string(got) != "junk\nmore junk\n" {
		t.Errorf("got status %d, rejects %q", status, got)
	}
	for _, want := range []string{path + ":1: not a line", path + `:3: no client for "B"`, path + ":4: not a line", "1 lines matched, 1 did not, 2 skipped"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr: got %q, want a text with %q", &stderr, want)
		}
	}
}

const theirs = "/usr/bin/mergelogs"

// needTheirs skips a test unless the C mergelogs is there.
func needTheirs(t testing.TB) {
	t.Helper()
	out, err := exec.Command(theirs).Output()
	if err != nil || !strings.HasPrefix(string(out), "Usage: mergelogs -p penlog") || strings.Contains(string(out), "--version") {
		t.Skipf("%s is not the C program: %v", theirs, err)
	}
}

// TestSameAsC merges one line at a time with both programs: from the second line on times of the C program may be an
// hour off.
func TestSameAsC(t *testing.T) {
	needTheirs(t)
	inUTC(t)
	const d = "14/Nov/2023:22:13:20"
	const far = "100000000" // seconds: the C program uses entries further away than the jitter
	pen := "c1 1699999995 s A\nc2 1700000005 s A\nd1 1700000000 s B\nd2 1700000000 s B\ne1 1700000000  s E \n"
	lines := []string{
		"x - - [" + d + " +0000] \"A\" 200 5", "x - - [" + d + " +0000] \"B\" 200 5 \"-\" \"Moz\"", "x - - [" + d + " +0000] \"C\" 1", "x - [" + d + " +0000] \"E \" t",
		"x - [" + d + " +0000]  foo \"A\"  \"B\" ", " x - [" + d + " +0000] \"A\" t", "x -[" + d + "] \"A\" t", "x - a  b [" + d + " -0500] \"A\"t", "x  - [" + d + " +0530] \"B\" t",
		"x - [1/Nov/2023:2:3:0 +0000] \"A\" t", "x - [" + d + " +0000] \" A\" t", "x - [" + d + " GMT] \"A\" t", "x - [" + d + " +0000]\"A\" t", "x - [" + d + " +0000] \"\" t",
		"x [" + d + " +0000] \"A\" t", "x  [" + d + " +0000] \"A\" t", "x\t- [" + d + " +0000] \"A\" t", "x - [" + d + " +0000] \"A\"", "x - [" + d + " +0000] \"A", "x - [" + d + " +0000]",
		"[" + d + " +0000] \"A\" t", "x y z", "", "x", "x - [" + d + " +0000] \"A\\\"b\" 408 0", "x \"B\" [" + d + " +0000] \"A\" t", "x - [ " + d + " +0000 ] \"A\" t", "x - [" + d + " +0000] \"A\" t\t\r",
	}
	dir := t.TempDir()
	penlog := write(t, dir, "pen.log", pen)
	for _, options := range [][]string{{"-j", far}, {"-c"}, {"-j", far, "-t", "5"}, {"-j", far, "-t", "-5"}} {
		for i, line := range lines {
			args := append([]string{"-p", penlog}, options...)
			args = append(args, "s:"+write(t, dir, fmt.Sprint("web", i), line+"\n"))
			want, err := exec.CommandContext(t.Context(), theirs, args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			var got, stderr bytes.Buffer
			if run(args, &got, &stderr); got.String() != string(want) || stderr.Len() > 0 {
				t.Errorf("%q %q: got %q, %q, want %q", options, line, &got, &stderr, want)
			}
		}
	}
}
