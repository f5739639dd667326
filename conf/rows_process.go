package conf

import (
	"os"
	"strconv"
	"time"
)

const (
	maxTable    = 1 << 24 // entries of a table that the process keeps
	maxReactors = 1024    // more than cores that one process can use well
	leastQueue  = 50      // pen raises a shorter queue of a listener
	leastAccept = 1       // pen raises a smaller multi_accept
)

// processCommands are about the process as a whole.
var processCommands = []*Command{
	{
		Name: "abort_on_error", Help: "Leave a core file after a fatal error.", NoHelp: "Exit with an error status after a fatal error.",
		kind: toggle(func(s *Settings, _ *Service) *bool { return &s.Process.AbortOnError }),
	},
	{
		Name: "chroot", Args: "DIRECTORY", Help: "Run inside of a directory, like option -j.",
		NoHelp: "Run in the whole file system.", Where: AtStart | InFile,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.Process.Chroot }),
	},
	{
		Name: "clients_max", Args: "[N]", Help: "Let the table of clients grow to N and show its size.",
		reply: sayClientsMax,
		kind:  size(func(s *Settings) *int { return &s.Limits.Clients }, clientsMax),
	},
	{
		Name: "conn_max", Args: "[N]", Help: "Let the number of simultaneous connections grow to N and show the limit.",
		reply: sayConnectionsMax,
		kind:  size(func(s *Settings) *int { return &s.Limits.Connections }, connectionsMax),
	},
	{
		Name: "control", Args: "[[HOST:]PORT]", Help: "Take commands on a port or a path, like option -C, and show it.",
		NoHelp: "Take no commands.", Where: AtStart | InFile, reply: sayValue,
		kind: text(listenAddress, func(s *Settings, _ *Service) *string { return &s.Control.Listen }),
	},
	{
		Name: "drain", Args: "[SECONDS]", Help: "Wait so long for open connections before the program ends and show the time.",
		reply: sayValue,
		kind:  seconds(0, func(s *Settings, _ *Service) *time.Duration { return &s.Process.Drain }),
	},
	pollerCommand("epoll", "Use epoll to wait for events, on Linux."),
	{
		Name: "exit", Help: "End the program, if it was started with option -X.", Where: OnControl, reply: exit,
	},
	{
		Name: "exit_enabled", Help: "Let the command exit work, like option -X.", NoHelp: "Refuse the command exit.",
		Where: AtStart | InFile,
		kind:  toggle(func(s *Settings, _ *Service) *bool { return &s.Process.ExitEnabled }),
	},
	{
		Name: "foreground", Help: "Stay in the foreground, like option -f.", NoHelp: "Go to the background.",
		Where: AtStart | InFile,
		kind:  toggle(func(s *Settings, _ *Service) *bool { return &s.Process.Foreground }),
	},
	pollerCommand("kqueue", "Use kqueue to wait for events, on BSD and macOS."),
	{
		Name: "listen_queue", Args: "[N]", Help: "Let N connections wait to be accepted, like option -q, and show N.",
		reply: sayValue,
		kind:  atLeast(leastQueue, func(s *Settings) *int { return &s.Limits.Backlog }),
	},
	{
		Name: "metrics", Args: "[[HOST:]PORT]",
		Help:   "Serve metrics for Prometheus and a status page on a port of this machine, another address or a path, and show it.",
		NoHelp: "Serve no metrics.", reply: sayValue,
		kind: text(listenAddress, func(s *Settings, _ *Service) *string { return &s.Control.Metrics }),
	},
	{
		Name: "multi_accept", Args: "[N]", Help: "Accept at most N connections in one go, like option -m, and show N.",
		reply: sayValue,
		kind:  atLeast(leastAccept, func(s *Settings) *int { return &s.Limits.MultiAccept }),
	},
	{
		Name: "pending_max", Args: "N", Help: "Let at most N connections to servers be under way at a time.",
		kind: count("a number of connections", 1, maxTable, func(s *Settings, _ *Service) *int { return &s.Limits.Pending }),
	},
	{
		Name: "pid", Help: "Show the process id.", reply: sayPid,
	},
	{
		Name: "pid_file", Args: "FILE", Help: "Write the process id to a file, like option -p.",
		NoHelp: "Write no process id.", Where: AtStart | InFile,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.Process.PidFile }),
	},
	pollerCommand("poll", "Use poll to wait for events."),
	{
		Name: "reactors", Args: "[N]", Help: "Forward with N threads, or one for each core if 0, and show N.",
		reply: sayValue,
		kind:  count("a number of threads", 0, maxReactors, func(s *Settings, _ *Service) *int { return &s.Limits.Reactors }),
	},
	{
		Name: "status_admin", Args: "[FILE]",
		Help:   "Let who knows the token in a file drain servers and close connections on the status page, and show its name.",
		NoHelp: "Let the status page do nothing but show.", reply: sayValue,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.Control.StatusAdmin }),
	},
	{
		Name: "sandbox", Help: "When started, keep the process from all files but those in the directories of the configured ones and of the system.",
		NoHelp: "Reach all files that the account may.", Where: AtStart | InFile,
		kind: toggle(func(s *Settings, _ *Service) *bool { return &s.Process.Sandbox }),
	},
	pollerCommand("select", "Use poll to wait for events; the name is kept for old files."),
	{
		Name: "user", Args: "NAME", Help: "Run as a user, like option -u.",
		NoHelp: "Run as the user who started the program.", Where: AtStart | InFile,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.Process.User }),
	},
}

