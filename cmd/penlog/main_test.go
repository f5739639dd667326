package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pen/cmd/version"
)

// penlogd is a socket that takes datagrams.
func penlogd(t *testing.T, address string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.UDPConn)
}

// receive returns the next n datagrams and the address that the last one came from.
func receive(t *testing.T, conn *net.UDPConn, n int) (datagrams []string, from net.IP) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for range n {
		size, source, err := conn.ReadFromUDP(buf)
		if err != nil {
			t.Fatalf("after %q: %v", datagrams, err)
		}
		datagrams, from = append(datagrams, string(buf[:size])), source.IP
	}
	return datagrams, from
}

func operands(conn *net.UDPConn) (host, port string) {
	addr := conn.LocalAddr().(*net.UDPAddr)
	return addr.IP.String(), fmt.Sprint(addr.Port)
}

func TestSend(t *testing.T) {
	long := strings.Repeat("z", 5000) + "\n"
	tests := []struct {
		name, in string
		want     []string
	}{
		{"lines", "a\nb b\n\nc\n", []string{"a\n", "b b\n", "\n", "c\n"}},
		{"no newline at the end", "a\nlast", []string{"a\n", "last"}},
		{"CRLF", "a\r\n", []string{"a\r\n"}},
		{"any bytes", "nul\x00 \xff\n", []string{"nul\x00 \xff\n"}},
		{"longer than the C penlog's buffer", long, []string{long}},
		{"longer than a datagram", strings.Repeat("y", 200_000) + "\nnext\n", []string{strings.Repeat("y", datagramMax-1) + "\n", "next\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := penlogd(t, "127.0.0.1:0")
			host, port := operands(conn)
			var stdout, stderr bytes.Buffer
			if status := run([]string{"penlog", host, port}, strings.NewReader(tt.in), &stdout, &stderr); status != 0 {
				t.Fatalf("got status %d, %q", status, &stderr)
			}
			if got, _ := receive(t, conn, len(tt.want)); !slices.Equal(got, tt.want) {
				t.Errorf("got %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

func TestLineIsSentAtOnce(t *testing.T) {
	conn := penlogd(t, "127.0.0.1:0")
	host, port := operands(conn)
	r, w := io.Pipe()
	done := make(chan int)
	go func() { done <- run([]string{"penlog", host, port}, r, io.Discard, io.Discard) }()
	for _, line := range []string{"first\n", "second\n"} {
		io.WriteString(w, line)
		if got, _ := receive(t, conn, 1); got[0] != line { // while the input is still open
			t.Errorf("got %q, want %q", got[0], line)
		}
	}
	w.Close()
	if status := <-done; status != 0 {
		t.Errorf("got status %d, want 0", status)
	}
}

func TestAddresses(t *testing.T) {
	v4 := penlogd(t, "127.0.0.1:0")
	_, port := operands(v4)
	if status := run([]string{"penlog", "127.0.0.1:" + port}, strings.NewReader("a\n"), io.Discard, io.Discard); status != 0 {
		t.Errorf("host:port: got status %d, want 0", status)
	}
	receive(t, v4, 1)
	run([]string{"penlog", "127.0.0.1", port, "127.0.0.1"}, strings.NewReader("a\n"), io.Discard, io.Discard)
	if _, from := receive(t, v4, 1); from.String() != "127.0.0.1" {
		t.Errorf("my_ip: got datagram from %v, want 127.0.0.1", from)
	}
	v6 := penlogd(t, "[::1]:0")
	_, port = operands(v6)
	run([]string{"penlog", "::1", port, "::1"}, strings.NewReader("a\n"), io.Discard, io.Discard)
	if _, from := receive(t, v6, 1); from.String() != "::1" {
		t.Errorf("IPv6: got datagram from %v, want ::1", from)
	}
}

func TestPenlogdMayBeAway(t *testing.T) {
	gone := penlogd(t, "127.0.0.1:0")
	host, port := operands(gone)
	gone.Close()
	var stderr bytes.Buffer
	if status := run([]string{"penlog", host, port}, strings.NewReader(strings.Repeat("a\n", 100)), io.Discard, &stderr); status != 0 {
		t.Errorf("got status %d, %q, want 0", status, &stderr)
	}
}

func TestOptionsAndErrors(t *testing.T) {
	help := fmt.Sprintf(usage, "/bin/penlog")
	tests := []struct {
		name   string
		args   []string
		stdin  io.Reader
		status int
		stdout string
		stderr string // what it must contain
	}{
		{"no operands", nil, nil, 1, "", help},
		{"one", []string{"127.0.0.1"}, nil, 1, "", help},
		{"four", []string{"127.0.0.1", "1", "2", "3"}, nil, 1, "", help},
		{"unknown option", []string{"-q"}, nil, 1, "", "'q'"},
		{"help", []string{"-h"}, nil, 0, help, ""},
		{"version", []string{"--version"}, nil, 0, version.Line("penlog"), ""},
		{"bad port", []string{"127.0.0.1", "x1"}, nil, 1, "", "penlog: send to 127.0.0.1:x1: "},
		{"bad source", []string{"127.0.0.1", "1", "300.1.2.3"}, nil, 1, "", "penlog: source address 300.1.2.3: "},
		{"foreign source", []string{"127.0.0.1", "9", "192.0.2.1"}, nil, 1, "", "penlog: send to 127.0.0.1:9: "},
		{"input breaks", []string{"127.0.0.1", "9"}, iotest.ErrReader(errors.New("broken")), 1, "", "penlog: read standard input: broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(append([]string{"/bin/penlog"}, tt.args...), tt.stdin, &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("got %d, stdout %q, stderr %q, want %d, %q, a text with %q", status, &stdout, &stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}

// TestSameAsC compares the datagrams with those of the C penlog, if there is one.
func TestSameAsC(t *testing.T) {
	const theirs = "/usr/bin/penlog"
	out, _ := exec.Command(theirs).CombinedOutput()
	if string(out) != "Usage: "+theirs+" server_ip server_port [my_ip]\n" {
		t.Skipf("%s is not the C program: it says %q", theirs, out)
	}
	const in = "a\n\nb  b\r\n" + `9.9.9.9 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.0" 200 5` + "\nlast"
	conn := penlogd(t, "127.0.0.1:0")
	host, port := operands(conn)
	cmd := exec.CommandContext(t.Context(), theirs, host, port)
	cmd.Stdin = strings.NewReader(in)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	n := strings.Count(in, "\n") + 1
	want, _ := receive(t, conn, n)
	run([]string{"penlog", host, port}, strings.NewReader(in), io.Discard, io.Discard)
	if got, _ := receive(t, conn, n); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
