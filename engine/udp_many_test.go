//go:build linux

package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pen/conf"
)

// TestTenThousandFlows shows what a socket for each flow costs. One client writes to as many addresses of ours. Run it
// with -v for the figures; those of the kernel's memory are root's only and those of a machine that does nothing else.
func TestTenThousandFlows(t *testing.T) {
	const flows, mostPerFlow = 10000, 1500
	if descriptorLimit() < flows+1000 {
		t.Skipf("only %d descriptors", descriptorLimit())
	}
	server := newUDPServer(t, "s", "udp", "127.0.0.1:0")
	e := startUDP(t, func(s *conf.Settings, v *conf.Service) {
		v.Listen = "0.0.0.0:0"
		s.Limits.Connections = flows
	}, server)
	port := netip.MustParseAddrPort(e.Listening("default")).Port()
	client, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetReadDeadline(time.Now().Add(2 * patient))
	question, answer := []byte("question"), make([]byte, 100)
	heap, slab := memory(), kernelMemory()
	begin := time.Now()
	const ahead = 64 // on their way at a time: fewer than any queue holds
	for sent, got := 0, 0; got < flows; {
		for ; sent < min(got+ahead, flows); sent++ {
			to := netip.AddrFrom4([4]byte{127, 1, byte(sent >> 8), byte(sent)})
			if _, err := client.WriteToUDPAddrPort(question, netip.AddrPortFrom(to, port)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Read(answer); err != nil {
			t.Fatalf("after %d answers: %v", got, err)
		}
		got++
	}
	each := time.Since(begin) / flows
	own, kernel := (memory()-heap)/flows, (kernelMemory()-slab)/flows
	t.Logf("a flow with its first question and answer: %v, client and server included; %d bytes of pen, %d of the kernel", each, own, kernel)
	if f := e.Datagrams("default").Flows; f.Active != flows || f.Evicted != 0 {
		t.Errorf("got %+v, want %d active, none evicted", f, flows)
	}
	if own > mostPerFlow {
		t.Errorf("a flow takes %d bytes of pen's memory, want at most %d", own, mostPerFlow)
	}
}

// memory returns the bytes of the heap that are in use.
func memory() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// kernelMemory returns the bytes of the kernel's slabs, 0 if that is a secret.
func kernelMemory() int {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		var n int
		if _, err := fmt.Sscanf(line, "Slab: %d kB", &n); err == nil {
			return n << 10
		}
	}
	return 0
}

// Forwarding allocates nothing, neither in a flow that is there nor where each question and its answer is a flow.
func TestDatagramsAllocateNothing(t *testing.T) {
	for _, responses := range []int{0, 1} {
		t.Run(fmt.Sprint("udp_responses ", responses), func(t *testing.T) { testAllocations(t, responses) })
	}
}

func testAllocations(t *testing.T, responses int) {
	server, at := rawSocket(t)
	r, l := loneReactor(t, at, "0.0.0.0:0")
	l.service.conf.Flow.Responses = responses
	client, _ := rawSocket(t)
	if err := unix.Connect(client, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(portOf(t, l.fd))}); err != nil {
		t.Fatal(err)
	}
	room := make([]byte, 100)
	ask := func() {
		if _, err := unix.Write(client, room[:60]); err != nil {
			t.Fatal(err)
		}
		turnOf(t, r)
	}
	ask()
	from := new(unix.RawSockaddrInet4)
	answer := func() {
		size := uint32(unix.SizeofSockaddrInet4)
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(server), uintptr(unsafe.Pointer(&room[0])), 100, 0,
			uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(&size)))
		if n != 60 || e != 0 {
			t.Fatalf("got a question of %d bytes, %v", n, e)
		}
		unix.RawSyscall6(unix.SYS_SENDTO, uintptr(server), uintptr(unsafe.Pointer(&room[0])), n, 0, uintptr(unsafe.Pointer(from)), uintptr(size))
		turnOf(t, r)
		if n, err := unix.Read(client, room); n != 60 || err != nil {
			t.Fatalf("got an answer of %d bytes, %v", n, err)
		}
	}
	answer()
	if n := testing.AllocsPerRun(1000, func() { ask(); answer() }); n != 0 {
		t.Errorf("a datagram and its answer allocate %v times, want 0", n)
	}
	if got, want := r.counters.datagramsOf(l.service.state).flows.Begun, uint64(1); responses > 0 == (got == want) {
		t.Errorf("%d flows", got)
	}
}

// rawSocket returns a UDP socket on a port of its own.
func rawSocket(t *testing.T) (int, conf.Server) {
	t.Helper()
	fd, err := bindDatagrams(newAddress(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSocket(fd) })
	return fd, conf.Server{Address: "127.0.0.1", Port: int(portOf(t, fd))}
}

// turnOf lets a reactor that does not run take one turn.
func turnOf(t *testing.T, r *reactor) {
	t.Helper()
	n, err := r.poller.Wait(r.events[:], patient)
	if err != nil || n == 0 {
		t.Fatalf("no event: %v", err)
	}
	r.tick()
	for i := range r.events[:n] {
		r.dispatch(&r.events[i])
	}
	r.forwardDatagrams()
	r.closeRetired()
}

