package main_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pen/conf"
)

// The differential suite gives the C pen and ours the same command lines, commands, signals and traffic, one program
// after the other on the same ports, and compares what they say byte by byte. What is sent, and where we want another
// answer than the C pen's, is in testdata/differential.txt; differential_output_test.go has what is no reply.

// row is a command of testdata/differential.txt and how it is judged.
type row struct {
	line   int    // in the file
	text   string // the command, or an action if it starts with $
	reason string // why the C pen's answer is not ours; "" = both must be the same
	unsent bool   // the C pen would not survive it
	want   string // our reply, where it differs
}

// readRows reads a file of rows. A line is a command, or a Go string that holds one. The lines below it that are indented
// say what is different:
//
//	# REASON    the C pen has another answer
//	! REASON    the C pen is not asked at all
//	| TEXT      a line of the reply that we want; none = no reply
//	~ REGEXP    in place of the lines: what the reply must match
//
// Lines that start with # are comments, $ start, $ get, $ hold, $ release and $ gone are actions; see [arena.act].
func readRows(t *testing.T, file string) []row {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	for n, sc := 1, bufio.NewScanner(f); sc.Scan(); n++ {
		text := sc.Text()
		if text == "" || text[0] == '#' {
			continue
		}
		if text[0] == '"' {
			if text, err = strconv.Unquote(text); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
			rows = append(rows, row{line: n, text: text})
			continue
		}
		if text[0] != '\t' {
			rows = append(rows, row{line: n, text: text})
			continue
		}
		r := &rows[len(rows)-1]
		mark, rest, _ := strings.Cut(text[1:], " ")
		switch mark {
		case "#", "!":
			r.reason, r.unsent = rest, mark == "!"
		case "|":
			r.want += rest + "\n"
		case "~":
			r.want = "~" + rest
		default:
			t.Fatalf("%s:%d: expected #, !, | or ~, not %q", file, n, mark)
		}
	}
	return rows
}

const differentialFile = "testdata/differential.txt"

// TestDifferentialReplies sends all commands to both programs.
func TestDifferentialReplies(t *testing.T) {
	ar := newArena(t)
	rows := readRows(t, differentialFile)
	var replies [len(sides)][]string
	for side := range sides {
		replies[side] = ar.play(side, rows)
	}
	for i, r := range rows {
		c, ours := replies[reference][i], replies[own][i]
		if err := ar.judge(r, c, ours); err != nil {
			t.Errorf("%s:%d: %s: %v", differentialFile, r.line, r.text, err)
		}
	}
}

// judge compares the replies to one row.
func (ar *arena) judge(r row, c, ours string) error {
	want := ar.expand(r.want)
	pattern, isPattern := strings.CutPrefix(want, "~")
	switch {
	case r.reason == "" && ours != c:
		return fmt.Errorf("got  %q\nwant %q, as the C pen", ours, c)
	case r.reason == "":
		return nil
	case !r.unsent && ours == c:
		return fmt.Errorf("the answers are the same, %q, though the row says: %s", ours, r.reason)
	case isPattern && !regexp.MustCompile(pattern).MatchString(ours), !isPattern && ours != want:
		return fmt.Errorf("got  %q\nwant %q, since: %s", ours, want, r.reason)
	}
	return nil
}

// play lets one program go through all rows and returns its replies.
func (ar *arena) play(side int, rows []row) []string {
	var r *rival
	defer func() {
		if r != nil {
			r.finish()
		}
	}()
	replies := make([]string, len(rows))
	held := map[string]net.Conn{}
	for i, row := range rows {
		words := strings.Fields(ar.expand(row.text))
		var err error
		switch {
		case row.unsent && side == reference:
		case row.text == "$ start" || strings.HasPrefix(row.text, "$ start "):
			if r != nil {
				r.finish()
			}
			r = ar.launch(side, strings.TrimPrefix(row.text, "$ start"))
		case strings.HasPrefix(row.text, "$ "):
			replies[i], err = ar.act(r, held, words[1:])
		default:
			replies[i], err = r.ask(ar.expand(row.text))
			replies[i] = r.normal(replies[i])
			if err != nil && side == reference {
				replies[i], err = "DIED", nil
				r.finish()
				r = ar.launch(side, strings.TrimPrefix(rows[0].text, "$ start"))
			}
		}
		if err != nil {
			ar.t.Fatalf("%s:%d: %s: %s: %v\n%s", differentialFile, row.line, sides[side], row.text, err, r.stderr.String())
		}
	}
	return replies
}

// pens are the commands of the C pen, which will not become more.
var pens = strings.Fields(`abort_on_error acl ascii blacklist block client_acl clients_max close conn_max connection control
	control_acl debug delayed_forward dsr_if dummy epoll exit hash http idle_timeout idlers include keepalive kqueue listen
	log mode peek pending_max pid poll prio recent roundrobin select server servers socket source ssl_ciphers
	ssl_client_renegotiation_interval ssl_ocsp_response ssl_option ssl_sni_path status stubborn tarpit_acl tcp_fastclose
	tcp_nodelay timeout tracking transparent web_stats weight write`)

// TestDifferentialCoversTheLanguage checks that each command which both programs know is asked in all its forms.
func TestDifferentialCoversTheLanguage(t *testing.T) {
	var asked []string
	for _, r := range readRows(t, differentialFile) {
		asked = append(asked, r.text)
	}
	has := func(start string, exact bool) bool {
		return slices.ContainsFunc(asked, func(text string) bool {
			return text == start || !exact && strings.HasPrefix(text, start+" ")
		})
	}
	for _, row := range conf.Table() {
		if !slices.Contains(pens, row.Name) {
			continue
		}
		if row.Args == "" || strings.HasPrefix(row.Args, "[") {
			if !has(row.Name, true) {
				t.Errorf("%s lacks the row %q", differentialFile, row.Name)
			}
		}
		if row.Args != "" && !slices.ContainsFunc(asked, func(text string) bool { return strings.HasPrefix(text, row.Name+" ") }) {
			t.Errorf("%s lacks a row %q", differentialFile, row.Usage())
		}
		if row.NoHelp != "" && !has("no "+row.Name, false) {
			t.Errorf("%s lacks a row %q", differentialFile, row.NoUsage())
		}
		if !has(row.Name+" x y z w", true) && !has(row.Name+" x", true) {
			t.Errorf("%s lacks a row with wrong words for %s", differentialFile, row.Name)
		}
	}
}

// TestMigratingGivesAllReasons keeps docs/migrating.md complete: it has a row for each reason, and none that is stale.
func TestMigratingGivesAllReasons(t *testing.T) {
	text, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### The control language\n")
	section, _, _ = strings.Cut(section, "\n### ")
	explained := make(map[string]bool)
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, " | "); len(cells) == 2 {
			explained[strings.TrimPrefix(cells[0], "| ")] = false
		}
	}
	delete(explained, "reason") // the head of the table
	for _, r := range readRows(t, differentialFile) {
		if _, ok := explained[r.reason]; !ok && r.reason != "" {
			t.Errorf("%s:%d: docs/migrating.md does not give the reason %q", differentialFile, r.line, r.reason)
		}
		explained[r.reason] = true
	}
	for reason, used := range explained {
		if !used {
			t.Errorf("docs/migrating.md has a reason that no row gives: %q", reason)
		}
	}
}
