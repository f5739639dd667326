package control

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pen/conf"
)

// echo answers every command with "did COMMAND", in the place of the control goroutine, until p is closed. It returns
// what it executed.
func echo(p *penctl) (executed func() []string) {
	var mu sync.Mutex
	var lines []string
	go func() {
		for {
			select {
			case call := <-p.calls:
				mu.Lock()
				lines = append(lines, call.line)
				mu.Unlock()
				call.reply <- []byte("did " + call.line + "\n")
			case <-p.ended:
				return
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

// The conversations run on a clock of their own: a wait of any length takes no time.
func TestConversation(t *testing.T) {
	const long = conf.MaxLine
	type step struct {
		wait time.Duration
		send string
	}
	for _, tt := range []struct {
		name  string
		steps []step
		end   bool // the client closes its side
		want  string
		took  time.Duration // until the reply
	}{
		{"a line", []step{{0, "mode\n"}}, false, "did mode\n", 0},
		{"carriage return", []step{{0, "mode\r\n"}}, false, "did mode\n", 0},
		{"only the first line", []step{{0, "mode\nservers\n"}}, false, "did mode\n", 0},
		{"empty line", []step{{0, "\n"}}, false, "did \n", 0},
		{"in segments", []step{{0, "mo"}, {quiet - time.Millisecond, "de"}, {quiet - time.Millisecond, "\n"}}, false, "did mode\n", 2*quiet - 2*time.Millisecond},
		{"no line end, client waits", []step{{0, "mode"}}, false, "did mode\n", quiet},
		{"no line end, client closes", []step{{0, "mode"}}, true, "did mode\n", 0},
		{"late", []step{{patience - time.Millisecond, "mode\n"}}, false, "did mode\n", patience - time.Millisecond},
		{"silent", nil, false, "", patience},
		{"closes at once", nil, true, "", 0},
		{"never complete", repeat(step{quiet - time.Millisecond, "x"}, int(patience/quiet)+1), false, errSlow.Error() + "\n", patience},
		{"longest", []step{{0, strings.Repeat("x", long)}, {0, "\n"}}, false, "did " + strings.Repeat("x", long) + "\n", 0},
		{"too long", []step{{0, strings.Repeat("x", long+1)}}, false, errTooLong.Error() + "\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPenctl()
				echo(p)
				defer close(p.ended)
				client, server := net.Pipe()
				p.room <- struct{}{}
				start := time.Now()
				go p.talk(p.enter(pipe{server, client, tt.end}))
				var sender sync.WaitGroup
				sender.Go(func() {
					for _, s := range tt.steps {
						time.Sleep(s.wait)
						if _, err := io.WriteString(client, s.send); err != nil {
							return // pen does not listen any more
						}
					}
				})
				got, _ := io.ReadAll(client) // a pipe has no half-close: the end is the end
				if string(got) != tt.want {
					t.Errorf("got the reply %.80q, want %.80q", got, tt.want)
				}
				if took := time.Since(start).Round(time.Millisecond); took != tt.took {
					t.Errorf("got the reply after %v, want %v", took, tt.took)
				}
				client.Close()
				sender.Wait()
			})
		})
	}
}

func repeat[T any](v T, n int) []T {
	var all []T
	for range n {
		all = append(all, v)
	}
	return all
}

// pipe is the server's end of a net.Pipe whose client may have closed its side after what it sent.
type pipe struct {
	net.Conn
	client net.Conn
	ended  bool
}

// Read gives EOF where a client that keeps quiet has closed its side.
func (p pipe) Read(b []byte) (int, error) {
	if !p.ended {
		return p.Conn.Read(b)
	}
	p.Conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
	n, err := p.Conn.Read(b)
	if n == 0 && err != nil {
		err = io.EOF
	}
	return n, err
}

// serving serves control connections on a TCP port until the end of the test.
func serving(t *testing.T) (p *penctl, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = newPenctl()
	done := make(chan struct{})
	go func() {
		p.serve(ln)
		close(done)
	}()
	t.Cleanup(func() {
		ln.Close()
		p.close()
		<-done
	})
	return p, ln.Addr().String()
}

// ask sends a command as penctl does and returns the reply.
func ask(t testing.TB, network, addr, line string) string {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, line); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return string(reply)
}

