package main

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
)

const theirs = "/usr/bin/penlogd"

// startTheirs runs the C penlogd, unbuffered, if there is one.
func startTheirs(t testing.TB, options ...string) *penlogd {
	t.Helper()
	out, err := exec.Command(theirs).Output()
	if err != nil || !strings.Contains(string(out), "Testing Only") {
		t.Skipf("%s is not the C program: %v", theirs, err)
	}
	probe, err := net.ListenPacket("udp", "127.0.0.1:0") // it can't choose a port itself
	if err != nil {
		t.Fatal(err)
	}
	port := probe.LocalAddr().(*net.UDPAddr).Port
	probe.Close()
	p := launch(t, theirs, append(options, "-fdb", "-l", "/dev/stdout", fmt.Sprint(port))...)
	p.diagnostic("Enter main loop")
	p.dial(fmt.Sprint("127.0.0.1:", port))
	return p
}

func TestSameAsC(t *testing.T) {
	p := startTheirs(t)
	var want strings.Builder
	for _, d := range dialogue {
		p.send(d.in)
		want.WriteString(d.want)
	}
	p.send("9 \"last one\"\n")
	want.WriteString("9 \"last one\"\n")
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(p.stdout, got); err != nil || string(got) != want.String() {
		t.Errorf("the C program: got\n%s, %v, and we claim it is\n%s", got, err, &want)
	}
}

// BenchmarkLines sends lines of pen and of web servers in turn, a few at a time, and waits for the merged ones. The
// requests are all different and the one asked for is nearly the oldest, which a search entry by entry finds last.
func BenchmarkLines(b *testing.B) {
	programs := map[string]func(testing.TB, ...string) *penlogd{"Go": start, "C": startTheirs}
	for _, entries := range []int{1000, 20_000} {
		for name, program := range programs {
			b.Run(fmt.Sprintf("%s/entries=%d", name, entries), func(b *testing.B) {
				benchmarkLines(b, program(b, "-b", "-n", fmt.Sprint(entries)), entries*9/10)
			})
		}
	}
}

// benchmarkLines asks for the request which pen has sent so many lines ago.
func benchmarkLines(b *testing.B, p *penlogd, ago int) {
	const batch = 20 // pairs in flight
	for i := range ago {
		p.send(fmt.Sprintf("+ 192.0.2.1 127.0.0.1 GET /page/%d.html HTTP/1.1\n", i))
		if i%batch == 0 { // wait, so that the socket's buffer does not overflow
			p.send("9 \"all read?\"\n")
			p.stdout.ReadSlice('\n')
		}
	}
	i := ago
	for b.Loop() {
		for range batch {
			p.send(fmt.Sprintf("+ 192.0.2.1 127.0.0.1 GET /page/%d.html HTTP/1.1\n", i),
				fmt.Sprintf("9 - - \"GET /page/%d.html HTTP/1.1\" 200\n", i-ago))
			i++
		}
		for range batch {
			if _, err := p.stdout.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(i-ago)/b.Elapsed().Seconds(), "lines/s")
}
