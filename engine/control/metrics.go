package control

import (
	"net/http"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"pen/conf"
	"pen/engine"
)

// metric is a row of the table of metrics, from which docs/metrics.md is written.
type metric struct {
	name   string
	kind   kind
	help   string // ends with a period
	labels []string
	desc   *prometheus.Desc
}

type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
	summary   kind = "summary"
)

// metrics are all families, in the order of the table. None has a label whose values clients could multiply: there are
// services, servers, reactors, and a few fixed words.
var metrics []*metric

func define(name string, k kind, help string, labels ...string) *metric {
	m := &metric{name, k, help, labels, prometheus.NewDesc(name, help, labels, nil)}
	metrics = append(metrics, m)
	return m
}

// The metrics of services.
var (
	serviceConnections = define("pen_service_connections_total", counter, "Clients that were accepted.", "service")
	serviceDenied      = define("pen_service_denied_total", counter, "Clients that the access list denied.", "service")
	serviceUnserved    = define("pen_service_unserved_total", counter, "Clients for whom no server could be had.", "service")
	serviceFailovers   = define("pen_service_failovers_total", counter, "Clients that were served by another server than the first choice.", "service")
	serviceEnded       = define("pen_service_ended_total", counter, "Connections that ended, by the reason as in the access log.", "service", "reason")
	serviceQueued      = define("pen_service_queued", gauge, "Clients that wait for a place on a server.", "service")
	serviceFlows       = define("pen_service_flows", gauge, "Flows of datagrams that are open.", "service")
	serviceFlowsBegun  = define("pen_service_flows_total", counter, "Flows of datagrams that were begun.", "service")
	serviceDatagrams   = define("pen_service_datagrams_total", counter, "Datagrams by way, which is from_clients, to_servers, from_servers or to_clients.", "service", "way")
	serviceLost        = define("pen_service_datagrams_dropped_total", counter, "Datagrams that were not forwarded, by reason.", "service", "reason")
	serviceLogDropped  = define("pen_service_log_dropped_total", counter, "Entries of the request and the access log that were lost because the writer was behind.", "service", "log")
	serviceConnect     = define("pen_service_connect_seconds", histogram, "Time from accepting a client until a server was connected, fail-overs included.", "service")
	serviceFirstByte   = define("pen_service_first_byte_seconds", histogram, "Time from accepting a client until the first byte of a server went to it.", "service")
	serviceTLS         = define("pen_service_tls_handshakes_total", counter, "TLS handshakes with clients that succeeded, by version and by kind, which is full or resumed.", "service", "version", "kind")
	serviceTLSFailed   = define("pen_service_tls_failures_total", counter, "TLS handshakes with clients that came to nothing, by reason.", "service", "reason")
	serviceShaken      = define("pen_service_tls_handshake_seconds", histogram, "Time from accepting a client until TLS was agreed on.", "service")
	serviceLength      = define("pen_service_connection_seconds", histogram, "Length of connections that have ended.", "service")
)

