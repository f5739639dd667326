//go:build linux

package main

import "time"

// Sample is one peer in one test for one round: what was counted in the measured time.
type Sample struct {
	Test  string `json:"test"`
	Peer  string `json:"peer"`
	Round int    `json:"round"`
	Result
	Error string `json:"error,omitempty"` // why there are no figures
}

// Result is what the load client found out.
type Result struct {
	Elapsed     time.Duration `json:"elapsed_ns"`
	Requests    int64         `json:"requests"` // complete replies; quiet connections for an idle test
	Bytes       int64         `json:"bytes"`    // received by the client, or sent by it when it uploads
	Failures    int64         `json:"failures"` // connections that ended before their time
	Failure     string        `json:"failure,omitempty"`
	Latency     Latency       `json:"latency"`
	ProxyCPU    time.Duration `json:"proxy_cpu_ns"`  // user and system time; 0 without a proxy
	ProxyWait   time.Duration `json:"proxy_wait_ns"` // ready to run, but another thread had the core
	OriginCPU   time.Duration `json:"origin_cpu_ns"`
	LoadCPU     time.Duration `json:"load_cpu_ns"`
	OtherCPU    time.Duration `json:"other_cpu_ns"`    // of everything else on the machine
	ProxyRSS    int64         `json:"proxy_rss"`       // bytes, at the end
	ProxyOwn    int64         `json:"proxy_own"`       // bytes of it that are not pages of its files
	ProxyOwnOff int64         `json:"proxy_own_start"` // at the beginning
	Rate        float64       `json:"rate,omitempty"`  // requests per second that were sent whatever came back; 0 = each after a reply
	Calls       Calls         `json:"calls"`
	Collections Collections   `json:"collections"`
}

// Calls are the proxy's system calls, counted for a moment after the measured time.
type Calls struct {
	Calls    int64  `json:"calls"`
	Requests int64  `json:"requests"` // complete replies meanwhile
	Bytes    int64  `json:"bytes"`
	Why      string `json:"why,omitempty"` // they could not be counted
}

// Latency are the quantiles of the time from sending a request (or connecting) to the end of its reply.
type Latency struct {
	P50  time.Duration `json:"p50_ns"`
	P99  time.Duration `json:"p99_ns"`
	P999 time.Duration `json:"p999_ns"`
	Max  time.Duration `json:"max_ns"`
}

// Metric is one figure of a sample. Of tells with ok = false that the sample has no such figure.
type Metric struct {
	Name   string // unit first: it heads a column
	Slug   string // unit in benchmark output
	Better direction
	Scale  float64 // shown value × Scale = value in the unit of Slug
	Of     func(Sample) (value float64, ok bool)
}

type direction int

const (
	lower direction = iota
	higher
)

const (
	giga = 1e9 // GB are decimal here, as in the targets
	mega = 1e6
	kilo = 1e3
)

var (
	rate = Metric{"req/s", "req/s", higher, 1, func(s Sample) (float64, bool) {
		return div(float64(s.Requests), s.Elapsed.Seconds())
	}}
	throughput = Metric{"GB/s", "B/s", higher, giga, func(s Sample) (float64, bool) {
		return div(float64(s.Bytes)/giga, s.Elapsed.Seconds())
	}}
	cpuPerRequest = Metric{"CPU µs/req", "cpu-sec/req", lower, 1e-6, func(s Sample) (float64, bool) {
		return positive(div(float64(s.ProxyCPU.Nanoseconds())/kilo, float64(s.Requests)))
	}}
	cpuPerGB = Metric{"CPU s/GB", "cpu-sec/GB", lower, 1, func(s Sample) (float64, bool) {
		return positive(div(s.ProxyCPU.Seconds(), float64(s.Bytes)/giga))
	}}
	p50 = Metric{"p50 µs", "p50-sec", lower, 1e-6, func(s Sample) (float64, bool) { return micros(s.Latency.P50) }}
	p99 = Metric{"p99 µs", "p99-sec", lower, 1e-6, func(s Sample) (float64, bool) { return micros(s.Latency.P99) }}

	p999 = Metric{"p99.9 µs", "p99.9-sec", lower, 1e-6, func(s Sample) (float64, bool) { return micros(s.Latency.P999) }}
	rss  = Metric{"RSS MB", "rss-B", lower, mega, func(s Sample) (float64, bool) {
		return positive(float64(s.ProxyRSS)/mega, true)
	}}
	growthPerConn = Metric{"growth KB/conn", "growth-B/conn", lower, kilo, func(s Sample) (float64, bool) {
		return div(float64(s.ProxyOwn-s.ProxyOwnOff)/kilo, float64(s.Requests))
	}}
	callsPerRequest = Metric{"calls/req", "calls/req", lower, 1, func(s Sample) (float64, bool) {
		return positive(div(float64(s.Calls.Calls), float64(s.Calls.Requests)))
	}}
	callsPerMB = Metric{"calls/MB", "calls/MB", lower, 1, func(s Sample) (float64, bool) {
		return positive(div(float64(s.Calls.Calls), float64(s.Calls.Bytes)/mega))
	}}
	proxyBusy = Metric{"proxy %", "proxy-%", lower, 1, func(s Sample) (float64, bool) {
		return positive(div(100*s.ProxyCPU.Seconds(), s.Elapsed.Seconds()))
	}}
	otherBusy = Metric{"else %", "else-%", lower, 1, func(s Sample) (float64, bool) {
		return div(100*s.OtherCPU.Seconds(), s.Elapsed.Seconds())
	}}
	loadBusy = Metric{"load %", "load-%", lower, 1, func(s Sample) (float64, bool) {
		return div(100*(s.OriginCPU+s.LoadCPU).Seconds(), s.Elapsed.Seconds())
	}}
)

func div(a, b float64) (float64, bool) {
	if b == 0 {
		return 0, false
	}
	return a / b, true
}

func positive(v float64, ok bool) (float64, bool) { return v, ok && v > 0 }

func micros(d time.Duration) (float64, bool) {
	return positive(float64(d.Nanoseconds())/kilo, true)
}
