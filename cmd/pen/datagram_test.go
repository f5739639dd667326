package main_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pen/conf"
)

// mirror is a server of datagrams. It answers each with "NAME TEXT", or with nothing if it begins with a "-".
type mirror struct {
	name     string
	addr     string
	conn     net.PacketConn // nil = stopped
	over     chan struct{}  // closed when nobody reads from conn any more
	received atomic.Int64
}

// mirror NAME [ADDR] starts a server of datagrams and sets the variable NAME to its address and NAME_port to its port.
// ADDR is a path or an IP address, the default 127.0.0.1.
func startMirror(sc *scenario, args []string) (string, error) {
	if len(args) < 1 {
		return "", errors.New("usage: mirror NAME [ADDR]")
	}
	m := &mirror{name: args[0], addr: strings.Join(args[1:], "")}
	if !strings.Contains(m.addr, "/") {
		p := strconv.Itoa(freePort())
		m.addr = net.JoinHostPort(cmp.Or(m.addr, "127.0.0.1"), p)
		sc.names[p] = m.name
		sc.ts.Setenv(m.name+"_port", p)
	}
	sc.mirrors[m.name] = m
	sc.ts.Setenv(m.name, m.addr)
	sc.ts.Defer(m.stop)
	return "", m.start()
}

// shatter NAME... stops servers of datagrams.
func stopMirrors(sc *scenario, args []string) (string, error) {
	return "", sc.eachMirror(args, func(m *mirror) error { m.stop(); return nil })
}

// mend NAME... starts servers of datagrams again, at the address that they had.
func restartMirrors(sc *scenario, args []string) (string, error) {
	return "", sc.eachMirror(args, (*mirror).start)
}

func (sc *scenario) eachMirror(names []string, f func(*mirror) error) error {
	for _, name := range names {
		m := sc.mirrors[name]
		if m == nil {
			return fmt.Errorf("no mirror %q", name)
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

func (m *mirror) start() (err error) {
	network := "udp"
	if strings.Contains(m.addr, "/") {
		network = "unixgram"
		os.Remove(m.addr) // nobody does that for a server that was stopped
	}
	if m.conn, err = net.ListenPacket(network, m.addr); err != nil {
		return err
	}
	if network == "unixgram" { // pen may run as somebody else
		err = os.Chmod(m.addr, 0o777)
	}
	if u, ok := m.conn.(*net.UDPConn); ok {
		u.SetReadBuffer(4 << 20) // flood shall lose nothing here
	}
	m.over = make(chan struct{})
	go m.serve(m.conn, m.over)
	return err
}

func (m *mirror) stop() {
	if m.conn != nil {
		unshared(func() {
			m.conn.Close()
			<-m.over
		})
		m.conn = nil
	}
}

func (m *mirror) serve(conn net.PacketConn, over chan<- struct{}) {
	defer close(over)
	in := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFrom(in)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		m.received.Add(1)
		if n == 0 || in[0] != '-' {
			conn.WriteTo(fmt.Appendf(nil, "%s %s", m.name, in[:n]), from)
		}
	}
}

// asker is what the options of ask say.
type asker struct {
	n, size    int
	from       string
	keep, text bool
	wait       time.Duration
}

// ask [-n N] [-keep] [-from IP[:PORT]] [-size BYTES] [-text] [-wait D] ADDR [TEXT] sends N datagrams, each from a port of its
// own or, with -keep, all from one, and prints the names of the servers that answered, or with -text the answers. One
// without an answer prints "timeout" and makes the command fail.
func askServers(sc *scenario, args []string) (string, error) {
	var a asker
	f := flag.NewFlagSet("ask", flag.ContinueOnError)
	f.IntVar(&a.n, "n", 1, "datagrams")
	f.BoolVar(&a.keep, "keep", false, "all from one port")
	f.StringVar(&a.from, "from", "", "client address, the same port is the same flow")
	f.IntVar(&a.size, "size", 0, "bytes of each, at least")
	f.BoolVar(&a.text, "text", false, "print the answers")
	f.DurationVar(&a.wait, "wait", patience, "for an answer")
	if err := f.Parse(args); err != nil {
		return "", err
	}
	text := strings.Join(f.Args()[1:], " ")
	text += strings.Repeat("x", max(0, a.size-len(text)))
	var words []string
	var failed error
	var c net.Conn
	for i := range a.n {
		if c == nil || !a.keep {
			var err error
			if c, err = a.dial(sc, f.Arg(0), i); err != nil {
				return "", err
			}
			defer c.Close()
		}
		word, err := a.once(c, text)
		words, failed = append(words, word), errors.Join(failed, err)
	}
	return strings.Join(words, " ") + "\n", failed
}

func (a *asker) dial(sc *scenario, addr string, i int) (net.Conn, error) {
	if strings.Contains(addr, "/") {
		own := fmt.Sprintf("%s/client%d.%d", sc.ts.Getenv("WORK"), time.Now().UnixNano(), i)
		c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own}, &net.UnixAddr{Name: addr})
		if err == nil {
			err = os.Chmod(own, 0o777) // pen may run as somebody else
		}
		return c, err
	}
	d := net.Dialer{}
	if a.from != "" {
		from := a.from
		if _, _, err := net.SplitHostPort(from); err != nil {
			from = net.JoinHostPort(from, "0")
		}
		local, err := net.ResolveUDPAddr("udp", from)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = local
	}
	return d.Dial("udp", reachable(addr))
}

