// Command penlog sends each line of a web server's log, read from its input, to penlogd in a datagram of its own. It is
// meant for Apache's piped logs.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/spf13/pflag"

	"pen/cmd/version"
)

const usage = `Usage: %s server_ip server_port [my_ip]

Reads log lines from standard input and sends each of them to penlogd at
server_ip, UDP port server_port, with my_ip as the source address if it is given.
penlogd knows a web server by that address: it must be the one that pen uses.

  -h, --help      print this text
      --version   print the version

Example for Apache's httpd.conf:
  CustomLog "|/usr/bin/penlog lbhost 10000" common
`

// datagramMax is how many bytes fit in a datagram over IPv4: 65535 less the headers of IP and UDP.
const datagramMax = 65507

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run does what the command line args, program name included, says and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("penlog", pflag.ContinueOnError)
	flags.Usage = func() {}
	help := flags.BoolP("help", "h", false, "")
	showVersion := flags.Bool("version", false, "")
	err := flags.Parse(args[1:])
	server, source, ok := addresses(flags.Args())
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "penlog: %v\n"+usage, err, args[0])
		return 1
	case *showVersion:
		io.WriteString(stdout, version.Line("penlog"))
		return 0
	case *help:
		fmt.Fprintf(stdout, usage, args[0])
		return 0
	case !ok:
		fmt.Fprintf(stderr, usage, args[0])
		return 1
	}
	conn, err := dial(server, source)
	if err == nil {
		defer conn.Close()
		err = send(conn, stdin, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "penlog: %v\n", err)
		return 1
	}
	return 0
}

// addresses makes penlogd's address and ours ("" for any) of the operands. The manual page has an example with a single
// host:port, so that is understood too.
func addresses(operands []string) (server, source string, ok bool) {
	switch len(operands) {
	case 1:
		_, port, err := net.SplitHostPort(operands[0])
		return operands[0], "", err == nil && port != ""
	case 2:
		return net.JoinHostPort(operands[0], operands[1]), "", true
	case 3:
		return net.JoinHostPort(operands[0], operands[1]), operands[2], true
	}
	return "", "", false
}

// dial makes a socket whose datagrams go to server and come from source.
func dial(server, source string) (net.Conn, error) {
	var dialer net.Dialer
	if source != "" {
		local, err := net.ResolveUDPAddr("udp", net.JoinHostPort(source, "0"))
		if err != nil {
			return nil, fmt.Errorf("source address %s: %w", source, err)
		}
		dialer.LocalAddr = local
	}
	conn, err := dialer.Dial("udp", server)
	if err != nil {
		return nil, fmt.Errorf("send to %s: %w", server, err)
	}
	return conn, nil
}

// send sends each line of r, its newline included, as soon as it is complete. A line that is longer than a datagram is
// cut. A penlogd that is not there does not stop us, nor the web server in front of us: it is reported when it goes
// and when it is back.
func send(conn net.Conn, r io.Reader, stderr io.Writer) error {
	lines := bufio.NewReaderSize(r, datagramMax)
	lost := 0
	for {
		line, err := readLine(lines)
		if len(line) > 0 {
			switch _, err := conn.Write(line); {
			case err != nil && lost == 0:
				lost++
				fmt.Fprintf(stderr, "penlog: %v (going on)\n", err)
			case err != nil:
				lost++
			case lost > 0:
				fmt.Fprintf(stderr, "penlog: sending to %s again, %d lines were lost at least\n", conn.RemoteAddr(), lost)
				lost = 0
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
	}
}

// readLine returns the next line, cut to what fits in a datagram and ending with a newline also then. The last line of
// the input needs no newline; it comes with io.EOF. The line lives until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	cut := append(bytes.Clone(line[:datagramMax-1]), '\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	return cut, err
}