// pollerCommand is a command that chooses how to wait for events.
func pollerCommand(name, help string) *Command {
	return &Command{Name: name, Help: help, kind: kind{
		set: func(c *call) error {
			c.set.Limits.Poller = name
			return nil
		},
		lines: func(_ *Command, s *Settings, _ *Service) []string {
			if s.Limits.Poller == name {
				return []string{name}
			}
			return nil
		},
	}}
}

// size is the size of a table. Once there is a table it only grows, and a smaller number changes nothing, as in pen.
func size(at func(*Settings) *int, current func(*call) int) kind {
	return kind{
		set: func(c *call) error {
			n, err := c.number("a number", c.args[0], 0, maxTable)
			if err != nil {
				return err
			}
			if n > 0 && (c.draft.offline() || n > current(c)) {
				*at(c.set) = n
			}
			return nil
		},
		lines: func(c *Command, s *Settings, _ *Service) []string {
			if *at(s) == 0 {
				return nil
			}
			return []string{c.Name + " " + strconv.Itoa(*at(s))}
		},
	}
}

// atLeast is a number that is raised, with a notice, if it is too small.
func atLeast(least int, at func(*Settings) *int) kind {
	k := count("a number", -maxNumber, maxNumber, func(s *Settings, _ *Service) *int { return at(s) })
	set := k.set
	k.set = func(c *call) error {
		if err := set(c); err != nil {
			return err
		}
		if n := at(c.set); *n < least {
			*n = least
			c.printf("%s bumped to %d\n", c.command.Name, least)
		}
		return nil
	}
	return k
}

// listenAddress checks the operand of control.
func listenAddress(c *call, address string) error {
	if _, err := ParseListen(address, "tcp"); err != nil {
		return c.wrong("%v", err)
	}
	return nil
}

func clientsMax(c *call) int { return c.set.Limits.Clients }

// connectionsMax returns the limit, which the machine sets if no one has said it.
func connectionsMax(c *call) int {
	if n := c.set.Limits.Connections; n > 0 {
		return n
	}
	return c.draft.rt.ConnectionsMax()
}

func sayClientsMax(c *call) error {
	c.printf("%d\n", clientsMax(c))
	return nil
}

func sayConnectionsMax(c *call) error {
	c.printf("%d\n", connectionsMax(c))
	return nil
}

func sayPid(c *call) error {
	c.printf("%d\n", os.Getpid())
	return nil
}

// exit ends the program as TERM does, when the reply has been sent.
func exit(c *call) error {
	if !c.set.Process.ExitEnabled {
		c.printf("Exit is not enabled; restart with -X flag\n")
		return nil
	}
	drain := c.set.Process.Drain
	c.later(func(rt Runtime) { rt.Exit(drain) })
	return nil
}

// later has something done when the change has been published.
func (c *call) later(do func(Runtime)) {
	c.draft.state.later = append(c.draft.state.later, do)
}
