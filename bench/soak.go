//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A soak answers whether the figures hold after hours of load, and whether anything grows. One pen serves all of its tests
// at once, each by a service of its own. Under --soak D their loads go on in turn for that time; after each
// turn, when all is quiet, descriptors and memory are looked at. Then come the rounds, as everywhere, in which this pen
// and a fresh one are measured side by side, so that the drift of the machine is not taken for the age of pen.

const (
	soakedPen = "pen-soaked"
	freshPen  = "pen-fresh"

	soakPrefix = "soak-"
	quietTime  = time.Second // after a load, before memory and descriptors are looked at
)

var soakVariants = []Peer{
	{Name: soakedPen, Help: "the pen of a --soak"}, // launched by startSoak
	{Name: freshPen, Help: "the same, just started", Launch: launchPen},
}

// soakTests are the usual tests with a soaked pen.
var soakTests = func() []Test {
	var list []Test
	for _, name := range []string{"keepalive-64", "keepalive-512", "connect-64", "reply-64K", "reply-1M", "stream-4"} {
		t := plainTests[slices.IndexFunc(plainTests, func(t Test) bool { return t.Name == name })]
		t.Name, t.Help, t.Among = soakPrefix+t.Name, t.Help+", after the time of --soak", []string{soakedPen, freshPen}
		list = append(list, t)
	}
	return list
}()

// soaked returns the names of the tests that are these with a soaked pen.
func soaked(names ...string) []string {
	list := slices.Clone(names)
	for i := range list {
		list[i] = soakPrefix + list[i]
	}
	return list
}

// isSoak tells if a test needs a pen that has been soaked.
func (t Test) isSoak() bool { return strings.HasPrefix(t.Name, soakPrefix) }

// Soak is what a pen held in the course of a soak, at rest.
type Soak struct {
	Time   time.Duration `json:"time_ns"` // of load
	Points []SoakPoint   `json:"points"`

	Collections Collections `json:"collections"`
}

// SoakPoint is what it held after a turn of all loads.
type SoakPoint struct {
	At          time.Duration `json:"at_ns"`
	Own         int64         `json:"own"` // bytes of memory that are not pages of its files
	Descriptors int           `json:"descriptors"`
	Threads     int           `json:"threads"`
}

// soak is a pen under soak.
type soak struct {
	proxy   *running
	origins map[string]*process // by test
	fronts  map[string]string   // by test: where its service listens
}

// startSoak starts the pen with a service for each of the tests. It is never nil.
func (p *plan) startSoak(ctx context.Context, list []Test) (*soak, error) {
	s := &soak{origins: map[string]*process{}, fronts: map[string]string{}}
	const files = filesPerConn*minConnections + spareFiles
	var first string
	var config strings.Builder
	for i, t := range list {
		origin, server, err := startOrigin(p.layout.Load, files, originRole{Origin: t.Origin})
		if err != nil {
			return s, err
		}
		s.origins[t.Name] = origin
		if i == 0 {
			first = server
			continue
		}
		if s.fronts[t.Name], err = freeAddress(); err != nil {
			return s, err
		}
		host, port, _ := strings.Cut(server, ":")
		fmt.Fprintf(&config, "service s%d\nlisten %s\ntcp_nodelay\nserver 0 address %s port %s\n", i, s.fronts[t.Name], host, port)
	}
	peer := Peer{Name: soakedPen, Launch: func(set Setup) Launch {
		l := launchPen(set)
		l.Args = append(l.Args, "-F", set.Dir+"/pen.conf")
		l.Files = map[string]string{"pen.conf": config.String()}
		return l
	}}
	program, err := filepath.Abs(p.Pen)
	if err != nil {
		return s, err
	}
	s.proxy, err = start(ctx, p.layout.Proxy, files, peer, Setup{Program: program, Origin: first, Connections: minConnections, Commands: p.Commands})
	s.fronts[list[0].Name] = s.proxy.address
	return s, err
}

func (s *soak) stop() {
	if s == nil {
		return
	}
	if s.proxy != nil {
		s.proxy.stop()
	}
	for _, origin := range s.origins {
		origin.stop()
	}
}

// sample measures the soaked pen once.
func (s *soak) sample(ctx context.Context, p *plan, t Test) (Result, error) {
	if s == nil {
		return Result{}, fmt.Errorf("%s: there was no --soak", t.Name)
	}
	s.proxy.collections()
	result, err := runLoad(ctx, p.layout.Load, filesPerConn*minConnections+spareFiles, loadRole{Client: t.Client, Origin: t.Origin,
		Address: s.fronts[t.Name], Warmup: p.Warmup, Duration: p.Duration, ProxyPID: s.proxy.pid(), OrigPID: s.origins[t.Name].pid()})
	result.Collections = s.proxy.collections()
	if why := s.proxy.why(); why != "" {
		err = fmt.Errorf("ended under load: %s", why)
	}
	return result, err
}

