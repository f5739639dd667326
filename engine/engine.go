package engine

import (
	"time"

	"pen/conf"
)

// Engine is the data plane.
type Engine struct{}

// New compiles s and opens its listeners. Nobody is served before Run.
func New(s *conf.Settings) (*Engine, error) { panic("being written") }

// Run starts the reactors and returns.
func (e *Engine) Run() {}

// Publish makes s the configuration. If it can't be compiled or a listener can't be opened, nothing has changed.
// Only one goroutine, the control plane's, may call Publish and Stop.
func (e *Engine) Publish(s *conf.Settings) error { panic("being written") }

// Stop closes the listeners, waits up to drain for the sessions to end, closes the rest and ends the reactors.
func (e *Engine) Stop(drain time.Duration) {}

// Servers, Clients, Connections, Connection, ConnectionsMax, Owner, Idlers, Blacklist and CloseConnection are those
// methods of conf.Runtime that the data plane can answer.
func (e *Engine) Servers(service string) []conf.ServerStatus { panic("being written") }

// Clients lists the client table.
func (e *Engine) Clients(service string, within time.Duration) []conf.ClientStatus {
	panic("being written")
}

// Connections lists the open connections of a service.
func (e *Engine) Connections(service string) []conf.ConnectionStatus { panic("being written") }

// Connection tells about connection n.
func (e *Engine) Connection(n int) (conf.ConnectionStatus, bool) { panic("being written") }

// ConnectionsMax is the size of the connection table.
func (e *Engine) ConnectionsMax() int { panic("being written") }

// Owner returns the number of the connection that a descriptor belongs to, -1 if none.
func (e *Engine) Owner(fd int) int { panic("being written") }

// Idlers counts the idle connections that are open.
func (e *Engine) Idlers(service string) int { panic("being written") }

// Blacklist excludes a server for d; 0 lifts it.
func (e *Engine) Blacklist(service string, server int, d time.Duration) {}

// CloseConnection closes connection n.
func (e *Engine) CloseConnection(n int) {}

// LastServer is the index of the server that was chosen last (round robin's memory): "current" on the status page.
func (e *Engine) LastServer(service string) int { panic("being written") }

// Event is something that the control plane may want to log.
type Event struct {
	Level   int    // as in pen's -d: 0 = always, 1, 2: detail, 3 = dump of forwarded bytes
	Message string // without time and newline
}

// Events returns the channel on which the reactors report. Sends never block: what does not fit is dropped and counted.
func (e *Engine) Events() <-chan Event { panic("being written") }
