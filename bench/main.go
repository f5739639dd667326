//go:build linux

// Bench measures the built pen side by side with other proxies: the C pen, HAProxy, nginx and one built on netpoll.
//
// It is a black box: it starts the programs, never imports them. [tests] is the table of what is measured,
// [peers] the table of who is measured; a new test or peer is a new row. Every sample starts a fresh origin,
// a fresh proxy and a fresh load client, each a process of its own pinned to its cores, so that nothing is left
// from the sample before. Rounds are interleaved over the peers, because the machine drifts: compare the paired
// ratios, not the absolute figures.
//
// Bench sets nothing outside of its own processes, listens on the loopback interface only and ends only what it
// started, by process id.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/pflag"
)

func main() {
	if part, err := playPart(os.Args[1:]); part {
		exit(err)
	}
	// Children die with the thread that started them (PR_SET_PDEATHSIG), so that must be one that stays.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(bench(ctx, os.Args[1:]))
}

// errUsage marks a wrong command line.
var errUsage = errors.New("try bench --help")

// exit ends the program: 0 success, 1 failure at work, 2 wrong command line.
func exit(err error) {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		os.Exit(0)
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report measures, or reads what was measured.
func (o Options) report(ctx context.Context) (*Report, error) {
	if len(o.From) > 0 {
		return readReports(o.From)
	}
	runs, err := o.plan(os.Stderr)
	if err != nil {
		return nil, err
	}
	return runs.measure(ctx, os.Stderr)
}

// bench is the program as people call it.
func bench(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.List {
		list(os.Stdout)
		return nil
	}
	report, err := o.report(ctx)
	if err != nil && (report == nil || len(report.Samples) == 0) {
		return err
	}
	report.print(os.Stdout)
	if o.Out != "" {
		err = errors.Join(err, report.save(o.Out))
	}
	return errors.Join(err, report.failure())
}
