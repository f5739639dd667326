package conf

import (
	"encoding/hex"
	"strings"
	"time"
)

// healthCommands are about finding out which servers work.
var healthCommands = []*Command{
	{
		Name: "agent", Args: "[PORT]", Help: "Ask each server at this port for a line up, down, drain or NN% and show the port.",
		NoHelp: "Ask no agents.", perService: true, reply: sayValue,
		kind: optional(count("the port of the agents", 1, 65535, func(_ *Settings, v *Service) *int { return &v.Health.Agent }),
			func(v *Service) *int { return &v.Health.Agent }),
	},
	{
		Name: "all_down", Args: "[open|closed]", Help: "Use the servers all the same when each of them is down, or not, and show which.",
		perService: true, reply: sayValue,
		kind: choice("closed", "open", func(v *Service) *bool { return &v.Health.FailOpen }),
	},
	{
		Name: "observe", Args: "[N]", Help: "Take a probed server as down after N failed connects or answers in a row, or never if 0, and show the number.",
		perService: true, reply: sayValue,
		kind: count("a number of failures", 0, maxNumber, func(_ *Settings, v *Service) *int { return &v.Health.Observe }),
	},
	{
		Name: "on_down", Args: "[keep|close]", Help: "Keep or close the connections to a server that goes down, and show which.",
		perService: true, reply: sayValue,
		kind: choice("keep", "close", func(v *Service) *bool { return &v.Health.CloseDown }),
	},
	{
		Name: "probe", Args: "[KIND] [OPERAND] [KEY VALUE]...",
		Help: "Probe the servers by tcp, tls, http PATH, smtp, dns NAME, udp HEX or exec COMMAND, " +
			"with keys expect, host, interval, timeout, rise, fall and port, and show the probe.",
		NoHelp: "Do not probe the servers.", perService: true, reply: sayValue,
		kind: kind{set: setProbe, off: noProbe, lines: probeLines},
	},
	{
		Name: "slow_start", Args: "[SECONDS]", Help: "Let the share of a server that comes back grow for so long and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.Health.SlowStart }),
	},
}

// optional adds the form no NAME to a number that is 0 if it is unset.
func optional(k kind, at func(*Service) *int) kind {
	lines := k.lines
	k.off = func(c *call) error {
		*at(c.service) = 0
		return nil
	}
	k.lines = func(row *Command, s *Settings, v *Service) []string {
		if *at(v) == 0 {
			return []string{"no " + row.Name}
		}
		return lines(row, s, v)
	}
	return k
}

// choice is one of two words; the second one sets the value.
func choice(unset, set string, at func(*Service) *bool) kind {
	return kind{
		set: func(c *call) error {
			if c.args[0] != unset && c.args[0] != set {
				return c.wrong("expected %s or %s, not '%s'", unset, set, clip(c.args[0]))
			}
			*at(c.service) = c.args[0] == set
			return nil
		},
		lines: func(row *Command, _ *Settings, v *Service) []string {
			if *at(v) {
				return []string{row.Name + " " + set}
			}
			return []string{row.Name + " " + unset}
		},
	}
}

func setProbe(c *call) error {
	p, err := c.parseProbe(c.args)
	if err != nil {
		return err
	}
	c.service.Health.Probe = p
	return nil
}

func noProbe(c *call) error {
	c.service.Health.Probe = Probe{}
	return nil
}

func probeLines(_ *Command, _ *Settings, v *Service) []string {
	if v.Health.Probe.Kind == "" {
		return []string{"no probe"}
	}
	return []string{"probe " + v.Health.Probe.words()}
}

// parseProbe takes KIND [OPERAND] [KEY VALUE]...
func (c *call) parseProbe(words []string) (Probe, error) {
	operand, known := probeKinds[words[0]]
	if !known {
		return Probe{}, c.wrong("expected a probe by tcp, tls, http, smtp, dns, udp or exec, not '%s'", clip(words[0]))
	}
	p := NewProbe(words[0])
	if p.Kind == "exec" && c.draft.where() == OnControl {
		return Probe{}, c.wrong("a probe by exec is not possible on the control socket, only at start or in a file")
	}
	words = words[1:]
	if operand != "" {
		if len(words) == 0 || words[0] == "" {
			return Probe{}, c.wrong("expected %s after %s", operand, p.Kind)
		}
		p.Arg, words = words[0], words[1:]
		if err := c.checkProbe(&p); err != nil {
			return Probe{}, err
		}
	}
	for len(words) > 0 {
		if len(words) == 1 {
			return Probe{}, c.wrong("expected a value after '%s'", clip(words[0]))
		}
		if err := c.setProbeKey(&p, words[0], words[1]); err != nil {
			return Probe{}, err
		}
		words = words[2:]
	}
	return p, nil
}

// checkProbe checks what follows the kind.
func (c *call) checkProbe(p *Probe) error {
	switch p.Kind {
	case "http":
		if p.Arg[0] != '/' || strings.ContainsAny(p.Arg, " \t") {
			return c.wrong("expected a path that begins with / and has no blanks, not '%s'", clip(p.Arg))
		}
	case "dns":
		if err := validHost(p.Arg); err != nil || len(p.Arg) > maxDomain || strings.Contains(p.Arg, "..") {
			return c.wrong("expected the name of a host, not '%s'", clip(p.Arg))
		}
	case "udp":
		if b, err := hex.DecodeString(p.Arg); err != nil || len(b) > maxDatagram {
			return c.wrong("expected pairs of hexadecimal digits, not '%s'", clip(p.Arg))
		}
	}
	return nil
}

const (
	maxDomain   = 253  // bytes of a name, RFC 1035
	maxDatagram = 1400 // bytes of a probe: what passes any network in one piece
)

// setProbeKey changes one property of a probe.
func (c *call) setProbeKey(p *Probe, key, value string) (err error) {
	switch key {
	case "expect":
		if p.Kind != "http" {
			return c.wrong("expect goes with http only")
		}
		p.Expect = value
	case "host":
		if p.Kind != "http" && p.Kind != "tls" {
			return c.wrong("host goes with http and tls only")
		}
		if err = validHost(value); err != nil {
			return c.wrong("expected the name of a host: %v", err)
		}
		p.Host = value
	case "interval":
		p.Interval, err = c.parseSeconds("interval, the time between two probes,", value, 100*time.Millisecond, 24*time.Hour)
	case "timeout":
		p.Timeout, err = c.parseSeconds("timeout, the time for a probe,", value, 10*time.Millisecond, time.Hour)
	case "rise":
		p.Rise, err = c.number("rise, a number of good answers,", value, 1, 1000)
	case "fall":
		p.Fall, err = c.number("fall, a number of bad answers,", value, 1, 1000)
	case "port":
		p.Port, err = c.number("a port", value, 1, 65535)
	default:
		err = c.wrong("expected expect, host, interval, timeout, rise, fall or port, not '%s'", clip(key))
	}
	return err
}
