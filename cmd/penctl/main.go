// Command penctl sends one command to the control socket of a running pen and prints the reply, or shows live what pen
// does (top.go).
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pen/cmd/version"
)

const usage = `usage: penctl host:port command
       penctl /path/to/socket command
       penctl address top

  -t, --timeout T   give up when pen neither connects nor answers for so long [30s]
  -h, --help        print this text
      --version     print the version

Examples:
  penctl localhost:8888 servers
  penctl [::1]:8888 server 2 blacklist 60
  penctl /run/pen/control mode
  penctl /run/pen/control top     what pen does, live, until q is typed
`

const (
	defaultTimeout = 30 * time.Second
	commandMax     = 1023 // bytes, newline included, that a pen reads at most (all but the last byte of its 1 KiB)
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run does what the command line says and returns the exit status: 0 when there is a reply, whatever it is.
func run(args []string, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("penctl", pflag.ContinueOnError)
	flags.SetInterspersed(false) // what follows the address belongs to the command
	flags.Usage = func() {}
	timeout := flags.DurationP("timeout", "t", defaultTimeout, "")
	help := flags.BoolP("help", "h", false, "")
	showVersion := flags.Bool("version", false, "")
	if err := flags.Parse(args); err != nil {
		fmt.Fprintf(stderr, "penctl: %v (try penctl --help)\n", err)
		return 1
	}
	switch {
	case *showVersion:
		io.WriteString(stdout, version.Line("penctl"))
		return 0
	case *help, flags.NArg() < 2:
		io.WriteString(stdout, usage)
		return 0
	}
	var err error
	if words := flags.Args()[1:]; len(words) == 1 && words[0] == "top" {
		err = top(flags.Arg(0), *timeout, stdout)
	} else {
		err = talk(flags.Arg(0), words, *timeout, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "penctl: %v\n", err)
		return 1
	}
	return 0
}

// talk sends the words of a command to pen at address and copies the reply to w. None of its steps takes longer than timeout.
func talk(address string, words []string, timeout time.Duration, w io.Writer) error {
	command := strings.Join(words, " ") + "\n"
	if len(command) > commandMax {
		return fmt.Errorf("command of %d bytes, at most %d are allowed: Overlong argument list", len(command)-1, commandMax-1)
	}
	if strings.ContainsAny(strings.TrimSuffix(command, "\n"), "\r\n") {
		return errors.New("line break in the command: pen takes one line")
	}
	network, address, err := parseAddress(address)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return fmt.Errorf("error connecting to server: %w", err)
	}
	defer conn.Close()
	limited := patientConn{conn, timeout}
	if _, err := io.WriteString(limited, command); err != nil {
		return fmt.Errorf("send the command: %w", err)
	}
	if _, err := io.Copy(w, struct{ io.Reader }{limited}); err != nil {
		return fmt.Errorf("read the reply: %w", err)
	}
	return nil
}

// parseAddress tells network and address of a control socket: a path, or host and port split at the last colon, so
// that ::1:8888 and [::1]:8888 are the same. An empty host is this machine.
func parseAddress(s string) (network, address string, err error) {
	if strings.Contains(s, "/") {
		return "unix", s, nil
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i == len(s)-1 {
		return "", "", fmt.Errorf("no port given: %q, want HOST:PORT or a path with a slash", s)
	}
	host, port := s[:i], s[i+1:]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

// patientConn is a connection on which each Read and Write may take as long as patience.
type patientConn struct {
	net.Conn
	patience time.Duration
}

func (c patientConn) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(c.patience))
	return c.Conn.Read(p)
}

func (c patientConn) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(c.patience))
	return c.Conn.Write(p)
}
