//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

// Options are what the command line says.
type Options struct {
	Tests    []string
	Peers    []string
	Rounds   int
	Duration time.Duration // measured time of one sample
	Warmup   time.Duration // load before the measured time
	Patience int           // samples to take again at most when the machine did something else
	Layout   string
	Soak     time.Duration // load before the tests of a soaked pen; 0 = leave these tests out
	From     []string      // report on these JSON files instead of measuring
	Rate     float64       // requests per second of the tests at half load; 0 = find out
	Pen      string        // path of the pen under test
	Commands []string      // for it, on its command line
	Base     string        // path of another pen; empty = none
	Out      string        // JSON file; empty = none
	List     bool
}

const usageText = `usage: bench [options]

Measures the built pen side by side with other proxies, over the loopback interface.
Names may end in * : --tests 'keepalive-*'. A short look at one thing:

  bench --tests keepalive-64 --rounds 3 --duration 1s

options:
`

func parseOptions(args []string) (Options, error) {
	var o Options
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.StringSliceVarP(&o.Tests, "tests", "t", []string{"*"}, "tests to run, by name, in the order of --list")
	f.StringSliceVarP(&o.Peers, "peers", "p", []string{"*"}, "peers to run, by name; pen brings its variants with it")
	f.IntVarP(&o.Rounds, "rounds", "r", 5, "samples of each peer in each test")
	f.DurationVarP(&o.Duration, "duration", "d", 2*time.Second, "measured time of one sample")
	f.DurationVar(&o.Warmup, "warmup", 500*time.Millisecond, "load before the measured time")
	f.IntVar(&o.Patience, "patience", 2, "how often a sample is taken again if something else ran on the machine")
	f.StringVarP(&o.Layout, "layout", "l", "1:0", "cores of the proxy : cores of load and origin, e.g. 1:0 or 2,3:0,1")
	f.Float64Var(&o.Rate, "rate", 0, "requests per second of the tests at a fixed rate; 0 = half of what the slowest reaches")
	f.DurationVar(&o.Soak, "soak", 0, "load one pen for so long, then measure it beside a fresh one (tests soak-*)")
	f.StringSliceVar(&o.From, "from", nil, "measure nothing, report on these JSON files of earlier runs together")
	f.StringVar(&o.Pen, "pen", "bin/pen", "the pen under test")
	f.StringArrayVar(&o.Commands, "command", nil, "a command for the pen under test, as by its -O; may be repeated")
	f.StringVar(&o.Base, "base", "", "another pen to measure beside, to see what a change gives")
	f.StringVarP(&o.Out, "out", "o", "", "write all figures to this JSON file; beside it .txt for benchstat, .md with plots for people")
	f.BoolVar(&o.List, "list", false, "list tests and peers")
	f.Usage = func() { fmt.Print(usageText, f.FlagUsages()) }
	if err := f.Parse(args); err != nil {
		if err == pflag.ErrHelp {
			return o, err
		}
		return o, fmt.Errorf("%w; %w", err, errUsage)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q: no operands expected; %w", f.Arg(0), errUsage)
	}
	return o, o.check()
}

// check refuses numbers that make no sense.
func (o Options) check() error {
	switch {
	case o.Rounds < 1:
		return fmt.Errorf("--rounds %d: at least 1 expected; %w", o.Rounds, errUsage)
	case o.Duration < minDuration:
		return fmt.Errorf("--duration %v: at least %v expected; %w", o.Duration, minDuration, errUsage)
	case o.Patience < 0:
		return fmt.Errorf("--patience %d: not below 0; %w", o.Patience, errUsage)
	case o.Soak < 0:
		return fmt.Errorf("--soak %v: not below 0; %w", o.Soak, errUsage)
	case o.Rate < 0:
		return fmt.Errorf("--rate %v: not below 0; %w", o.Rate, errUsage)
	case o.Warmup < 0:
		return fmt.Errorf("--warmup %v: not below 0; %w", o.Warmup, errUsage)
	}
	return nil
}

const minDuration = 10 * time.Millisecond // below it, starting and stopping the clock shows in the figures

// Layout says which cores do what.
type Layout struct {
	Proxy []int `json:"proxy"`
	Load  []int `json:"load"` // origin and load client
}

// parseLayout reads PROXY:LOAD, both lists of core numbers.
func parseLayout(s string, cores int) (Layout, error) {
	bad := func(why string) (Layout, error) {
		return Layout{}, fmt.Errorf("--layout %q: %s, expected PROXY:LOAD, e.g. 1:0 or 2,3:0,1; %w", s, why, errUsage)
	}
	proxy, load, ok := strings.Cut(s, ":")
	if !ok {
		return bad("no colon")
	}
	var l Layout
	for _, side := range []struct {
		text string
		to   *[]int
	}{{proxy, &l.Proxy}, {load, &l.Load}} {
		for word := range strings.SplitSeq(side.text, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n >= cores {
				return bad(fmt.Sprintf("core %q is not one of 0..%d", word, cores-1))
			}
			*side.to = append(*side.to, n)
		}
	}
	return l, nil
}

func (l Layout) String() string { return cores(l.Proxy) + ":" + cores(l.Load) }

// cores writes core numbers the way parseLayout reads them.
func cores(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// choose returns the rows whose name one of the patterns matches, in the order of the table.
func choose[T any](rows []T, name func(T) string, patterns []string, what string) ([]T, error) {
	for _, p := range patterns {
		if !slices.ContainsFunc(rows, func(row T) bool { return matches(p, name(row)) }) {
			return nil, fmt.Errorf("no %s is called %q, see --list; %w", what, p, errUsage)
		}
	}
	var chosen []T
	for _, row := range rows {
		if slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name(row)) }) {
			chosen = append(chosen, row)
		}
	}
	return chosen, nil
}

// withVariants adds the variants of pen if pen is among the chosen peers, so that nobody has to name them.
func withVariants(chosen []Peer) []Peer {
	has := func(name string) bool {
		return slices.ContainsFunc(chosen, func(p Peer) bool { return p.Name == name })
	}
	if !has(ours) {
		return chosen
	}
	list := slices.Clone(chosen)
	for _, peer := range peers {
		if peer.Variant && !has(peer.Name) {
			list = append(list, peer)
		}
	}
	return list
}

// matches tells if name is the pattern, or begins with it when it ends in *.
func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// list shows the two tables.
func list(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tests:")
	for _, test := range tests {
		fmt.Fprintf(t, "  %s\t%s\n", test.Name, test.Help)
	}
	fmt.Fprintln(t, "peers:")
	for _, peer := range peers {
		fmt.Fprintf(t, "  %s\t%s\n", peer.Name, peer.Help)
	}
	t.Flush()
}
