package conf

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// httpCommands are about requests of HTTP/1.
var httpCommands = []*Command{
	{
		Name: "http", Args: "[append|replace] [forwarded] [only] [trusted] [N]",
		Help: "Add X-Forwarded-Proto and X-Forwarded-For to HTTP requests; append to the fields that are there, or replace them; " +
			"add Forwarded, too; refuse what is not HTTP/1; believe only what clients on access list N say of others.",
		NoArgs: "[WORD]", NoHelp: "Add nothing to HTTP requests and do not look at them, or take one of the words back.", perService: true,
		kind: kind{set: setHTTP, off: noHTTP, lines: httpLines},
	},
	{
		Name: "http_head", Args: "[BYTES]", Help: "Refuse HTTP requests whose head is longer, and show the length.",
		perService: true, reply: sayValue,
		kind: count("a number of bytes", 1024, MaxHTTPHead, func(_ *Settings, v *Service) *int { return &v.HTTP.MaxHead }),
	},
	{
		Name: "http_timeout", Args: "[SECONDS]", Help: "Refuse HTTP requests whose head takes longer to come, or wait for ever if 0, and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.HTTP.Timeout }),
	},
}

// setHTTP adds what its words say to what has been said before.
func setHTTP(c *call) error {
	h := c.service.HTTP
	h.On = true
	for words := c.args; len(words) > 0; words = words[1:] {
		switch word := words[0]; word {
		case "append", "replace":
			h.Existing = Existing(slices.Index(existing[:], word))
		case "forwarded":
			h.Forwarded = true
		case "only":
			h.Only = true
		case "trusted":
			if len(words) == 1 {
				return c.wrong("expected the number of an access list after trusted")
			}
			n, err := c.number("the number of an access list", words[1], 0, ACLs-1)
			if err != nil {
				return err
			}
			h.Trusts, h.Trusted = true, n
			words = words[1:]
		default:
			return c.wrong("expected append, replace, forwarded, only or trusted, not '%s'", clip(word))
		}
	}
	c.service.HTTP = h
	return nil
}

// noHTTP turns all off, or takes back one word.
func noHTTP(c *call) error {
	h := &c.service.HTTP
	if len(c.args) == 0 {
		*h = HTTP{MaxHead: h.MaxHead, Timeout: h.Timeout}
		return nil
	}
	switch word := c.args[0]; word {
	case "append", "replace":
		if h.Existing == Existing(slices.Index(existing[:], word)) {
			h.Existing = Keep
		}
	case "forwarded":
		h.Forwarded = false
	case "only":
		h.Only = false
	case "trusted":
		h.Trusts, h.Trusted = false, 0
	default:
		return c.wrong("expected append, replace, forwarded, only or trusted, not '%s'", clip(word))
	}
	return nil
}

func httpLines(_ *Command, _ *Settings, v *Service) []string {
	h := v.HTTP
	if !h.On {
		return []string{"no http"}
	}
	words := []string{"http"}
	if h.Existing != Keep {
		words = append(words, existing[h.Existing])
	}
	if h.Forwarded {
		words = append(words, "forwarded")
	}
	if h.Only {
		words = append(words, "only")
	}
	if h.Trusts {
		words = append(words, "trusted "+strconv.Itoa(h.Trusted))
	}
	return []string{strings.Join(words, " ")}
}
