package control

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"pen/engine"
)

var updateDocs = flag.Bool("update", false, "write docs/metrics.md anew")

// guide is what docs/metrics.md says, made from the table.
func guide() []byte {
	var b bytes.Buffer
	b.WriteString("# Metrics\n\nThe command `metrics [HOST:]PORT` (option `--metrics`) opens a port for Prometheus, supervisors and people; without a\n" +
		"host it serves this machine only, and there is no other protection, so give it to nobody whom you would not show who\n" +
		"your clients are.\n\n| path | what |\n|---|---|\n| `/metrics` | what follows below |\n" +
		"| `/healthz` | 200 if the reactors answer, else 503 |\n| `/readyz` | 200 while clients are served, 503 when pen is about to end |\n" +
		"| `/` | the status page, live |\n\n" +
		"The page only shows. `status_admin FILE` lets those who know the token in the first line of the file (16 bytes or more,\n" +
		"mode 0600 or 0640, read again on HUP) drain servers, take them out and close connections.\n\n" +
		"`conf/etc/prometheus/pen.rules.yml` has alerts and `pen.test.yml` their tests (`promtool test rules`);\n" +
		"`conf/etc/grafana/pen.json` is a dashboard. A scrape configuration:\n\n" +
		"    scrape_configs:\n      - job_name: pen\n        static_configs: [{targets: ['127.0.0.1:9180']}]\n\n" +
		"`/metrics` has these, beside those of the Go runtime (`go_*`) and of the process\n" +
		"(`process_*`). All times are in seconds. Histograms come with native buckets as well, for a Prometheus that asks for\n" +
		"them. The label `server` is host:port or a path; the emergency and the abuse server are among the servers.\n\n" +
		"This page is written by `go test ./engine/control -run TestMetricsGuide -update`.\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
	}
	return b.Bytes()
}

func TestMetricsGuide(t *testing.T) {
	const file = "../../docs/metrics.md"
	if *updateDocs {
		if err := os.WriteFile(file, guide(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, guide()) {
		t.Errorf("%s is not what the table of metrics says (error %v); write it anew with -update", file, err)
	}
}

// TestMetricsInUse checks the names in the dashboard and in the alert rules against the table.
func TestMetricsInUse(t *testing.T) {
	names := regexp.MustCompile(`\bpen_[a-z_]+`)
	for _, file := range []string{"grafana/pen.json", "prometheus/pen.rules.yml", "prometheus/pen.test.yml"} {
		text, err := os.ReadFile("../../conf/etc/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
		used := names.FindAllString(string(text), -1)
		if len(used) < 10 {
			t.Errorf("%s: got %d names, want many", file, len(used))
		}
		for _, name := range used {
			if !slices.ContainsFunc(metrics, func(m *metric) bool { return m.has(name) }) {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// has reports whether a series of the metric has this name.
func (m *metric) has(name string) bool {
	if m.kind == histogram || m.kind == summary {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if name == m.name+suffix {
				return true
			}
		}
		return false
	}
	return name == m.name
}

// TestMetricsLibrary keeps the library in one place, where it can be exchanged.
func TestMetricsLibrary(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(file, "metrics") && bytes.Contains(text, []byte(`"github.com/prometheus/`)) {
			t.Errorf("%s imports the library of Prometheus; only metrics.go is to", file)
		}
	}
}

// TestMetricsNames checks the conventions that promtool does not.
func TestMetricsNames(t *testing.T) {
	for _, m := range metrics {
		if (m.kind == counter) != strings.HasSuffix(m.name, "_total") || !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s, a %s: %q: want _total for counters only, and a help that ends with a period", m.name, m.kind, m.help)
		}
		if slices.Contains(m.labels, "client") {
			t.Errorf("%s has a label for clients, of which there are any number", m.name)
		}
	}
}

// get asks the web server and returns status and body.
func get(t *testing.T, r *running, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + r.web.addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// converse opens a connection, has a word echoed and closes it.
func converse(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	word := make([]byte, 5)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, word); err != nil {
		t.Fatal(err)
	}
}

// Three clients of one server that stands in two places, and of a path that is no text: what the scrape says is what
// happened.
func TestMetrics(t *testing.T) {
	server := backend(t)
	r := start(t, "metrics 127.0.0.1:0", "roundrobin", "listen 127.0.0.1:0",
		"server 0 address 127.0.0.1 port "+server+" max 7", "server 1 address 127.0.0.1 port "+server, "server 2 address '/no/\xff'", "abuse /dev/null")
	for range 3 {
		converse(t, r.engine.Listening("default"))
	}
	label := `{server="127.0.0.1:` + server + `",service="default"}`
	wants := []string{
		`pen_service_connections_total{service="default"} 3`, "pen_server_connections_total" + label + " 3",
		"pen_server_sent_bytes_total" + label + " 15", "pen_server_received_bytes_total" + label + " 15",
		"pen_server_connections_max" + label + " 7", "pen_server_connect_seconds_count" + label + " 3",
		`pen_server_connect_failures_total{reason="refused",server="/no/�",service="default"} 1`,
		`pen_server_blacklisted{server="/no/�",service="default"} 1`, `pen_server_available{server="/no/�",service="default"} 0`,
		`pen_service_failovers_total{service="default"} 1`, `pen_service_connect_seconds_count{service="default"} 3`,
		`pen_service_first_byte_seconds_bucket{service="default",le="+Inf"} 3`, `pen_clients 1`, `pen_ready 1`,
		`pen_build_info{goversion=`, `version="1.2.3"} 1`, `pen_reactor_responsive{reactor="0"} 1`,
		`pen_server_available{server="/dev/null",service="default"} 1`, "go_goroutines ", "process_open_fds ",
	}
	code, body := get(t, r, "/metrics")
	for _, want := range wants {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("got status %d and no %s in\n%s", code, want, without(body, "go_"))
		}
	}
}

// without leaves out lines of a family, for failures that can be read.
func without(text, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, prefix) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestMetricsAreConsistent gathers with the checks of a pedantic registry, and looks at both kinds of buckets.
func TestMetricsAreConsistent(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0", "server 0 address 127.0.0.1 port "+backend(t))
	converse(t, r.engine.Listening("default"))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(&collector{r.web, "1", time.Now()})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == serviceConnect.name })
	h := families[i].Metric[0].Histogram
	fine, delta := int64(0), int64(0)
	for _, d := range h.PositiveDelta {
		delta += d
		fine += delta
	}
	last := h.Bucket[len(h.Bucket)-1].GetCumulativeCount()
	if h.GetSampleCount() != 1 || fine != 1 || last != 1 || h.GetSchema() != engine.FineSchema {
		t.Errorf("got count %d, %d in fine buckets, %d in coarse ones, schema %d, want 1, 1, 1, %d", h.GetSampleCount(), fine, last, h.GetSchema(), engine.FineSchema)
	}
	if cmp.Compare(h.GetSampleSum(), 0) <= 0 {
		t.Errorf("got the sum %g, want more than 0", h.GetSampleSum())
	}
}
