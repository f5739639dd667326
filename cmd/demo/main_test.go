package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// binaries returns the directory of pen and penctl, built for the test unless $PEN_BIN names one.
func binaries(t *testing.T) string {
	if dir := os.Getenv("PEN_BIN"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir+"/", "pen/cmd/pen", "pen/cmd/penctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return dir
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), binaries(t), time.Millisecond, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"600 requests, 0 failures", "alpha", "beta is killed", "conn 0", "curl http://127.0.0.1:",
		`pen_service_connections_total{service="default"} 600`, `pen_service_unserved_total{service="default"} 0`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestRunWithoutPen(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), t.TempDir(), time.Millisecond, &out)
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v, want a hint at make build", err)
	}
}

func TestLifetime(t *testing.T) {
	tests := []struct {
		name    string
		seconds string
		want    time.Duration
		fails   bool
	}{
		{name: "for ever", want: 0},
		{name: "told", seconds: "7", want: 7 * time.Second},
		{name: "fraction", seconds: "0.5", want: 500 * time.Millisecond},
		{name: "no number", seconds: "long", fails: true},
		{name: "zero", seconds: "0", fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := lifetime(test.seconds)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %v and %v, want %v, an error: %v", got, err, test.want, test.fails)
			}
		})
	}
}
