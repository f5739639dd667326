//go:build linux

package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// page writes the report for people, in Markdown: where we stand, the plots, all tables.
func (r *Report) page(w io.Writer, plots []string) {
	fmt.Fprintf(w, "# pen beside its peers, %s\n\nWritten by `bench`; what the figures mean is in `bench/README.md`.\n\n", r.Started.Format("2006-01-02"))
	r.pageMachine(w)
	r.pageTargets(w)
	for _, name := range plots {
		name = filepath.Base(name)
		fmt.Fprintf(w, "![%s](%s)\n\n", strings.TrimSuffix(name, ".svg"), name)
	}
	r.printUncounted(w)
	fmt.Fprint(w, "## All figures\n\nMedians over the rounds; ratios are paired by rounds: median [least greatest].\n")
	for _, t := range r.plan.tests {
		fenced(w, func() { r.printTest(w, t) })
	}
	if r.Soak != nil {
		fenced(w, func() { r.Soak.print(w) })
	}
	fenced(w, func() { r.printCollections(w) })
}

// fenced keeps the columns of what is printed.
func fenced(w io.Writer, printed func()) {
	fmt.Fprint(w, "\n```")
	printed()
	fmt.Fprintln(w, "```")
}

func (r *Report) pageMachine(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, %.0f GB, Linux %s, congestion control %s. Proxy on core %s, load and origin on %s; up to %d rounds of %v.\n\n",
		r.Machine.CPU, r.Machine.Cores, float64(r.Machine.Memory)/giga, r.Machine.Kernel, r.Machine.TCP,
		cores(r.Layout.Proxy), cores(r.Layout.Load), r.Rounds, r.Length)
	fmt.Fprint(w, "| peer | | version |\n|---|---|---|\n")
	for _, p := range r.plan.peers {
		if v := r.Peers[p.Name]; v != "" {
			fmt.Fprintf(w, "| %s | %s | %s |\n", p.Name, p.Help, v)
		}
	}
	fmt.Fprintln(w)
}

func (r *Report) pageTargets(w io.Writer) {
	if len(r.Targets) == 0 {
		return
	}
	fmt.Fprint(w, "## Where we stand\n\n| target | test | pen's figure, divided by | target | got [least greatest] | against | |\n|---|---|---|---|---|---|---|\n")
	for _, v := range r.Targets {
		fmt.Fprintf(w, "| %s | %s | %s | %s | **%s** [%s %s] | %s | %s |\n", v.Number, v.Test, v.Says, v.limit(),
			figure(v.Got.Median), figure(v.Got.Low), figure(v.Got.High), v.Against, v.outcome())
	}
	fmt.Fprintln(w)
}
