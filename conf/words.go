package conf

import (
	"errors"
	"strings"
)

// MaxLine is the longest command line in bytes, on the control socket and in a file, without its line end.
const MaxLine = 64 << 10

// lineEnds are the bytes that no word can hold.
const lineEnds = "\x00\r\n"

// Split returns the words of a line. Blanks and tabs separate words. A word that starts with ' goes up to the next
// single ', in it ” (twice ') stands for one; so a value may hold blanks or be empty. A line of blanks, and one whose
// first word starts with #, has no words.
func Split(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" || len(words) == 0 && line[0] == '#' {
			return words, nil
		}
		if line[0] != '\'' {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			words = append(words, line[:end])
			line = line[end:]
			continue
		}
		word, rest, err := unquote(line[1:])
		if err != nil {
			return nil, err
		}
		words, line = append(words, word), rest
	}
}

// unquote returns the text up to the closing ', and what follows it.
func unquote(s string) (word, rest string, err error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			return "", "", errors.New("expected a closing ' at the end of the value")
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if s == "" || s[0] == ' ' || s[0] == '\t' {
			return b.String(), s, nil
		}
		if s[0] != '\'' {
			return "", "", errors.New("expected a blank after the closing '")
		}
		b.WriteByte('\'')
		s = s[1:]
	}
}

// Quote returns word as [Split] takes it.
func Quote(word string) string {
	if word != "" && word[0] != '\'' && word[0] != '#' && !strings.ContainsAny(word, " \t") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", "''") + "'"
}