// loneReactor returns a reactor that does not run, with a listener on an address and a server.
func loneReactor(t *testing.T, server conf.Server, listen string) (*reactor, *datagramListener) {
	t.Helper()
	s := conf.Default()
	s.Limits.Reactors = 1
	v := s.Services[0]
	v.UDP, v.Listen, v.Servers = true, listen, []conf.Server{server}
	e, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	r := e.reactors[0]
	r.tick()
	r.adopt(e.plan.Load())
	t.Cleanup(func() {
		r.stopDatagrams()
		r.closeRetired()
		e.abort()
	})
	return r, r.udp.listeners[0]
}

func portOf(t *testing.T, fd int) uint16 {
	t.Helper()
	a, err := localAddress(fd)
	if err != nil {
		t.Fatal(err)
	}
	return a.ip.Port()
}

// Datagrams of one size that a client sends in one call (UDP_SEGMENT) arrive as they were sent, however the kernel hands
// them to us, and are counted one by one; answers of one size likewise.
func TestSegments(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	at := server.LocalAddr().(*net.UDPAddr).AddrPort()
	e := startUDP(t, func(_ *conf.Settings, v *conf.Service) {
		v.Servers = []conf.Server{{Address: "127.0.0.1", Port: int(at.Port())}}
		v.Log = "/dev/null"
	})
	client := udpClient(t, e).(*net.UDPConn)
	const size, n, last = 100, 20, 7
	text := bytes.Repeat([]byte("0123456789"), (size*n+10)/10)[:size*n+last]
	var oob []byte
	oob = appendControl(oob, unix.SOL_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, size))
	if _, _, err := client.WriteMsgUDP(text, oob, nil); err != nil {
		t.Skip(err) // an old kernel
	}
	receive := func(c *net.UDPConn) (from netip.AddrPort) {
		t.Helper()
		b := make([]byte, 1<<16)
		c.SetReadDeadline(time.Now().Add(patient))
		var got []byte
		for i := range n + 1 {
			k, a, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				t.Fatalf("datagram %d: %v", i, err)
			}
			if want := min(size, len(text)-len(got)); k != want {
				t.Fatalf("datagram %d has %d bytes, want %d", i, k, want)
			}
			got, from = append(got, b[:k]...), a
		}
		if !bytes.Equal(got, text) {
			t.Error("the bytes differ")
		}
		return from
	}
	flow := receive(server)
	lines := 0
	for lines < n+1 {
		lines += bytes.Count(<-e.Logs("default").Requests.Batches(), []byte("\n"))
	}
	for range 3 { // the second time the flow is known to be bulk
		if _, _, err := server.WriteMsgUDPAddrPort(text, oob, flow); err != nil {
			t.Fatal(err)
		}
		receive(client)
	}
	d := e.Datagrams("default")
	if want := (conf.Traffic{Datagrams: n + 1, Bytes: uint64(len(text))}); d.FromClients != want || d.ToServers != want {
		t.Errorf("from clients %v, to servers %v, want %v", d.FromClients, d.ToServers, want)
	}
	if want := (conf.Traffic{Datagrams: 3 * (n + 1), Bytes: 3 * uint64(len(text))}); d.FromServers != want || d.ToClients != want {
		t.Errorf("from servers %v, to clients %v, want %v", d.FromServers, d.ToClients, want)
	}
}

// Where segments are refused, they leave one by one.
func TestSplit(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0) // knows nothing of segments
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(fds[:])
	p := newPackets()
	p.put(datagram{data: []byte("aabbc"), segment: 2}, nil)
	p.split(fds[0], 0)
	b := make([]byte, 10)
	for _, want := range []string{"aa", "bb", "c"} {
		n, err := unix.Read(fds[1], b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v, want %q", b[:max(n, 0)], err, want)
		}
	}
}

// What the kernel had no room for is counted.
func TestOverflow(t *testing.T) {
	server := newUDPServer(t, "s", "udp", "127.0.0.1:0")
	r, l := loneReactor(t, server.conf(), "127.0.0.1:0")
	if err := setOption(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
		t.Fatal(err)
	}
	client := dialUDP(t, fmt.Sprint("127.0.0.1:", portOf(t, l.fd)))
	const sent = 100
	for range sent / 2 {
		client.Write(make([]byte, 1000))
	}
	r.fromClients(l)
	for range sent / 2 {
		client.Write(make([]byte, 1000))
	}
	r.fromClients(l)
	client.Write(nil) // tells of those before it
	r.fromClients(l)
	c := r.counters.datagramsOf(l.service.state)
	lost := c.dropped[dropKernel]
	if got := c.fromClients.Datagrams + lost; lost == 0 || got != sent+1 {
		t.Errorf("%d received, %d lost, want some lost and %d together", c.fromClients.Datagrams, lost, sent+1)
	}
}

func TestReceivedTooLong(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(fds[:])
	p := newPackets()
	for _, size := range []int{slotSize, slotSize + 1} {
		for name, receive := range map[string]func() (int, error){
			"one":  func() (int, error) { return p.receiveOne(fds[1], 3) },
			"many": func() (int, error) { return p.receive(fds[1], 3, 2, true) },
		} {
			if _, err := unix.Write(fds[0], make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			n, err := receive()
			if n != 1 || err != nil {
				t.Fatalf("%s: got %d, %v", name, n, err)
			}
			if d := p.datagram(3); d.cut != (size > slotSize) || len(d.data) != slotSize {
				t.Errorf("%s, %d bytes: got %d, cut %v", name, size, len(d.data), d.cut)
			}
		}
	}
}
