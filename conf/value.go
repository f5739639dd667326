package conf

import (
	"strconv"
	"strings"
	"time"
)

// maxNumber bounds numbers that have no other bound: what a C int holds, like the numbers of pen.
const maxNumber = 1<<31 - 1

// number returns word as a number from least to most; what says what it counts.
func (c *call) number(what, word string, least, most int) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil || n < least || n > most {
		return 0, c.wrong("expected %s from %d to %d, not '%s'", what, least, most, clip(word))
	}
	return n, nil
}

// toggle is a setting that its name turns on and no NAME turns off.
func toggle(at func(*Settings, *Service) *bool) kind {
	turn := func(on bool) func(*call) error {
		return func(c *call) error {
			*at(c.set, c.service) = on
			return nil
		}
	}
	return kind{
		set: turn(true),
		off: turn(false),
		lines: func(c *Command, s *Settings, v *Service) []string {
			if *at(s, v) {
				return []string{c.Name}
			}
			return []string{"no " + c.Name}
		},
	}
}

// count is a number from least to most.
func count(what string, least, most int, at func(*Settings, *Service) *int) kind {
	return kind{
		set: func(c *call) error {
			n, err := c.number(what, c.args[0], least, most)
			if err != nil {
				return err
			}
			*at(c.set, c.service) = n
			return nil
		},
		lines: func(c *Command, s *Settings, v *Service) []string {
			return []string{c.Name + " " + strconv.Itoa(*at(s, v))}
		},
	}
}

// seconds is a duration in whole seconds from least to the largest.
func seconds(least int, at func(*Settings, *Service) *time.Duration) kind {
	return kind{
		set: func(c *call) error {
			n, err := c.number("seconds", c.args[0], least, maxNumber)
			if err != nil {
				return err
			}
			*at(c.set, c.service) = time.Duration(n) * time.Second
			return nil
		},
		lines: func(c *Command, s *Settings, v *Service) []string {
			return []string{c.Name + " " + strconv.Itoa(int(*at(s, v)/time.Second))}
		},
	}
}

// text is a word that valid accepts; nil accepts any. Unset it is "", and no NAME unsets it.
func text(valid func(*call, string) error, at func(*Settings, *Service) *string) kind {
	return kind{
		set: func(c *call) error {
			if c.args[0] == "" {
				return c.wrong("expected %s, not an empty word; no %s unsets it", c.command.Args, c.command.Name)
			}
			if valid != nil {
				if err := valid(c, c.args[0]); err != nil {
					return err
				}
			}
			*at(c.set, c.service) = c.args[0]
			return nil
		},
		off: func(c *call) error {
			*at(c.set, c.service) = ""
			return nil
		},
		lines: func(c *Command, s *Settings, v *Service) []string {
			if *at(s, v) == "" {
				return []string{"no " + c.Name}
			}
			return []string{c.Name + " " + Quote(*at(s, v))}
		},
	}
}

// list is the number of an access list. One that does not exist means list 0, as in pen.
func list(at func(*Settings, *Service) *int) kind {
	k := count("the number of an access list", -maxNumber, maxNumber, at)
	set := k.set
	k.set = func(c *call) error {
		if err := set(c); err != nil {
			return err
		}
		if n := at(c.set, c.service); *n < 0 || *n >= ACLs {
			*n = 0
		}
		return nil
	}
	return k
}

// sayValue replies with the value alone, and with nothing if it is unset: what the lines say after the name.
func sayValue(c *call) error {
	for _, line := range c.command.lines(c.command, c.set, c.service) {
		if value, set := strings.CutPrefix(line, c.command.Name+" "); set {
			words, err := Split(value)
			if err != nil {
				return c.wrong("%v", err)
			}
			c.printf("%s\n", strings.Join(words, " "))
		}
	}
	return nil
}