// The metrics of servers. A server that stands in several places of a table counts once.
var (
	serverConnections = define("pen_server_connections_total", counter, "Connections that were established.", "service", "server")
	serverActive      = define("pen_server_connections", gauge, "Connections that are established now.", "service", "server")
	serverMax         = define("pen_server_connections_max", gauge, "Soft limit of connections; 0 means none.", "service", "server")
	serverFailures    = define("pen_server_connect_failures_total", counter, "Connects that came to nothing, by reason.", "service", "server", "reason")
	serverFull        = define("pen_server_full_total", counter, "Times that a client was not sent there because of its limit.", "service", "server")
	serverSent        = define("pen_server_sent_bytes_total", counter, "Bytes that were sent to the server.", "service", "server")
	serverReceived    = define("pen_server_received_bytes_total", counter, "Bytes that were received from the server.", "service", "server")
	serverTLS         = define("pen_server_tls_handshakes_total", counter, "TLS handshakes with the server that succeeded, by version and by kind, which is full or resumed.", "service", "server", "version", "kind")
	serverTLSFailed   = define("pen_server_tls_failures_total", counter, "TLS handshakes with the server that came to nothing, by reason.", "service", "server", "reason")
	serverConnect     = define("pen_server_connect_seconds", summary, "Time that the connects which succeeded took.", "service", "server")
	serverAvailable   = define("pen_server_available", gauge, "1 while clients may be sent to the server that were not there before: it is neither blacklisted, down, drained nor in maintenance.", "service", "server")
	serverAdmin       = define("pen_server_admin_state", gauge, "1 for what the operator says, which is ready, drain or maint, and 0 for the others.", "service", "server", "state")
	serverShare       = define("pen_server_share_ratio", gauge, "Part of its weight that the server gets now, by its agent and slow_start.", "service", "server")
	serverHealthy     = define("pen_server_probe_success", gauge, "1 if the probes find the server up, 0 if down; missing while there is no result.", "service", "server")
	serverProbes      = define("pen_server_probes_total", counter, "Probes by result, which is good or bad.", "service", "server", "result")
	serverProbeTook   = define("pen_server_probe_seconds", gauge, "Time that the last probe took.", "service", "server")
	serverBlacklisted = define("pen_server_blacklisted", gauge, "1 while the server is left out because a connect failed.", "service", "server")
)

// The metrics of the process.
var (
	openConnections  = define("pen_connections", gauge, "Open connections over all services.")
	mostConnections  = define("pen_connections_max", gauge, "Size of the connection table.")
	knownClients     = define("pen_clients", gauge, "Entries of the client table.")
	mostClients      = define("pen_clients_max", gauge, "Size of the client table.")
	evictedClients   = define("pen_clients_evicted_total", counter, "Clients that were forgotten to make room for others.")
	droppedEvents    = define("pen_events_dropped_total", counter, "Messages of the data plane for the log that found no room.")
	panics           = define("pen_panics_total", counter, "Connections that were closed because of a defect in pen.")
	reactorTurns     = define("pen_reactor_turn_seconds", histogram, "Time that a turn of a reactor took, without the wait for events.", "reactor")
	reactorSessions  = define("pen_reactor_sessions", gauge, "Connections that a reactor serves.", "reactor")
	reactorPending   = define("pen_reactor_connecting", gauge, "Connects that are under way.", "reactor")
	reactorPaused    = define("pen_reactor_paused", gauge, "1 while a reactor accepts nobody because something has run out.", "reactor")
	reactorAnswers   = define("pen_reactor_responsive", gauge, "1 if the reactor answered this scrape in time.", "reactor")
	ready            = define("pen_ready", gauge, "1 while pen serves and is not about to end.")
	reloadSuccessful = define("pen_config_last_reload_successful", gauge, "1 if the configuration was read without errors when it was read last.")
	reloadTime       = define("pen_config_last_reload_success_timestamp_seconds", gauge, "When the configuration was last read without errors.")
	buildInfo        = define("pen_build_info", gauge, "1, with the version of pen and of Go.", "version", "goversion")
)

const (
	scrapesAtOnce = 4
	scrapeTime    = 10 * time.Second // to take the snapshot and make text of it; who is slow to read that delays nobody
)

// collector answers a scrape from one snapshot of the data plane.
type collector struct {
	web     *web
	version string
	start   time.Time
}

// newMetricsHandler returns what serves /metrics.
func newMetricsHandler(w *web, version string) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(&collector{w, version, time.Now()}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTime, EnableOpenMetrics: true})
}

// Describe is part of [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range metrics {
		to <- m.desc
	}
}

