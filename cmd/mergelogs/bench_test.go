package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// makeLogs writes logs of n requests, 200 a second to 1000 pages, that three servers got.
func makeLogs(b *testing.B, n int) (args []string, size int64) {
	b.Helper()
	dir := b.TempDir()
	var pen strings.Builder
	var webs [3]strings.Builder
	for i := range n {
		seconds, server := noon+int64(i/200), i%len(webs)
		request := fmt.Sprintf("GET /page/%d.html HTTP/1.1", i*7919%1000)
		fmt.Fprintf(&pen, "192.0.2.%d %d 10.0.0.%d %s\n", i%250, seconds, server, request)
		webs[server].WriteString(web(seconds+1, request))
	}
	files := []string{pen.String()}
	for i := range webs {
		files = append(files, webs[i].String())
	}
	args = []string{"-j", "10", "-p", dir + "/0"}
	for i, content := range files {
		path := fmt.Sprintf("%s/%d", dir, i)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
		size += int64(len(content))
		if i > 0 {
			args = append(args, fmt.Sprintf("10.0.0.%d:%s", i-1, path))
		}
	}
	return args, size
}

const benchLines = 20_000

func BenchmarkMerge(b *testing.B) {
	args, size := makeLogs(b, benchLines)
	b.SetBytes(size)
	for b.Loop() {
		if status := run(args, io.Discard, io.Discard); status != 0 {
			b.Fatal("status", status)
		}
	}
	b.ReportMetric(float64(benchLines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkMergeC is the C program on the same files.
func BenchmarkMergeC(b *testing.B) {
	needTheirs(b)
	args, size := makeLogs(b, benchLines)
	b.SetBytes(size)
	for b.Loop() {
		if err := exec.Command(theirs, args...).Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchLines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
