package conf

import (
	"io"
	"time"
)

// Offline is the [Runtime] of a program that does not run yet: it knows no client and no connection. A [Draft] on it
// takes the options that can only be given at start, and takes the size of a table as it is said.
type Offline struct{}

var _ Runtime = Offline{}

// Servers returns nothing: the replies then show the settings with all counters zero.
func (Offline) Servers(string) []ServerStatus { return nil }

// Clients returns nothing.
func (Offline) Clients(string, time.Duration) []ClientStatus { return nil }

// Connections returns nothing.
func (Offline) Connections(string) []ConnectionStatus { return nil }

// Connection says that n is not open.
func (Offline) Connection(int) (ConnectionStatus, bool) { return ConnectionStatus{}, false }

// ConnectionsMax returns 0: there is no table yet.
func (Offline) ConnectionsMax() int { return 0 }

// Owner returns -1.
func (Offline) Owner(int) int { return -1 }

// Datagrams returns zeros.
func (Offline) Datagrams(string) DatagramStatus { return DatagramStatus{} }

// Certificates returns nothing.
func (Offline) Certificates(string) []CertificateStatus { return nil }

// Idlers returns 0.
func (Offline) Idlers(string) int { return 0 }

// Blacklist does nothing.
func (Offline) Blacklist(string, int, time.Duration) {}

// CloseConnection does nothing.
func (Offline) CloseConnection(int) {}

// StatusPage writes nothing: there is nothing to report.
func (Offline) StatusPage(string, io.Writer) error { return nil }

// Exit does nothing.
func (Offline) Exit(time.Duration) {}
