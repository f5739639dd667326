package conf

import "strings"

// logCommands are about what pen tells of its work.
var logCommands = []*Command{
	{
		Name: "access_log", Args: "[FILE|syslog|stdout [json|text]]",
		Help:   "Write one line about each connection that ended, as text or JSON, and show where.",
		NoHelp: "Write no line about connections.", perService: true, reply: sayValue,
		kind: kind{set: setAccessLog, off: clearAccessLog, lines: accessLogLines},
	},
	{
		Name: "ascii", Help: "Dump what is forwarded as text.", NoHelp: "Dump what is forwarded in hexadecimal.",
		kind: toggle(func(s *Settings, _ *Service) *bool { return &s.Process.ASCII }),
	},
	{
		Name: "debug", Args: "[N]", Help: "Set the level of diagnostics, from 0 for none to 3 for dumps of what is forwarded, and show it.",
		reply: sayValue,
		kind:  count("a level", 0, maxNumber, func(s *Settings, _ *Service) *int { return &s.Process.Debug }),
	},
	{
		Name: "log", Args: "[FILE|HOST:PORT]", Help: "Log requests to a file or to a penlogd and show where.",
		NoHelp: "Log no requests.", perService: true, reply: sayValue,
		kind: text(logTarget, func(_ *Settings, v *Service) *string { return &v.Log }),
	},
	{
		Name: "web_stats", Args: "[FILE]", Help: "Set the file for the report in HTML and show its name.",
		NoHelp: "Write no report in HTML.", reply: sayValue,
		kind: text(nil, func(s *Settings, _ *Service) *string { return &s.WebStats }),
	},
}

// LogAddress reports whether a target of the command log is the address of a penlogd: it has a colon and does not start
// with a slash.
func LogAddress(target string) (host string, port int, isAddress bool) {
	if strings.HasPrefix(target, "/") || !strings.Contains(target, ":") {
		return "", 0, false
	}
	i := strings.LastIndexByte(target, ':')
	host, err := parseHost(target[:i])
	if err != nil {
		return "", 0, true
	}
	if port, err = parsePort(target[i+1:], "udp"); err != nil {
		return "", 0, true
	}
	return host, port, true
}

// logTarget checks the operand of log.
func logTarget(c *call, target string) error {
	if _, port, isAddress := LogAddress(target); isAddress && port == 0 {
		return c.wrong("expected a file or HOST:PORT, not '%s'; a file with a colon needs its full path", clip(target))
	}
	return nil
}

// setAccessLog takes where the lines go and what they look like.
func setAccessLog(c *call) error {
	to := AccessLog{To: c.args[0]}
	switch c.arg(1) {
	case "", "text":
	case "json":
		to.JSON = true
	default:
		return c.wrong("expected json or text, not '%s'", clip(c.arg(1)))
	}
	if to.To == "" {
		return c.wrong("expected a file, syslog or stdout, not an empty word; no access_log unsets it")
	}
	c.service.AccessLog = to
	return nil
}

func clearAccessLog(c *call) error {
	c.service.AccessLog = AccessLog{}
	return nil
}

func accessLogLines(_ *Command, _ *Settings, v *Service) []string {
	switch to := v.AccessLog; {
	case to.To == "":
		return []string{"no access_log"}
	case to.JSON:
		return []string{"access_log " + Quote(to.To) + " json"}
	default:
		return []string{"access_log " + Quote(to.To) + " text"}
	}
}