// Collect is part of [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.web.control.engine.Snapshot()
	out := scrape{to, c.start}
	out.probes(c.web.control.Probes())
	for i := range s.Services {
		out.service(&s.Services[i])
	}
	for i := range s.Reactors {
		out.reactor(i, &s.Reactors[i])
	}
	out.fronts(c.web.control.engine.Fronts())
	out.number(openConnections, s.Connections)
	out.number(mostConnections, s.ConnectionsMax)
	out.number(knownClients, s.Clients)
	out.number(mostClients, s.ClientsMax)
	out.count(evictedClients, s.Evicted)
	out.count(droppedEvents, s.EventsDropped)
	out.flag(ready, c.web.ready.Load())
	out.flag(reloadSuccessful, !c.web.loaded.failed.Load())
	out.number(reloadTime, int(c.web.loaded.at.Load()))
	out.flag(buildInfo, true, c.version, goruntime.Version())
	defects := uint64(0)
	for i := range s.Reactors {
		defects += s.Reactors[i].Panics
	}
	out.count(panics, defects)
}

// scrape is the way of one scrape's values to the registry.
type scrape struct {
	to    chan<- prometheus.Metric
	start time.Time
}

func (s scrape) value(m *metric, v float64, labels ...string) {
	t := prometheus.GaugeValue
	if m.kind == counter {
		t = prometheus.CounterValue
	}
	s.to <- prometheus.MustNewConstMetric(m.desc, t, v, labels...)
}

func (s scrape) number(m *metric, v int, labels ...string)   { s.value(m, float64(v), labels...) }
func (s scrape) count(m *metric, v uint64, labels ...string) { s.value(m, float64(v), labels...) }

func (s scrape) flag(m *metric, on bool, labels ...string) {
	v := 0
	if on {
		v = 1
	}
	s.number(m, v, labels...)
}

func (s scrape) service(v *engine.ServiceSnapshot) {
	s.count(serviceConnections, v.Accepted, v.Name)
	s.count(serviceDenied, v.Denied, v.Name)
	s.count(serviceUnserved, v.Unserved, v.Name)
	s.count(serviceFailovers, v.Failovers, v.Name)
	for reason, n := range v.Ended {
		s.count(serviceEnded, n, v.Name, reason)
	}
	s.count(serviceLogDropped, v.RequestsDropped, v.Name, "requests")
	s.count(serviceLogDropped, v.AccessDropped, v.Name, "access")
	s.histogram(serviceConnect, &v.Connect, v.Name)
	s.histogram(serviceFirstByte, &v.FirstByte, v.Name)
	s.histogram(serviceLength, &v.Length, v.Name)
	s.number(serviceQueued, v.Queued, v.Name)
	if v.Datagrams {
		s.flows(&v.Flows, v.Name)
	}
	if v.TLS != nil {
		s.handshakes(serviceTLS, serviceTLSFailed, v.TLS, v.Name)
		s.histogram(serviceShaken, &v.Shaken, v.Name)
	}
	for label, server := range byAddress(v.Servers) {
		s.server(server, v.Name, label)
	}
}

func (s scrape) handshakes(done, failed *metric, h *engine.Handshakes, labels ...string) {
	for i, version := range engine.TLSVersions {
		s.count(done, h.Full[i], append(labels, version, "full")...)
		s.count(done, h.Resumed[i], append(labels, version, "resumed")...)
	}
	for reason, n := range h.Failed {
		s.count(failed, n, append(labels, engine.HandshakeFailure(reason).String())...)
	}
}

func (s scrape) flows(v *conf.DatagramStatus, service string) {
	s.value(serviceFlows, float64(v.Flows.Active), service)
	s.value(serviceFlowsBegun, float64(v.Flows.Begun), service)
	for way, t := range map[string]conf.Traffic{
		"from_clients": v.FromClients, "to_servers": v.ToServers, "from_servers": v.FromServers, "to_clients": v.ToClients,
	} {
		s.count(serviceDatagrams, t.Datagrams, service, way)
	}
	for _, d := range v.Dropped {
		s.count(serviceLost, d.Datagrams, service, d.Why)
	}
}

