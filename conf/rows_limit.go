package conf

import (
	"strconv"
	"strings"
	"time"
)

// limitCommands are about how much a service and a client of it may ask for.
var limitCommands = []*Command{
	{
		Name: "client_max", Args: "[N]", Help: "Take N connections at a time of one address, or any number if 0, and show the number.",
		perService: true, reply: sayValue,
		kind: count("a number of connections", 0, maxNumber, func(_ *Settings, v *Service) *int { return &v.Limit.Clients }),
	},
	{
		Name: "client_rate", Args: "[N/SECONDS]", Help: "Take N connections of one address in so many seconds and show both.",
		NoHelp: "Take connections at any rate.", perService: true, reply: sayValue,
		kind: kind{set: setRate, off: noRate, lines: rateLines},
	},
	{
		Name: "limit_action", Args: "[reject|tarpit] [SECONDS]",
		Help:       "Close a connection over client_max or client_rate at once, or keep it waiting for so long, and show which.",
		perService: true, reply: sayValue,
		kind: kind{set: setLimitAction, lines: limitActionLines},
	},
	{
		Name: "queue", Args: "[N] [timeout SECONDS]", Help: "Let up to N clients wait for a server while all are full, for at most so long, and show both.",
		NoHelp: "Let no client wait.", perService: true, reply: sayValue,
		kind: kind{set: setQueue, off: noQueue, lines: queueLines},
	},
}

const (
	queueTime  = 30 * time.Second // of a queue whose time is not given
	tarpitTime = 10 * time.Second // likewise of a tarpit
)

func setRate(c *call) error {
	n, per, _ := strings.Cut(c.args[0], "/")
	rate, err := c.number("N/SECONDS with a number of connections", n, 1, maxNumber)
	if err != nil {
		return err
	}
	d, err := c.number("N/SECONDS with seconds", per, 1, maxNumber)
	if err != nil {
		return err
	}
	c.service.Limit.Rate, c.service.Limit.RateTime = rate, time.Duration(d)*time.Second
	return nil
}

func noRate(c *call) error {
	c.service.Limit.Rate, c.service.Limit.RateTime = 0, 0
	return nil
}

func rateLines(_ *Command, _ *Settings, v *Service) []string {
	if v.Limit.Rate == 0 {
		return []string{"no client_rate"}
	}
	return []string{"client_rate " + strconv.Itoa(v.Limit.Rate) + "/" + strconv.Itoa(int(v.Limit.RateTime/time.Second))}
}

func setLimitAction(c *call) (err error) {
	d := time.Duration(0)
	switch {
	case c.args[0] == "reject" && len(c.args) == 1:
	case c.args[0] == "tarpit":
		d = tarpitTime
		if len(c.args) == 2 {
			if d, err = c.parseSeconds("the time of a tarpit", c.args[1], time.Millisecond, time.Hour); err != nil {
				return err
			}
		}
	default:
		return c.wrong("expected reject or tarpit [SECONDS], not '%s'", clip(strings.Join(c.args, " ")))
	}
	c.service.Limit.Tarpit, c.service.Limit.TarpitTime = d > 0, d
	return nil
}

func limitActionLines(_ *Command, _ *Settings, v *Service) []string {
	if !v.Limit.Tarpit {
		return []string{"limit_action reject"}
	}
	return []string{"limit_action tarpit " + formatSeconds(v.Limit.TarpitTime)}
}

func setQueue(c *call) error {
	n, err := c.number("a number of clients", c.args[0], 1, maxTable)
	if err != nil {
		return err
	}
	d := queueTime
	if len(c.args) > 1 {
		if c.args[1] != "timeout" || len(c.args) != 3 {
			return c.wrong("expected timeout SECONDS, not '%s'", clip(strings.Join(c.args[1:], " ")))
		}
		if d, err = c.parseSeconds("the time of a queue", c.args[2], time.Millisecond, 24*time.Hour); err != nil {
			return err
		}
	}
	c.service.Limit.Queue, c.service.Limit.QueueTime = n, d
	return nil
}

func noQueue(c *call) error {
	c.service.Limit.Queue, c.service.Limit.QueueTime = 0, 0
	return nil
}

func queueLines(_ *Command, _ *Settings, v *Service) []string {
	if v.Limit.Queue == 0 {
		return []string{"no queue"}
	}
	return []string{"queue " + strconv.Itoa(v.Limit.Queue) + " timeout " + formatSeconds(v.Limit.QueueTime)}
}
