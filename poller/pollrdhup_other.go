//go:build unix && !freebsd && !linux

package poller

// Without POLLRDHUP the end of a stream is seen by reading 0; Event.Hangup stays false, POLLHUP included, as systems
// differ in what they mean by it.
const (
	pollRDHUP  = 0
	pollHangup = 0
)
