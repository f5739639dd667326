//go:build linux

package main

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// chart is a row of the table of plots: groups of bars, a group for each test and a bar for each peer; or, if there is one
// test and several metrics, a group for each metric.
type chart struct {
	Name    string // of its file
	Title   string
	Metrics []Metric
	Tests   []string
	Log     bool // scale
}

// charts is the table.
var charts = []chart{
	{"small-cpu", "Small requests: CPU of the proxy, µs per request", []Metric{cpuPerRequest},
		[]string{"keepalive-1", "keepalive-4", "keepalive-16", "keepalive-64", "keepalive-512", "forwarded-64"}, false},
	{"small-rate", "Small requests: replies per second", []Metric{rate},
		[]string{"keepalive-1", "keepalive-4", "keepalive-16", "keepalive-64", "keepalive-512", "forwarded-64"}, false},
	{"calls", "Small requests: system calls of the proxy per request", []Metric{callsPerRequest},
		[]string{"keepalive-1", "keepalive-4", "keepalive-16", "keepalive-64", "keepalive-512", "connect-64"}, true},
	{"latency", "Latency at half load, 64 connections, µs", []Metric{p50, p99, p999}, []string{"paced-64"}, true},
	{"connections", "New connections: CPU of the proxy, µs", []Metric{cpuPerRequest},
		[]string{"connect-64", "tlsresume-ecdsa", "tlsfull-ecdsa", "tlsfull-rsa"}, true},
	{"bulk", "Bulk: GB/s", []Metric{throughput},
		[]string{"reply-16K", "reply-64K", "reply-256K", "reply-1M", "stream-1", "stream-4", "stream-8", "upload-4"}, false},
	{"bulk-cpu", "Bulk: CPU of the proxy, s per GB", []Metric{cpuPerGB},
		[]string{"reply-16K", "reply-64K", "reply-256K", "reply-1M", "stream-1", "stream-4", "stream-8", "upload-4"}, false},
	{"tls-cpu", "Over TLS: CPU of the proxy, µs per request", []Metric{cpuPerRequest}, []string{"tlskeepalive-64", "tlskeepalive-512"}, false},
	{"tls-bulk-cpu", "Over TLS: CPU of the proxy, s per GB", []Metric{cpuPerGB}, []string{"tlsstream-1", "tlsstream-4", "tlsupload-4"}, false},
	{"memory", "Idle connections: KB of memory each", []Metric{growthPerConn}, []string{"idle-9000", "tlsidle-5000", "tlsidle-5000large"}, true},
	{"datagrams", "Datagrams and answers: pairs per second", []Metric{rate}, []string{"datagram-1", "datagram-64", "datagram-512", "flow-64"}, false},
	{"datagrams-cpu", "Datagrams and answers: CPU of the proxy, µs per pair", []Metric{cpuPerRequest},
		[]string{"datagram-1", "datagram-64", "datagram-512", "flow-64"}, false},
}

// colors tell peers apart on all plots alike.
var colors = map[string]color.Color{
	direct: color.Gray{190}, ours: color.RGBA{200, 30, 40, 255}, "penc": color.RGBA{240, 150, 60, 255}, "haproxy": color.RGBA{50, 90, 170, 255},
	basePen: color.RGBA{240, 170, 180, 255}, "haproxy-splice": color.RGBA{130, 170, 220, 255}, "nginx": color.RGBA{40, 140, 80, 255}, "hitch": color.RGBA{140, 90, 160, 255},
	"netpoll": color.RGBA{110, 90, 70, 255},
}

const (
	plotWidth, plotHeight = 24 * vg.Centimeter, 10 * vg.Centimeter

	groupShare  = 0.84 // of the room of a group that its bars take
	legendShare = 0.14 // of the width, to the right
	logFloor    = 0.7  // of the least value, where bars begin on a logarithmic scale
	roomAbove   = 1.08 // of the greatest value

	numberSize = 6 // points, of the values above the bars
)

// bar is one of a chart.
type bar struct {
	group          int
	peer           string
	value, low, up float64
}