// probes tells what probes have found. Reports about places with the same label are added up.
func (s scrape) probes(reports []ProbeReport) {
	sums := map[[2]string]*ProbeReport{}
	for _, r := range reports {
		key := [2]string{r.Service, label(r.Address)}
		if sum := sums[key]; sum != nil {
			sum.Good, sum.Bad = sum.Good+r.Good, sum.Bad+r.Bad
		} else {
			sums[key] = &r
		}
	}
	for key, r := range sums {
		labels := key[:]
		s.count(serverProbes, r.Good, append(labels, "good")...)
		s.count(serverProbes, r.Bad, append(labels, "bad")...)
		if !r.At.IsZero() {
			s.value(serverProbeTook, r.Took.Seconds(), labels...)
		}
		if r.Health == engine.Up || r.Health == engine.Down {
			s.flag(serverHealthy, r.Health == engine.Up, labels...)
		}
	}
}

// label makes the address of a server a valid label: a path may hold any byte.
func label(address string) string { return strings.ToValidUTF8(address, "�") }

// byAddress adds up the servers that have the same label.
func byAddress(servers []engine.ServerSnapshot) map[string]*engine.ServerSnapshot {
	m := map[string]*engine.ServerSnapshot{}
	for i := range servers {
		at := label(servers[i].Address)
		if sum := m[at]; sum != nil {
			sum.Merge(&servers[i])
		} else {
			m[at] = &servers[i]
		}
	}
	return m
}

func (s scrape) server(v *engine.ServerSnapshot, labels ...string) {
	s.count(serverConnections, v.Connects, labels...)
	s.number(serverActive, v.Active, labels...)
	s.number(serverMax, v.Max, labels...)
	for reason, n := range v.Failed {
		s.count(serverFailures, n, append(labels, engine.Failure(reason).String())...)
	}
	if v.TLS != nil {
		s.handshakes(serverTLS, serverTLSFailed, v.TLS, labels...)
	}
	s.count(serverFull, v.Full, labels...)
	s.count(serverSent, v.Sent, labels...)
	s.count(serverReceived, v.Received, labels...)
	s.flag(serverBlacklisted, v.Blacklisted, labels...)
	s.flag(serverAvailable, v.Available, labels...)
	s.value(serverShare, v.Portion, labels...)
	for _, state := range []conf.Admin{conf.Ready, conf.Drain, conf.Maint} {
		s.flag(serverAdmin, v.Admin == state, append(labels, state.String())...)
	}
	s.to <- prometheus.MustNewConstSummary(serverConnect.desc, v.Connects, v.Connecting.Seconds(), nil, labels...)
}

func (s scrape) reactor(id int, r *engine.ReactorSnapshot) {
	label := strconv.Itoa(id)
	s.histogram(reactorTurns, &r.Turns, label)
	s.number(reactorSessions, r.Sessions, label)
	s.number(reactorPending, r.Connecting, label)
	s.flag(reactorPaused, r.Paused, label)
	s.flag(reactorAnswers, r.Answers, label)
}

// bothHistograms is a histogram with the buckets of people and the fine ones of native histograms.
type bothHistograms struct {
	prometheus.Metric // the classic one
	native            prometheus.Metric
}

// Write is part of [prometheus.Metric].
func (h bothHistograms) Write(out *dto.Metric) error {
	var classic dto.Metric
	if err := h.Metric.Write(&classic); err != nil {
		return err
	}
	if err := h.native.Write(out); err != nil {
		return err
	}
	out.Histogram.Bucket = classic.Histogram.Bucket
	return nil
}

func (s scrape) histogram(m *metric, h *engine.Histogram, labels ...string) {
	coarse, fine := map[float64]uint64{}, map[int]int64{}
	for bound, n := range h.Cumulative() {
		coarse[bound.Seconds()] = n
	}
	for exponent, n := range h.Fine() {
		fine[exponent] = int64(n)
	}
	sum := h.Sum.Seconds()
	s.to <- bothHistograms{
		prometheus.MustNewConstHistogram(m.desc, h.Count(), sum, coarse, labels...),
		prometheus.MustNewConstNativeHistogram(m.desc, h.Count(), sum, fine, nil, 0, engine.FineSchema, prometheus.DefNativeHistogramZeroThreshold, s.start, labels...),
	}
}
