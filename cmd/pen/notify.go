package main

import (
	"pen/cmd/daemon"
	"pen/engine/control"
)

// supervision is how pen is watched by who started it: the parent of a pen in the background, or systemd.
type supervision struct {
	child *daemon.Child // nil in the foreground
	log   *control.Log
	lost  bool // systemd could not be told; that has been logged
}

// tell passes on what the control plane says of itself.
func (s *supervision) tell(is control.Condition, status string) {
	var lines []string
	switch is {
	case control.Ready:
		s.child.Ready(nil)
		lines = []string{"READY=1", "STATUS=" + status}
	case control.Reloading:
		lines = []string{"RELOADING=1", daemon.Now()}
	case control.Ending:
		lines = []string{"STOPPING=1", "STATUS=waiting for connections to end"}
	case control.Alive:
		lines = []string{"WATCHDOG=1"}
	}
	if err := daemon.Notify(lines...); err != nil && !s.lost {
		s.log.Error("the service manager will not know how pen is", "err", err)
		s.lost = true
	}
}
