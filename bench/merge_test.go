//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written saves the JSON of reports and returns the paths.
func written(t *testing.T, reports ...*Report) (paths []string) {
	for i, r := range reports {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), string(rune('a'+i))+".json")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestReadReports(t *testing.T) {
	first, second := aReport(), aReport()
	second.Peers = map[string]string{"nginx": "nginx/1.23", ours: "new"}
	second.Samples = append(second.Samples, Sample{Test: "connect-64", Peer: ours, Round: 1, Result: Result{Elapsed: time.Second, Requests: 1}})
	r, err := readReports(written(t, first, second))
	if err != nil {
		t.Fatal(err)
	}
	if want := len(first.Samples) + len(second.Samples); len(r.Samples) != want || r.Rounds != 4 {
		t.Errorf("%d samples, %d rounds; want %d, 4", len(r.Samples), r.Rounds, want)
	}
	if s := find(r.Summary, "keepalive-64", ours, rate.Name); s == nil || s.Rounds != 4 {
		t.Errorf("got %+v, want 4 rounds", s)
	}
	if got := r.Peers["nginx"]; got != "nginx/1.22; nginx/1.23" {
		t.Errorf("versions %q, want both", got)
	}
	if len(r.plan.tests) != 2 || len(r.plan.peers) != 3 {
		t.Errorf("%d tests, %d peers; want 2, 3", len(r.plan.tests), len(r.plan.peers))
	}
}

func TestReadReportsRefuses(t *testing.T) {
	other := aReport()
	other.Machine.CPU = "Another CPU"
	if _, err := readReports(written(t, aReport(), other)); err == nil || !strings.Contains(err.Error(), "Another CPU") {
		t.Errorf("another machine: %v, want an error that says so", err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	os.WriteFile(bad, []byte("no"), 0o644)
	for _, path := range []string{bad, "/no/such/file"} {
		if _, err := readReports([]string{path}); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
