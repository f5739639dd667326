//go:build freebsd || linux

package poller

import "golang.org/x/sys/unix"

// pollRDHUP is the bit by which poll(2) tells that the peer has ended its sending side.
const pollRDHUP = unix.POLLRDHUP

// pollHangup are the bits that set Event.Hangup.
const pollHangup = unix.POLLRDHUP | unix.POLLHUP
