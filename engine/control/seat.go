package control

import (
	"errors"
	"net"
	"syscall"

	"pen/engine"
)

// seat is a listening socket of the control plane that moves while pen runs. The control goroutine owns it. To move it
// is a transaction: open, then either move or stay.
type seat struct {
	name     string // the command that says where it is
	owner    Owner  // of a Unix socket
	passed   engine.Passed
	serve    func(net.Listener)
	place    place
	listener net.Listener // nil = none
	began    bool
}

// addr returns where the socket listens, or nil if there is none.
func (s *seat) addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// begin lets serve run, in a goroutine of its own that ends when the socket is closed.
func (s *seat) begin() {
	s.began = true
	if s.listener != nil {
		go s.serve(s.listener)
	}
}

// open opens a socket besides the one that is open; where nothing changes it returns that one. If that one is in the
// way – the same port, once for this machine and once for all addresses – it is closed first.
func (s *seat) open(to place) (net.Listener, error) {
	if to == s.place {
		return s.listener, nil
	}
	ln, err := s.make(to)
	if s.listener == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return ln, err
	}
	s.listener.Close()
	s.listener = nil
	return s.make(to)
}

// make takes the socket that was passed for a place, or makes one.
func (s *seat) make(to place) (net.Listener, error) {
	if ln, err := s.passed.Listener(to.network, to.address); ln != nil || err != nil {
		return ln, err
	}
	return to.open(s.owner, s.name)
}

// stay gives up what open has opened, nil after an error, and keeps the socket where it was. The error says that this
// is not possible any more, so that now there is none.
func (s *seat) stay(to place, ln net.Listener) (err error) {
	if to != s.place && ln != nil {
		ln.Close()
		if !s.passed.Has(to.network, to.address) {
			to.remove()
		}
	}
	if s.listener != nil || s.place.network == "" {
		return nil
	}
	if s.listener, err = s.make(s.place); err != nil {
		s.place = place{}
		return err
	}
	if s.began {
		go s.serve(s.listener)
	}
	return nil
}

// move goes over to the socket that open has opened.
func (s *seat) move(to place, ln net.Listener) {
	if to == s.place {
		return
	}
	s.close()
	s.place, s.listener = to, ln
	if ln != nil && s.began {
		go s.serve(ln)
	}
}

// close closes the socket.
func (s *seat) close() {
	if s.listener != nil {
		s.listener.Close()
	}
}
