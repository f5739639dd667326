package conf

import (
	"errors"
	"fmt"
)

// Error says which command is wrong, where it stands, and what was expected.
type Error struct {
	File string // "" if the command does not come from a file
	Line int    // counted from 1; 0 without a file
	Text string // what is wrong and what was expected

	// legacy is the answer of pen where scripts may look for it; outside of files it takes the place of Text.
	legacy string
}

// Error returns FILE:LINE: TEXT for a file, else the text alone, which is the answer to a control client: one line or
// two, without the last line end.
func (e *Error) Error() string {
	switch {
	case e.File != "":
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	case e.legacy != "":
		return e.legacy
	}
	return e.Text
}

// wrong returns an Error for the command name.
func wrong(name, format string, args ...any) *Error {
	return &Error{Text: name + ": " + fmt.Sprintf(format, args...)}
}

// unknown returns the Error for a line that starts with a word which is no command.
func unknown(word string) *Error {
	hint := "the command help lists all commands"
	if near := nearest(word); near != "" {
		hint = fmt.Sprintf("did you mean '%s'?", near)
	}
	return &Error{
		Text:   fmt.Sprintf("unknown command '%s'; %s", word, hint),
		legacy: fmt.Sprintf("do_cmd: ignoring command starting with '%s'\n%s", word, hint),
	}
}

// in returns err as an Error that stands in a line of a file. What comes from a file that was included keeps its place.
func in(file string, line int, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s:%d: %w", file, line, err)
	}
	if e.File != "" {
		return err
	}
	at := *e
	at.File, at.Line = file, line
	return &at
}

// nearest returns the command that is most like word, or "" if in none at least half of the letters are right.
func nearest(word string) string {
	best, distance := "", 3 // more than two wrong letters are no slip
	for _, c := range table {
		if d := edits(word, c.Name); d < distance {
			best, distance = c.Name, d
		}
	}
	if 2*distance > len(word) {
		return ""
	}
	return best
}

// edits counts the letters to insert, delete or replace to make b of a.
func edits(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
