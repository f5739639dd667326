package conf

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// socketCommands are about services, the addresses they listen on, and how their sockets are handled.
var socketCommands = []*Command{
	{
		Name: "block", Help: "Obsolete and without effect.", NoHelp: "Obsolete and without effect.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.Block }),
	},
	{
		Name: "delayed_forward", Help: "Obsolete and without effect.", NoHelp: "Obsolete and without effect.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.DelayedForward }),
	},
	{
		Name: "dummy", Help: "Answer as a web server, without any server, for tests.", NoHelp: "Forward to servers.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.Dummy }),
	},
	{
		Name: "handshake_timeout", Args: "[SECONDS]",
		Help:       "Give a client so long for its PROXY header and its TLS handshake and show the time.",
		perService: true, reply: sayValue,
		kind: seconds(1, func(_ *Settings, v *Service) *time.Duration { return &v.Timeout.Handshake }),
	},
	{
		Name: "idle_timeout", Args: "[SECONDS]", Help: "Close connections on which nothing happened for so long, or never if 0, and show the time.",
		perService: true, reply: sayIdleTimeout,
		kind: kind{set: setIdleTimeout, lines: idleTimeout.lines},
	},
	{
		Name: "keepalive", Help: "Set SO_KEEPALIVE on connections to servers.", NoHelp: "Do not set SO_KEEPALIVE.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.KeepAlive }),
	},
	{
		Name: "listen", Args: "[[HOST:]PORT]", Help: "Take clients on another port or path and show it.",
		NoHelp: "Take no clients.", perService: true, reply: sayValue,
		kind: noted(text(serviceAddress, func(_ *Settings, v *Service) *string { return &v.Listen })),
	},
	{
		Name: "peek", Help: "Choose the server after the first bytes of the client have come.",
		NoHelp: "Choose the server at once.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.Peek }),
	},
	{
		Name: "service", Args: "NAME [COMMAND...]", Help: "Let the lines that follow, or the command that follows in the same line, be about another service.",
		NoArgs: "NAME", NoHelp: "Remove a service.",
		kind: kind{set: chooseService, off: removeService},
	},
	{
		Name: "source", Args: "ADDRESS", Help: "Connect to servers from this address.",
		NoHelp: "Connect to servers from the address that the system chooses.", perService: true,
		kind: text(sourceAddress, func(_ *Settings, v *Service) *string { return &v.TCP.Source }),
	},
	{
		Name: "tcp_fastclose", Args: "up|down|both|off", Help: "Close both sides as soon as the server (up), the client (down) or either closes.",
		perService: true, legacy: "do_cmd: ignoring tcp_fastclose without argument",
		kind: kind{set: setFastClose, lines: fastCloseLines},
	},
	{
		Name: "tcp_nodelay", Help: "Send small packets at once, which is always done.", NoHelp: "Kept for old files; small packets are sent at once.",
		perService: true,
		kind:       toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.NoDelay }),
	},
	{
		Name: "transparent", Help: "Connect to servers from the client's address, which takes a privilege.",
		NoHelp: "Connect to servers from an address of pen.", perService: true,
		kind: toggle(func(_ *Settings, v *Service) *bool { return &v.TCP.Transparent }),
	},
}

// noted makes a kind remember that the address of the first service has been set: the operand leaves it alone.
func noted(k kind) kind {
	note := func(do func(*call) error) func(*call) error {
		return func(c *call) error {
			err := do(c)
			if err == nil && c.first() {
				c.draft.state.listen = true
			}
			return err
		}
	}
	k.set, k.off = note(k.set), note(k.off)
	return k
}

// serviceAddress checks the operand of listen.
func serviceAddress(c *call, address string) error {
	if _, err := ParseListen(address, c.service.Network()); err != nil {
		return c.wrong("%v", err)
	}
	return nil
}

// sourceAddress checks the operand of source.
func sourceAddress(c *call, address string) error {
	if _, err := netip.ParseAddr(address); err != nil {
		legacy := "unable to set source address to '" + clip(address) + "'"
		return &Error{Text: c.command.Name + ": " + legacy + "; expected an IP address", legacy: legacy}
	}
	return nil
}

var idleTimeout = seconds(0, func(_ *Settings, v *Service) *time.Duration { return &v.Timeout.Idle })

// setIdleTimeout takes a negative number as 0, as pen does.
func setIdleTimeout(c *call) error {
	n, err := c.number("seconds", c.args[0], -maxNumber, maxNumber)
	if err != nil {
		return err
	}
	c.service.Timeout.Idle = time.Duration(max(0, n)) * time.Second
	return nil
}

func sayIdleTimeout(c *call) error {
	c.printf("Idle timeout: %d seconds\n", c.service.Timeout.Idle/time.Second)
	return nil
}

// fastCloses are the operands of tcp_fastclose, at the index of the value.
var fastCloses = [...]string{FastCloseOff: "off", FastCloseUp: "up", FastCloseDown: "down", FastCloseBoth: "both"}

func setFastClose(c *call) error {
	i := slices.Index(fastCloses[:], c.args[0])
	if i < 0 {
		return c.wrong("expected up, down, both or off, not '%s'", clip(c.args[0]))
	}
	c.service.TCP.FastClose = FastClose(i)
	return nil
}

func fastCloseLines(_ *Command, _ *Settings, v *Service) []string {
	return []string{"tcp_fastclose " + fastCloses[v.TCP.FastClose]}
}

// String returns the operand of tcp_fastclose.
func (f FastClose) String() string { return fastCloses[f&FastCloseBoth] }

const (
	maxServices = 256 // in one process
	maxName     = 64  // bytes of the name of a service
)

// chooseService makes the following lines mean a service, which is made if it does not exist.
func chooseService(c *call) error {
	name := c.args[0]
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
	}) || name == "" {
		return c.wrong("expected a name of at most %d letters, digits, '-', '_' and '.', not '%s'", maxName, clip(name))
	}
	switch {
	case c.set.Service(name) != nil:
	case c.draft.unserved():
		c.set.Services[0].Name = name
	default:
		if len(c.set.Services) == maxServices {
			return c.wrong("expected at most %d services", maxServices)
		}
		c.set.Services = append(c.set.Services, NewService(name))
	}
	c.draft.state.service = name
	return nil
}

// unserved reports whether a file has said nothing of any service yet: the one that it names then is the first, and there
// is no empty one before it.
func (d *Draft) unserved() bool {
	all := d.state.set.Services
	return d.depth > 0 && !d.state.touched && len(all) == 1 && reflect.DeepEqual(all[0], NewService(all[0].Name))
}

// removeService removes any service but the first.
func removeService(c *call) error {
	i := slices.IndexFunc(c.set.Services, func(v *Service) bool { return v.Name == c.args[0] })
	if i < 0 {
		return c.wrong("expected the name of a service, not '%s'", clip(c.args[0]))
	}
	if i == 0 {
		return c.wrong("the service %s cannot be removed; no listen closes its port", c.args[0])
	}
	if c.draft.state.service == c.args[0] {
		c.draft.state.service = c.set.Services[0].Name
	}
	c.set.Services = slices.Delete(c.set.Services, i, i+1)
	return nil
}