// plots draws what there are figures for, into files whose names begin with base, and returns the names.
func (r *Report) plots(base string) ([]string, error) {
	var names []string
	for _, c := range charts {
		bars, groups := r.bars(c)
		if len(bars) == 0 {
			continue
		}
		p, err := c.draw(bars, groups)
		if err != nil {
			return nil, err
		}
		name := base + "-" + c.Name + ".svg"
		if err := p.Save(plotWidth, plotHeight, name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	more, err := r.plotSoak(base)
	return append(names, more...), err
}

// bars picks the figures of a chart. Groups without any are left out.
func (r *Report) bars(c chart) (bars []bar, groups []string) {
	for _, test := range c.Tests {
		for _, m := range c.Metrics {
			before := len(bars)
			for _, peer := range r.plan.peers {
				if s := find(r.Summary, test, peer.Name, m.Name); s != nil && colors[peer.Name] != nil && (!c.Log || s.Median > 0) {
					bars = append(bars, bar{len(groups), peer.Name, s.Median, s.Low, s.High})
				}
			}
			if len(bars) == before {
				continue
			}
			if len(c.Metrics) > 1 {
				groups = append(groups, m.Name)
			} else {
				groups = append(groups, test)
			}
		}
	}
	return bars, groups
}

// draw makes the plot. Lines at the tops of bars go from the least to the greatest of the rounds.
func (c chart) draw(bars []bar, groups []string) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = c.Title
	p.Title.Padding = vg.Millimeter * 2
	p.NominalX(groups...)
	p.Legend.Top = true
	floor := 0.0
	if c.Log {
		floor = slices.MinFunc(bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) }).value * logFloor
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	}
	peerNames := peersOf(bars)
	width := groupShare / float64(len(peerNames))
	p.Add(plotter.NewGrid())
	for i, peer := range peerNames {
		if err := addBars(p, bars, peer, floor, -groupShare/2+float64(i)*width, width); err != nil {
			return nil, err
		}
	}
	p.Y.Min = floor
	p.Y.Max *= roomAbove
	p.X.Min, p.X.Max = -groupShare/2, (float64(len(groups))-1+groupShare/2)*(1+legendShare)+legendShare
	return p, nil
}

// peersOf returns who has a bar, in the order of the table.
func peersOf(bars []bar) []string {
	var names []string
	for _, peer := range peers {
		if slices.ContainsFunc(bars, func(b bar) bool { return b.peer == peer.Name }) {
			names = append(names, peer.Name)
		}
	}
	return names
}

// addBars adds all bars of a peer, so far from the middles of their groups.
func addBars(p *plot.Plot, bars []bar, peer string, floor, offset, width float64) error {
	for _, b := range bars {
		if b.peer != peer {
			continue
		}
		left := float64(b.group) + offset
		box, err := plotter.NewPolygon(plotter.XYs{{X: left, Y: floor}, {X: left, Y: b.value}, {X: left + width, Y: b.value}, {X: left + width, Y: floor}})
		if err != nil {
			return err
		}
		box.Color = colors[peer]
		box.LineStyle.Width = 0
		p.Add(box)
		middle := left + width/2
		span, err := plotter.NewLine(plotter.XYs{{X: middle, Y: max(b.low, floor)}, {X: middle, Y: b.up}})
		if err != nil {
			return err
		}
		span.Width = vg.Points(0.6)
		number, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: middle, Y: b.up}}, Labels: []string{figure(b.value)}})
		if err != nil {
			return err
		}
		number.TextStyle[0].Font.Size = vg.Points(numberSize)
		number.TextStyle[0].XAlign = text.XCenter
		number.Offset.Y = vg.Points(1)
		p.Add(span, number)
		if !slices.ContainsFunc(bars, func(other bar) bool { return other.peer == peer && other.group < b.group }) {
			p.Legend.Add(peer, box)
		}
	}
	return nil
}

// plotSoak draws memory over the time of a soak.
func (r *Report) plotSoak(base string) ([]string, error) {
	if r.Soak == nil || len(r.Soak.Points) < 2 {
		return nil, nil
	}
	var points plotter.XYs
	for _, s := range r.Soak.Points {
		points = append(points, plotter.XY{X: s.At.Minutes(), Y: float64(s.Own) / mega})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.Color = colors[ours]
	line.Width = vg.Points(1.5)
	p := plot.New()
	p.Title.Text = "Soak: MB of pen's own memory at rest"
	p.X.Label.Text = "minutes of load"
	p.Add(plotter.NewGrid(), line)
	p.Y.Min = 0
	p.Y.Max *= roomAbove
	name := base + "-soak.svg"
	return []string{name}, p.Save(plotWidth, plotHeight, name)
}
