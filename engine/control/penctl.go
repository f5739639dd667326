package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pen/conf"
)

// The bounds of a control connection. They are wide for a script on a slow line and narrow for everybody else.
const (
	maxClients = 128                    // control connections at a time; a further one waits or takes the place of the oldest
	grace      = 250 * time.Millisecond // age that a connection may reach undisturbed when all places are taken
	quiet      = 500 * time.Millisecond // a command without a line end is complete when nothing has followed for so long
	patience   = 10 * time.Second       // for the whole command to arrive, and for each piece of the reply to be taken
	piece      = 32 << 10               // bytes of a reply for which patience is granted anew
	linger     = time.Second            // for the client to close first, so that what it sent too much does not cost it the reply
	lingerMax  = 64 << 10               // bytes that are thrown away meanwhile
)

// Why no command could be read. The client is told, with the exception of errSilent.
var (
	errSilent  = errors.New("no command")
	errSlow    = fmt.Errorf("the command was not complete within %v; expected one line", patience)
	errTooLong = fmt.Errorf("the command is too long; expected at most %d bytes", conf.MaxLine)
)

// call is a command on its way to the control goroutine, which answers exactly once.
type call struct {
	line  string
	reply chan<- []byte // with room for the reply: answering never blocks
}

// penctl serves control connections: it reads a line, hands it to the control goroutine, and writes the reply. Each
// connection has a goroutine of its own that ends by its deadlines; when all places are taken the oldest connection
// gives way, so that neither silent nor slow clients keep others out.
type penctl struct {
	calls chan call
	admit atomic.Pointer[func(netip.Addr) bool] // control_acl; stored by the control goroutine
	room  chan struct{}                         // a token for each connection
	ended chan struct{}                         // closed by close

	mu   sync.Mutex
	open []*client // oldest first
}

// client is a control connection.
type client struct {
	conn  net.Conn
	since time.Time     // when it was accepted
	gone  chan struct{} // closed when the connection had to give way
	stage stage         // guarded by penctl.mu
}

// stage is how far a control connection has come; it only grows.
type stage uint8

const (
	reading   stage = iota // the command is not complete
	asking                 // the command is with the control goroutine, or waits for it: the connection is not closed
	answering              // the reply is being written
	parting                // the client has the reply and is about to close
)

func newPenctl() *penctl {
	p := &penctl{calls: make(chan call), room: make(chan struct{}, maxClients), ended: make(chan struct{})}
	p.setAdmit(func(netip.Addr) bool { return true })
	return p
}

// setAdmit decides from now on which addresses may send commands. Clients of Unix sockets always may.
func (p *penctl) setAdmit(admit func(netip.Addr) bool) { p.admit.Store(&admit) }

// serve accepts until ln is closed.
func (p *penctl) serve(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or the client is gone already
			time.Sleep(grace)
		case !p.admitted(conn.RemoteAddr()) || !p.wait():
			conn.Close()
		default:
			go p.talk(p.enter(conn))
		}
	}
}

func (p *penctl) admitted(from net.Addr) bool {
	tcp, ok := from.(*net.TCPAddr)
	return !ok || (*p.admit.Load())(tcp.AddrPort().Addr().Unmap().WithZone(""))
}

// wait returns true when there is a place for one more connection.
func (p *penctl) wait() bool {
	for {
		select {
		case p.room <- struct{}{}:
			return true
		default:
		}
		timer := time.NewTimer(p.evict())
		select {
		case p.room <- struct{}{}:
			timer.Stop()
			return true
		case <-p.ended:
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// evict closes the oldest connection if it is over its grace, and returns when to look again.
func (p *penctl) evict() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.open, func(c *client) bool { return c.stage != asking })
	if i < 0 {
		return grace
	}
	c := p.open[i]
	if left := grace - time.Since(c.since); left > 0 {
		return left
	}
	close(c.gone)
	c.conn.Close()
	p.open = slices.Delete(p.open, i, i+1)
	return grace
}

func (p *penctl) enter(conn net.Conn) *client {
	c := &client{conn: conn, since: time.Now(), gone: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, c)
	return c
}

func (p *penctl) leave(c *client) {
	c.conn.Close()
	p.mu.Lock()
	if i := slices.Index(p.open, c); i >= 0 {
		p.open = slices.Delete(p.open, i, i+1)
	}
	p.mu.Unlock()
	<-p.room
}

// talk is the life of a control connection.
func (p *penctl) talk(c *client) {
	defer p.leave(c)
	line, err := readCommand(c.conn)
	var reply []byte
	switch {
	case errors.Is(err, errSlow), errors.Is(err, errTooLong):
		reply = []byte(err.Error() + "\n")
	case err != nil:
		return
	default:
		reply = p.ask(c, line)
	}
	p.enterStage(c, answering)
	if writeReply(c.conn, reply) == nil {
		p.enterStage(c, parting)
		part(c.conn)
	}
}

// readCommand returns the first line that comes from conn, without its end. The end may be missing when the client
// has closed its side or falls silent.
func readCommand(conn net.Conn) (string, error) {
	line := make([]byte, 0, 512)
	end := time.Now().Add(patience)
	for {
		until := end
		if soon := time.Now().Add(quiet); len(line) > 0 && soon.Before(end) {
			until = soon
		}
		if err := conn.SetReadDeadline(until); err != nil {
			return "", err
		}
		line = slices.Grow(line, 512)
		n, err := conn.Read(line[len(line):min(cap(line), conf.MaxLine+1)])
		seen := len(line)
		line = line[:seen+n]
		if i := bytes.IndexAny(line[seen:], "\r\n"); i >= 0 {
			return string(line[:seen+i]), nil
		}
		switch {
		case len(line) > conf.MaxLine:
			return "", errTooLong
		case err == nil:
		case len(line) == 0:
			return "", errSilent
		case errors.Is(err, os.ErrDeadlineExceeded) && until.Equal(end):
			return "", errSlow
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF):
			return string(line), nil
		default:
			return "", err
		}
	}
}

// ask has the control goroutine execute line.
func (p *penctl) ask(c *client, line string) []byte {
	p.enterStage(c, asking) // from here on nobody closes the connection: the reply would be lost
	select {
	case <-c.gone:
		return nil
	default:
	}
	reply := make(chan []byte, 1)
	select {
	case p.calls <- call{line, reply}:
		return <-reply
	case <-p.ended:
		return nil
	}
}

func (p *penctl) enterStage(c *client, s stage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.stage = s
}

// writeReply writes reply as long as the client keeps taking it.
func writeReply(conn net.Conn, reply []byte) error {
	for chunk := range slices.Chunk(reply, piece) {
		if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

// part ends the conversation: a socket that is closed with unread bytes resets the connection, and the client would
// lose what it has not yet read of the reply.
func part(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(linger)) != nil {
		return
	}
	io.CopyN(io.Discard, conn, lingerMax) // whatever ends it, the connection is closed next
}

// close ends the conversations. Where a reply is under way it gets until linger has passed. The listener must be closed.
func (p *penctl) close() {
	close(p.ended)
	p.mu.Lock()
	for _, c := range p.open {
		if c.stage == reading || c.stage == parting {
			c.conn.Close()
		}
	}
	p.mu.Unlock()
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for range maxClients { // a token that goes in is a connection that has ended
		select {
		case p.room <- struct{}{}:
		case <-timer.C:
			return
		}
	}
}
