// Command demo shows pen at work on one machine, for the README: three small web servers, pen in front of them, a few
// hundred requests, the death of a server that no client notices. It brings along everything but pen itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	requests     = 300 // in each of the two rounds
	clients      = 12  // addresses that they come from
	startTimeout = 10 * time.Second
)

func main() {
	bin := flag.String("bin", "bin", "`directory` of pen and penctl")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	stay, err := lifetime(os.Getenv("DEMO_SECONDS"))
	if err == nil {
		err = run(ctx, *bin, stay, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// lifetime says how long the demo stays after its show: for ever (0), unless seconds tells.
func lifetime(seconds string) (time.Duration, error) {
	if seconds == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(seconds, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("DEMO_SECONDS=%s: want a number above 0", seconds)
	}
	return time.Duration(n * float64(time.Second)), nil
}

// run is the show. It fails if a request did.
func run(ctx context.Context, bin string, stay time.Duration, out io.Writer) error {
	dir, err := os.MkdirTemp("", "pen-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := startServers("alpha", "beta", "gamma")
	defer closeServers(servers)
	if err != nil {
		return err
	}
	pen, err := startPen(ctx, bin, filepath.Join(dir, "control"), servers)
	if err != nil {
		return err
	}
	defer pen.stop()
	fmt.Fprintf(out, "pen listens on %s in front of three servers:\n", pen.addr)
	for _, s := range servers {
		fmt.Fprintf(out, "  %-6s %s\n", s.name, s.addr)
	}
	if err := act(out, bin, pen, servers); err != nil {
		return err
	}
	return remain(ctx, out, bin, pen, stay)
}

// act sends the two rounds of requests and shows where they went.
func act(out io.Writer, bin string, pen *balancer, servers []*server) error {
	fmt.Fprintf(out, "\n%d requests of %d clients: a client stays with its server.\n", requests, clients)
	first := send(pen.addr, requests, func(int) {})
	show(out, first, servers)

	victim := servers[1]
	fmt.Fprintf(out, "\n%d more. In the middle of them, %s is killed; its clients are moved.\n", requests, victim.name)
	second := send(pen.addr, requests, func(i int) {
		if i == requests/2 {
			victim.close()
		}
	})
	show(out, second, servers)
	if errs := append(first.errs, second.errs...); len(errs) > 0 {
		return fmt.Errorf("%d requests failed, the first one: %w", len(errs), errs[0])
	}
	fmt.Fprintf(out, "\n%d requests, 0 failures: nobody noticed.\n", 2*requests)

	view, err := exec.Command(filepath.Join(bin, "penctl"), pen.control, "servers").CombinedOutput()
	fmt.Fprintf(out, "\nWhat pen says (penctl %s servers):\n%s", pen.control, view)
	if err != nil {
		return fmt.Errorf("penctl: %w", err)
	}
	figures, err := pen.figures("pen_service_connections_total", "pen_service_failovers_total", "pen_service_unserved_total",
		"pen_server_connections_total", "pen_server_blacklisted")
	fmt.Fprintf(out, "\nWhat Prometheus would read (some of http://%s/metrics):\n%s", pen.metrics, figures)
	return err
}

// show prints a table of the clients and the servers that answered them.
func show(out io.Writer, t *traffic, servers []*server) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"client"}
	for _, s := range servers {
		head = append(head, s.name)
	}
	fmt.Fprintln(w, strings.Join(head, "\t")+"\t")
	for _, client := range slices.SortedFunc(maps.Keys(t.answers), byLastByte) {
		row := []string{client}
		for _, s := range servers {
			cell := "."
			if n := t.answers[client][s.name]; n > 0 {
				cell = strconv.Itoa(n)
			}
			row = append(row, cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	w.Flush()
}

// byLastByte sorts the addresses of the demo's clients, which differ in the last byte.
func byLastByte(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// remain leaves everything running and says what to do with it.
func remain(ctx context.Context, out io.Writer, bin string, pen *balancer, stay time.Duration) error {
	ctl := filepath.Join(bin, "penctl") + " " + pen.control
	fmt.Fprintf(out, "\nTry, from another terminal:\n  curl http://%s/\n  %s servers\n  %s recent 60\n  %s top\nand in a browser: http://%s/\n",
		pen.addr, ctl, ctl, ctl, pen.metrics)
	if stay > 0 {
		fmt.Fprintf(out, "\nThis ends in %v.\n", stay)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stay)
		defer cancel()
	} else {
		fmt.Fprintln(out, "\nCtrl-C ends it.")
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-pen.ended:
		if ctx.Err() != nil { // Ctrl-C reaches pen as well
			return nil
		}
		return fmt.Errorf("pen ended: %w", err)
	}
}
