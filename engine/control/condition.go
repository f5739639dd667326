package control

import (
	"fmt"
	"strings"
	"time"
)

// Condition is what pen tells of itself to who started it, a service manager such as systemd.
type Condition int

// The conditions.
const (
	Ready     Condition = iota // clients are served, by the settings that there are now
	Reloading                  // HUP has come; Ready follows, whatever comes of it
	Ending                     // no new clients are served
	Alive                      // all is well; said again and again, see Options.Watchdog
)

// tell tells who started pen. It is the control goroutine's.
func (c *Control) tell(is Condition, status string) {
	if c.Tell != nil {
		c.Tell(is, status)
	}
}

// watchdog returns what makes the control goroutine say that it is alive, nil if nobody wants to hear it. It says so
// twice in the time in which it has to.
func (c *Control) watchdog() <-chan time.Time {
	if c.Watchdog <= 0 {
		return nil
	}
	return time.Tick(c.Watchdog / 2)
}

// alive says that pen works, if it does: a reactor that hangs is none of the clients' servers any more, and as nothing can be
// done about it from inside, the silence has pen started anew.
func (c *Control) alive() {
	if c.stopped != nil || c.engine.Answering() {
		c.tell(Alive, "")
	}
}

// summary says in a line what pen does.
func (c *Control) summary() string {
	var fronts []string
	servers := 0
	for _, v := range c.settings.Services {
		servers += len(v.Servers)
		if v.Listen != "" {
			fronts = append(fronts, v.Listen)
		}
	}
	return fmt.Sprintf("serving %s, %d servers", strings.Join(fronts, " "), servers)
}