// once sends a datagram and returns the name of the server that answered it, or the answer.
func (a *asker) once(c net.Conn, text string) (string, error) {
	if _, err := c.Write([]byte(text)); err != nil {
		return "refused", err
	}
	in := make([]byte, 1<<16)
	c.SetReadDeadline(time.Now().Add(a.wait))
	n, err := c.Read(in)
	if err != nil {
		return failure(err), fmt.Errorf("%v: %w", c.RemoteAddr(), err)
	}
	name, rest, _ := strings.Cut(string(in[:n]), " ")
	if rest != text {
		return name, fmt.Errorf("sent %d bytes, got %d back, not the same", len(text), len(rest))
	}
	if a.text {
		return string(in[:n]), nil
	}
	return name, nil
}

// flood PEN RATE DURATION ADDR MIRROR... sends so many datagrams a second, which are not answered, and prints what
// became of them by the account of both ends and of pen: "sent N, received N, lost N, unexplained N". What pen says that it or
// the kernel has dropped is explained.
func flood(sc *scenario, args []string) (string, error) {
	if len(args) < 5 {
		return "", errors.New("usage: flood PEN RATE DURATION ADDR MIRROR...")
	}
	var rate int
	if _, err := fmt.Sscan(args[1], &rate); err != nil {
		return "", err
	}
	length, err := time.ParseDuration(args[2])
	if err != nil {
		return "", err
	}
	received := func() (n int) {
		err = sc.eachMirror(args[4:], func(m *mirror) error { n += int(m.received.Load()); return nil })
		return n
	}
	before := received()
	if err != nil {
		return "", err
	}
	old, err := sc.datagrams(args[0])
	if err != nil {
		return "", err
	}
	sent, err := pour(args[3], rate, length)
	if err != nil {
		return "", err
	}
	now := conf.DatagramStatus{}
	var lost, dropped int
	poll(func() bool { // until all is accounted for; the kernel tells of overflows with the next datagram
		now, err = sc.datagrams(args[0])
		lost, dropped = sent-(received()-before), int(drops(now)-drops(old))
		if err == nil && lost > dropped {
			time.Sleep(20 * time.Millisecond)
			n, _ := pour(args[3], 1000, time.Millisecond)
			sent += n
		}
		return err == nil && lost == dropped
	})
	sc.tb.Logf("%d/s for %v: sent %d; pen took %d, passed on %d, dropped %v", rate, length, sent,
		now.FromClients.Datagrams-old.FromClients.Datagrams, now.ToServers.Datagrams-old.ToServers.Datagrams, now.Dropped)
	return fmt.Sprintf("sent %d, received %d, lost %d, unexplained %d\n", sent, received()-before, lost, lost-dropped), err
}

func drops(d conf.DatagramStatus) (n uint64) {
	for _, why := range d.Dropped {
		n += why.Datagrams
	}
	return n
}

// datagrams asks a pen what it has done.
func (sc *scenario) datagrams(name string) (d conf.DatagramStatus, err error) {
	reply, err := ctl(sc, []string{name, "datagrams", "json"})
	if err == nil {
		err = json.Unmarshal([]byte(reply), &d)
	}
	return d, err
}

// pour sends datagrams at a rate, like a busy logger, and returns how many.
func pour(addr string, rate int, length time.Duration) (sent int, err error) {
	c, err := net.Dial("udp", reachable(addr))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	line := []byte("-<134>Nov 23 01:02:03 host program[123]: " + strings.Repeat("words ", 20))
	begin := time.Now()
	for since := time.Duration(0); since < length; since = time.Since(begin) {
		for due := int(since.Seconds()*float64(rate)) + 1; sent < due; sent++ {
			if _, err := c.Write(line); err != nil {
				return sent, err
			}
		}
		time.Sleep(time.Millisecond) // the rate is kept on the average
	}
	return sent, nil
}
