package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// agentAnswer is what a server says about itself.
type agentAnswer struct {
	down  bool
	drain bool
	share int // percent of its weight: 1 to 100
}

// maxAnswer is how long the line of an agent may be.
const maxAnswer = 256 // bytes

// askAgent connects to the agent of a server and reads the line that it sends. An agent that can't be reached says
// nothing: the server is what it was.
func askAgent(ctx context.Context, t *subject) (agentAnswer, error) {
	if t.Network == "unix" {
		return agentAnswer{}, errors.New("a path has no port")
	}
	c, err := t.dial(ctx, "tcp", t.agent)
	if err != nil {
		return agentAnswer{}, err
	}
	defer c.Close()
	var line []byte
	for b := make([]byte, 1); len(line) < maxAnswer; line = append(line, b[0]) {
		if _, err := c.Read(b); err == io.EOF || err == nil && b[0] == '\n' {
			break
		} else if err != nil {
			return agentAnswer{}, err
		}
	}
	return parseAgent(string(line))
}

// parseAgent takes up, down, drain and NN%, alone or together, in any order. 0% means drain.
func parseAgent(line string) (agentAnswer, error) {
	a := agentAnswer{share: 100}
	words := strings.Fields(strings.ToLower(line))
	if len(words) == 0 {
		return a, errors.New("the agent said nothing")
	}
	for _, word := range words {
		percent, isPercent := strings.CutSuffix(word, "%")
		switch {
		case word == "up":
		case word == "down":
			a.down = true
		case word == "drain":
			a.drain = true
		case isPercent:
			n, err := strconv.Atoi(percent)
			if err != nil || n < 0 || n > 100 {
				return a, fmt.Errorf("expected a number from 0 to 100 before %%, not %q", percent)
			}
			a.share = max(n, 1)
			a.drain = a.drain || n == 0
		default:
			return a, fmt.Errorf("expected up, down, drain or NN%%, not %q", word)
		}
	}
	return a, nil
}
