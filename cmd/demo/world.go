package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// server is one of the web servers behind pen. It answers with its name.
type server struct {
	name string
	addr string
	http http.Server
}

func startServers(names ...string) ([]*server, error) {
	var all []*server
	for _, name := range names {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return all, err
		}
		s := &server{name: name, addr: ln.Addr().String()}
		s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) })
		go s.http.Serve(ln)
		all = append(all, s)
	}
	return all, nil
}

func closeServers(all []*server) {
	for _, s := range all {
		s.close()
	}
}

// close is the death of the server: port and connections are gone.
func (s *server) close() { s.http.Close() }

// balancer is the pen that runs.
type balancer struct {
	addr    string
	control string
	metrics string // address of the status page and the metrics
	cmd     *exec.Cmd
	ended   chan error // gets the result of cmd.Wait, once
}

// startPen starts pen and waits until it answers on its control socket: a connection to the port itself would count as
// the first client.
func startPen(ctx context.Context, bin, control string, servers []*server) (*balancer, error) {
	addr, err := freeAddr("127.0.0.1:8080")
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddr("127.0.0.1:9180")
	if err != nil {
		return nil, err
	}
	args := []string{"-f", "-C", control, "--metrics", metrics}
	if os.Geteuid() == 0 { // pen opens no control socket as root
		args = append(args, "-u", "nobody")
	}
	if !manyAddresses() {
		args = append(args, "-r") // all clients are one, which would stay with its server
	}
	args = append(args, addr)
	for _, s := range servers {
		args = append(args, s.addr)
	}
	p := &balancer{addr: addr, control: control, metrics: metrics, ended: make(chan error, 1)}
	p.cmd = exec.Command(filepath.Join(bin, "pen"), args...)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (make build makes it)", err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, p.await(ctx)
}

// await waits until pen answers.
func (p *balancer) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if p.answers() {
			return nil
		}
		select {
		case err := <-p.ended:
			return fmt.Errorf("pen ended at once: %v", err)
		case <-ctx.Done():
			p.stop()
			return fmt.Errorf("pen does not answer: %w", ctx.Err())
		case <-again.C:
		}
	}
}

func (p *balancer) answers() bool {
	c, err := net.Dial("unix", p.control)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintln(c, "pid")
	reply, err := io.ReadAll(c)
	return err == nil && len(reply) > 0
}

// figures returns the lines of the metrics with these names.
func (p *balancer) figures(names ...string) (string, error) {
	c := http.Client{Timeout: startTimeout}
	resp, err := c.Get("http://" + p.metrics + "/metrics")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(string(body)) {
		if name, _, _ := strings.Cut(line, "{"); slices.Contains(names, name) {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// stop ends pen and waits for its end.
func (p *balancer) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(startTimeout):
		p.cmd.Process.Kill()
	}
}

// freeAddr returns an address for pen to listen on: the wanted one if it is free.
func freeAddr(wanted string) (string, error) {
	ln, err := net.Listen("tcp", wanted)
	if err != nil {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// manyAddresses reports whether clients can come from other addresses than 127.0.0.1, as they can on Linux.
func manyAddresses() bool {
	ln, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

// traffic is what became of some requests.
type traffic struct {
	answers map[string]map[string]int // client address, name of the server
	errs    []error
}

// send makes n requests, each on a connection of its own, in turn from every client. It calls before ahead of each.
func send(addr string, n int, before func(i int)) *traffic {
	t := &traffic{answers: make(map[string]map[string]int)}
	many := manyAddresses()
	for i := range n {
		before(i)
		from := "127.0.0.1"
		if many {
			from = fmt.Sprintf("127.0.0.%d", 2+i%clients)
		}
		name, err := request(addr, from)
		if err != nil {
			t.errs = append(t.errs, err)
			continue
		}
		if t.answers[from] == nil {
			t.answers[from] = make(map[string]int)
		}
		t.answers[from][name]++
	}
	return t
}

// request returns the name of the server that answers.
func request(addr, from string) (string, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}
	c := http.Client{Transport: transport, Timeout: startTimeout}
	resp, err := c.Get("http://" + addr + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(bytes.TrimSpace(body)), err
}
