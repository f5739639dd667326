package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"
)

const (
	topEvery    = time.Second // between two looks at pen
	topPatience = 5 * time.Second
)

// service and server are what top needs of the replies to "services json" and "servers json".
type service struct {
	Name    string `json:"service"`
	Listen  string `json:"listen"`
	servers []server
}

type server struct {
	Number      int    `json:"server"`
	Address     string `json:"address"`
	Port        int    `json:"port"`
	Connections int    `json:"connections"`
	Max         int    `json:"max"`
	Sent        uint64 `json:"sent"`
	Received    uint64 `json:"received"`
	Blacklisted bool   `json:"blacklisted"`
	Health      string `json:"health"`
	Reason      string `json:"reason"`
	Admin       string `json:"admin"`
}

// place is the address as pen shows it elsewhere: with its port, unless it is a path.
func (s *server) place() string {
	if strings.HasPrefix(s.Address, "/") {
		return s.Address
	}
	if strings.Contains(s.Address, ":") {
		return fmt.Sprintf("[%s]:%d", s.Address, s.Port)
	}
	return fmt.Sprintf("%s:%d", s.Address, s.Port)
}

// unused reports whether the place in the table has no server.
func (s *server) unused() bool { return s.Address == "0.0.0.0" && s.Port == 0 }

// state is how the server is, in a word, and why.
func (s *server) state() (state, why string) {
	switch {
	case s.Admin == "drain" || s.Admin == "maint":
		return s.Admin, "by command"
	case s.Health == "down":
		return "down", s.Reason
	case s.Blacklisted:
		return "blacklisted", "a connect failed"
	}
	return cmp.Or(s.Health, "up"), ""
}

// sample is what pen says at one time.
type sample struct {
	at       time.Time
	services []service
}

// look asks pen.
func look(address string, timeout time.Duration) (*sample, error) {
	s := &sample{at: time.Now()}
	if err := askJSON(address, timeout, &s.services, "services", "json"); err != nil {
		return nil, err
	}
	for i := range s.services {
		v := &s.services[i]
		if err := askJSON(address, timeout, &v.servers, "service", v.Name, "servers", "json"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// askJSON sends a command and decodes the reply. What is not JSON is pen's complaint.
func askJSON(address string, timeout time.Duration, into any, words ...string) error {
	var reply bytes.Buffer
	if err := talk(address, words, timeout, &reply); err != nil {
		return err
	}
	if err := json.Unmarshal(reply.Bytes(), into); err != nil {
		return fmt.Errorf("%s: %.200s", strings.Join(words, " "), strings.TrimSpace(reply.String()))
	}
	return nil
}

// top shows what pen does, once a second until somebody types q; once only if nobody watches.
func top(address string, timeout time.Duration, stdout io.Writer) error {
	first, err := look(address, timeout)
	if err != nil {
		return err
	}
	m := model{address: address, last: first}
	file, isFile := stdout.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
		_, err := io.WriteString(stdout, strings.Join(m.lines(), "\n")+"\n")
		return err
	}
	_, err = tea.NewProgram(m, tea.WithOutput(file)).Run()
	return err
}

// model is the live view.
type model struct {
	address       string
	last, before  *sample // before is nil at first
	err           error   // of the last look; the last good sample stays on the screen
	width, height int     // of the terminal; 0 = not known yet
	skip          int     // lines that are scrolled away
}

// looked is the outcome of a look.
type looked struct {
	sample *sample
	err    error
}

// Init is part of tea.Model.
func (m model) Init() tea.Cmd { return m.next() }

// next looks again in a while. There is never more than one look under way.
func (m model) next() tea.Cmd {
	return tea.Tick(topEvery, func(time.Time) tea.Msg {
		s, err := look(m.address, topPatience)
		return looked{s, err}
	})
}

// Update is part of tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case looked:
		if m.err = msg.err; msg.err == nil {
			m.before, m.last = m.last, msg.sample
		}
		return m, m.next()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		case "down", "j":
			m.skip++
		case "up", "k":
			m.skip--
		case "pgdown", "space":
			m.skip += m.room()
		case "pgup":
			m.skip -= m.room()
		case "home":
			m.skip = 0
		}
	}
	m.skip = max(0, min(m.skip, len(m.lines())-1-m.room()))
	return m, nil
}

// room is how many lines fit below the first one and above the last one.
func (m model) room() int { return max(1, m.height-2) }

// View is part of tea.Model.
func (m model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "pen " + m.address
	return v
}

// screen is what fits of the lines, with a line that says how to leave.
func (m model) screen() string {
	all := m.lines()
	head, rest := all[0], all[1:]
	rest = rest[min(m.skip, len(rest)):]
	if m.height > 0 {
		rest = rest[:min(len(rest), m.room())]
	}
	foot := "q quits, up and down scroll"
	if m.err != nil {
		foot = "pen does not answer: " + printable(m.err.Error())
	}
	screen := append(append([]string{head}, rest...), foot)
	if m.width > 0 {
		for i, line := range screen {
			if runes := []rune(line); len(runes) > m.width {
				screen[i] = string(runes[:m.width])
			}
		}
	}
	return strings.Join(screen, "\n")
}

// lines is the whole picture.
func (m model) lines() []string {
	lines := []string{fmt.Sprintf("pen %s  %s", m.address, m.last.at.Format(time.TimeOnly))}
	for i := range m.last.services {
		v := &m.last.services[i]
		lines = append(lines, "", strings.TrimSpace("service "+v.Name+"  "+v.Listen),
			fmt.Sprintf("%4s %-24s %-12s %9s %9s %9s %9s %9s  %s", "#", "server", "state", "conn/max", "to it/s", "from it/s", "to it", "from it", "why"))
		for j := range v.servers {
			if s := &v.servers[j]; !s.unused() {
				lines = append(lines, printable(m.line(v.Name, s)))
			}
		}
	}
	return lines
}

// printable replaces what a terminal would obey: paths may hold any byte, and reasons quote what servers said.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, line)
}

// line is one server.
func (m model) line(service string, s *server) string {
	state, why := s.state()
	connections := fmt.Sprint(s.Connections)
	if s.Max > 0 {
		connections = fmt.Sprintf("%d/%d", s.Connections, s.Max)
	}
	to, from := "-", "-"
	if was := m.was(service, s); was != nil {
		elapsed := m.last.at.Sub(m.before.at).Seconds()
		to, from = size(float64(s.Sent-was.Sent)/elapsed), size(float64(s.Received-was.Received)/elapsed)
	}
	return strings.TrimRight(fmt.Sprintf("%4d %-24s %-12s %9s %9s %9s %9s %9s  %s", s.Number, s.place(), state, connections,
		to, from, size(float64(s.Sent)), size(float64(s.Received)), why), " ")
}

// was returns the server in the sample before, nil if it was not there, or has begun to count anew.
func (m model) was(service string, s *server) *server {
	if m.before == nil {
		return nil
	}
	for _, v := range m.before.services {
		for i := range v.servers {
			o := &v.servers[i]
			if v.Name == service && o.Number == s.Number && o.Address == s.Address && o.Port == s.Port && o.Sent <= s.Sent && o.Received <= s.Received {
				return o
			}
		}
	}
	return nil
}

// size shows a number of bytes in at most six characters.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if n < 999.5 {
			if n < 9.95 && unit != "B" {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.0f PB", n)
}