// soakFirst starts and loads the pen that the chosen tests need, if they do.
func (p *plan) soakFirst(ctx context.Context, report *Report, w io.Writer) error {
	list := slices.DeleteFunc(slices.Clone(p.tests), func(t Test) bool { return !t.isSoak() })
	if len(list) == 0 {
		return nil
	}
	var err error
	if p.soak, err = p.startSoak(ctx, list); err != nil {
		return err
	}
	report.Soak, err = p.soakFor(ctx, list, w)
	return err
}

// soakFor loads the pen for the time of the option. Its own measuring is of no interest; failures are.
func (p *plan) soakFor(ctx context.Context, list []Test, w io.Writer) (*Soak, error) {
	report := &Soak{Time: p.Soak}
	begin := time.Now()
	for turn := 1; time.Since(begin) < p.Soak || turn == 1; turn++ {
		for _, t := range list {
			result, err := p.soak.sample(ctx, p, t)
			if err == nil && result.Failures > 0 {
				err = fmt.Errorf("%d connections failed: %s", result.Failures, result.Failure)
			}
			if err != nil {
				return report, fmt.Errorf("soak: %s after %v: %w", t.Name, time.Since(begin).Round(time.Second), err)
			}
			report.Collections.add(result.Collections)
		}
		time.Sleep(quietTime)
		point, err := pointOf(p.soak.proxy.pid())
		if err != nil {
			return report, err
		}
		point.At = time.Since(begin)
		report.Points = append(report.Points, point)
		fmt.Fprintf(w, "    soak  %v of %v: %s KB of its own, %d descriptors, %d threads\n", point.At.Round(time.Second), p.Soak,
			figure(float64(point.Own)/kilo), point.Descriptors, point.Threads)
	}
	return report, nil
}

func (c *Collections) add(more Collections) {
	c.Count += more.Count
	c.Total += more.Total
	c.Longest = max(c.Longest, more.Longest)
}

// pointOf looks at a process.
func pointOf(pid int) (SoakPoint, error) {
	held, err := memoryOf([]int{pid})
	if err != nil {
		return SoakPoint{}, err
	}
	point := SoakPoint{Own: held.own}
	for _, list := range []struct {
		name string
		to   *int
	}{{"fd", &point.Descriptors}, {"task", &point.Threads}} {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, list.name))
		if err != nil {
			return point, err
		}
		*list.to = len(entries)
	}
	return point, nil
}

// growth compares the last quarter of a soak with the second: in the first one buffers and pools find their sizes.
func (s *Soak) growth() (from, to SoakPoint) {
	quarter := len(s.Points) / 4
	middle := func(points []SoakPoint) (m SoakPoint) {
		var own, descriptors, threads []float64
		for _, p := range points {
			own = append(own, float64(p.Own))
			descriptors = append(descriptors, float64(p.Descriptors))
			threads = append(threads, float64(p.Threads))
		}
		return SoakPoint{Own: int64(median(own)), Descriptors: int(median(descriptors)), Threads: int(median(threads))}
	}
	if quarter == 0 {
		return s.Points[0], s.Points[len(s.Points)-1]
	}
	return middle(s.Points[quarter : 2*quarter]), middle(s.Points[len(s.Points)-quarter:])
}

// What may grow in the course of a soak: memory by what measuring it varies, descriptors not at all.
const (
	memoryGrowth     = 1.05
	descriptorGrowth = 1
)

// judge is about the growth.
func (s *Soak) judge() []Verdict {
	if s == nil || len(s.Points) < 2 {
		return nil
	}
	from, to := s.growth()
	var all []Verdict
	for _, v := range []struct {
		what            string
		from, to, limit float64
	}{
		{"memory", float64(from.Own), float64(to.Own), memoryGrowth},
		{"descriptors", float64(from.Descriptors), float64(to.Descriptors), descriptorGrowth},
	} {
		q := v.to / v.from
		all = append(all, Verdict{Number: "7 soak", Says: v.what + " at rest in the last quarter, in the second", Test: "soak",
			Against: s.Time.String(), Got: Ratio{q, q, q}, Limit: v.limit, Met: q <= v.limit})
	}
	return all
}

func (s *Soak) print(w io.Writer) {
	if s == nil || len(s.Points) == 0 {
		return
	}
	from, to := s.growth()
	fmt.Fprintf(w, "\nsoak: %v of load in %d turns. At rest, in the second quarter and in the last: memory of its own %s and %s KB, descriptors %d and %d, threads %d and %d\n",
		s.Time, len(s.Points), figure(float64(from.Own)/kilo), figure(float64(to.Own)/kilo), from.Descriptors, to.Descriptors, from.Threads, to.Threads)
	fmt.Fprintf(w, "  garbage collections: %d, the longest standstill %v\n", s.Collections.Count, s.Collections.Longest)
}
