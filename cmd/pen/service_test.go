package main_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// manager is what a service manager that speaks sd_notify(3) hears from the pens of a script.
type manager struct {
	conn  *net.UnixConn
	mu    sync.Mutex
	heard []string // messages that no told has taken yet
}

// supervise [WATCHDOG] makes a service manager of the script: the programs that pen and exec start from now on tell it how
// they are, those that pen starts every WATCHDOG at least.
func supervise(sc *scenario, args []string) (string, error) {
	path := filepath.Join(sc.ts.Getenv("WORK"), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return "", err
	}
	if err := os.Chmod(path, 0o777); err != nil {
		return "", err
	}
	m := &manager{conn: conn}
	go m.listen()
	sc.manager = m
	sc.ts.Setenv("NOTIFY_SOCKET", path)
	sc.environ = []string{"NOTIFY_SOCKET=" + path}
	for _, limit := range args {
		d, err := time.ParseDuration(limit)
		if err != nil {
			return "", err
		}
		sc.environ = append(sc.environ, fmt.Sprintf("WATCHDOG_USEC=%d", d.Microseconds()))
	}
	return "", nil
}

// listen takes messages until the socket is closed.
func (m *manager) listen() {
	buf := make([]byte, 1<<16)
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			return
		}
		m.mu.Lock()
		m.heard = append(m.heard, string(buf[:n]))
		m.mu.Unlock()
	}
}

// told REGEXP waits until a program tells the service manager this, in a message that no told has seen before, and
// prints the message.
func told(sc *scenario, args []string) (string, error) {
	m := sc.manager
	if m == nil {
		return "", errors.New("nobody listens; say supervise first")
	}
	re, err := regexp.Compile("(?m)" + strings.Join(args, " "))
	if err != nil {
		return "", err
	}
	var message string
	ok := poll(func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, text := range m.heard {
			if re.MatchString(text) {
				message, m.heard = text, m.heard[i+1:]
				return true
			}
		}
		return false
	})
	if !ok {
		return "", fmt.Errorf("nobody said %q but: %q", re, m.heard)
	}
	return message + "\n", nil
}