func TestSilentClientsDoNotKeepOthersOut(t *testing.T) {
	p, addr := serving(t)
	echo(p)
	for range 3 * maxClients {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if got, want := ask(t, "tcp", addr, "mode\n"), "did mode\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClientsThatDoNotReadDoNotKeepOthersOut(t *testing.T) {
	p, addr := serving(t)
	reply := bytes.Repeat([]byte("x"), 16<<20) // more than the system buffers
	go func() {
		for {
			select {
			case call := <-p.calls:
				if call.line == "recent" {
					call.reply <- reply
				} else {
					call.reply <- []byte(call.line)
				}
			case <-p.ended:
				return
			}
		}
	}()
	for range maxClients {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintln(conn, "recent")
	}
	if got, want := ask(t, "tcp", addr, "mode\n"), "mode"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := len(ask(t, "tcp", addr, "recent\n")), len(reply); got != want {
		t.Errorf("got %d bytes of a long reply, want %d", got, want)
	}
}

func TestHammering(t *testing.T) {
	p, addr := serving(t)
	executed := echo(p)
	const workers, each = 50, 200
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				line := fmt.Sprintf("command %d %d", w, i)
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintln(conn, line)
				reply, err := io.ReadAll(conn)
				conn.Close()
				if got, want := string(reply), "did "+line+"\n"; got != want || err != nil {
					t.Errorf("got %q and %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(executed()), workers*each; got != want {
		t.Errorf("got %d commands executed, want %d", got, want)
	}
}

func TestWhatFollowsTheLineDoesNotCostTheReply(t *testing.T) {
	p, addr := serving(t)
	echo(p)
	got := ask(t, "tcp", addr, "mode\n"+strings.Repeat("y", lingerMax/2))
	if want := "did mode\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeniedIsClosedWithoutReply(t *testing.T) {
	p, addr := serving(t)
	executed := echo(p)
	asked := make(chan netip.Addr, 1)
	p.setAdmit(func(a netip.Addr) bool {
		asked <- a
		return false
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if reply, _ := io.ReadAll(conn); len(reply) != 0 {
		t.Errorf("got the reply %q, want none", reply)
	}
	if got, want := <-asked, netip.MustParseAddr("127.0.0.1"); got != want {
		t.Errorf("got %v looked up in the list, want %v", got, want)
	}
	if got := executed(); len(got) != 0 {
		t.Errorf("got %q executed, want nothing", got)
	}
}

func TestCloseDeliversReplies(t *testing.T) {
	p := newPenctl()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go p.serve(ln)
	silent, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	replies := make(chan string)
	go func() { replies <- ask(t, "tcp", ln.Addr().String(), "exit\n") }()
	call := <-p.calls
	ln.Close()
	closed := make(chan struct{})
	go func() {
		p.close()
		close(closed)
	}()
	<-p.ended
	call.reply <- []byte("bye\n")
	if got, want := <-replies, "bye\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	<-closed
	if reply, err := io.ReadAll(silent); len(reply) != 0 {
		t.Errorf("got %q, %v for a client that said nothing, want nothing", reply, err)
	}
}

// patient is a net.Pipe without deadlines: with them it has no end of the stream, but an error.
type patient struct{ net.Conn }

func (patient) SetReadDeadline(time.Time) error { return nil }

// However a command is cut into segments, it is the text up to the first line end.
func FuzzReadCommand(f *testing.F) {
	f.Add([]byte("mode\n"), 2)
	f.Add([]byte("\r\n"), 0)
	f.Add([]byte("server 0 weight 5\r\nservers\n"), 18)
	f.Add([]byte("no line end"), 1)
	f.Fuzz(func(t *testing.T, sent []byte, at int) {
		at = min(max(at, 0), len(sent))
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			client.Write(sent[:at]) // readCommand may leave before the end
			client.Write(sent[at:])
			client.Close()
		}()
		want, end := sent, errSilent
		if i := bytes.IndexAny(sent, "\r\n"); i >= 0 {
			want, end = sent[:i], nil
		} else if len(sent) > 0 {
			end = nil
		}
		if len(want) > conf.MaxLine {
			want, end = nil, errTooLong
		}
		if got, err := readCommand(patient{server}); got != string(want) || err != end {
			t.Errorf("got %.80q and the error %v, want %.80q and %v", got, err, want, end)
		}
	})
}
