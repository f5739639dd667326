//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// builtPen returns the pen of PEN_BIN, or one that is built for the test.
func builtPen(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PEN_BIN"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "pen")); err == nil {
			return filepath.Join(dir, "pen")
		}
	}
	path := filepath.Join(t.TempDir(), "pen")
	if output, err := exec.Command("go", "build", "-o", path, "../cmd/pen").CombinedOutput(); err != nil {
		t.Fatalf("build pen: %v\n%s", err, output)
	}
	return path
}

// All variants run on the real pen, with little load, and make a report with plots.
func TestVariants(t *testing.T) {
	const fewServers, fewConns = 20, 8
	var list []Test
	for _, name := range []string{"reactors-64", "features-64", "probes-64", "probes-paced", "soak-keepalive-64", "soak-reply-64K"} {
		test := testNamed(name)
		test.Client.Conns, test.Layout = fewConns, ""
		if test.Fakes > 0 {
			test.Fakes = fewServers
		}
		list = append(list, test)
	}
	p := shortly(t, list)
	p.Pen, p.Soak = builtPen(t), time.Nanosecond // one turn
	p.peers = nil
	for _, peer := range peers {
		if peer.Variant || peer.Name == ours {
			peer.Program = p.Pen
			p.peers = append(p.peers, peer)
		}
	}
	var progress bytes.Buffer
	r, err := p.measure(t.Context(), &progress)
	if err != nil {
		t.Fatalf("measure: %v\n%s", err, progress.String())
	}
	for _, s := range r.Samples {
		if s.Error != "" || s.Failures != 0 {
			t.Errorf("%s %s: %s, %d failures: %s", s.Test, s.Peer, s.Error, s.Failures, s.Failure)
		}
	}
	if r.Soak == nil || len(r.Soak.Points) != 1 || r.Soak.Points[0].Descriptors == 0 || r.Soak.Points[0].Own == 0 {
		t.Errorf("soak %+v, want one point with some memory and descriptors", r.Soak)
	}
	if err := r.failure(); err != nil {
		t.Error(err)
	}
	if len(r.Targets) == 0 {
		t.Error("no target was judged")
	}
	if err := r.save(filepath.Join(t.TempDir(), "r.json")); err != nil {
		t.Error(err)
	}
}

// A plot shows what there are figures for, and the page has it.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	r := aReport()
	r.Soak = &Soak{Points: []SoakPoint{{Own: 1e6}, {At: time.Minute, Own: 1e6}}}
	if err := r.save(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "a.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| nginx |", "nginx/1.22", "Some CPU", "keepalive-64: small", "![a-small-cpu](a-small-cpu.svg)", "![a-soak](a-soak.svg)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("got\n%s\nwant %q in it", page, want)
		}
	}
	plot, err := os.ReadFile(filepath.Join(dir, "a-small-cpu.svg"))
	if err != nil || !strings.Contains(string(plot), ">keepalive-64<") || strings.Contains(string(plot), ">keepalive-1<") {
		t.Errorf("plot %v: want the test that was run, and no other", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a-memory.svg")); err == nil {
		t.Error("a plot without figures")
	}
}

func TestLaunchVariants(t *testing.T) {
	s := setup
	s.Spare, s.Fakes = "127.0.0.1:7003", []string{fakeAddress(0, "7004"), fakeAddress(1999, "7004")}
	for _, tt := range []struct {
		peer string
		want []string
	}{
		{twoReactors, []string{"-O reactors 2", "127.0.0.1:7001 127.0.0.1:7002"}},
		{bare, []string{"-O roundrobin"}},
		{full, []string{"-O log /tmp/x/pen.log", "-O metrics 127.0.0.1:7003"}},
		{probing, []string{"-F /tmp/x/pen.conf", "listen 127.0.0.1:7003\n", "server 0 address 127.1.0.1 port 7004\n", "server 1 address 127.1.7.250 port 7004\n"}},
	} {
		for _, peer := range variants {
			if peer.Name != tt.peer {
				continue
			}
			got := peer.Launch(s)
			text := strings.Join(got.Args, " ") + "\n" + got.Files["pen.conf"]
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: got %q, want %q in it", tt.peer, text, want)
				}
			}
		}
	}
}
