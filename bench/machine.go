//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where the figures were taken: they mean nothing elsewhere.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	TCP    string `json:"tcp"` // congestion control
	Go     string `json:"go"`  // that built this program
	Arch   string `json:"arch"`
}

// thisMachine leaves empty what the kernel does not tell.
func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Arch: runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = parseCPUModel(text)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory, _ = parseStatus(text, "MemTotal")
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
		m.TCP = strings.TrimSpace(string(text))
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}

const versionTimeout = 2 * time.Second

// version asks a peer for its version. The pen under test is told apart by its content as well: it changes all day.
func version(ctx context.Context, p Peer) string {
	if p.Program == "" {
		return builtWith()
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	output, _ := exec.CommandContext(ctx, p.Program, p.Version...).CombinedOutput() // the status does not matter
	if p.Name != ours && p.Name != basePen {
		return parseVersion(string(output))
	}
	v, _, _ := strings.Cut(string(output), "\n")
	if content, err := os.ReadFile(p.Program); err == nil {
		v = fmt.Sprintf("%s sha256:%.6x", v, sha256.Sum256(content))
	}
	return strings.TrimSpace(v)
}

// builtWith tells what the parts of this program itself stand on.
func builtWith() string {
	words := []string{runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if path.Base(dep.Path) == "netpoll" {
				words = append(words, "netpoll "+dep.Version)
			}
		}
	}
	return strings.Join(words, ", ")
}
