package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// networks counts those that were made, for their names.
var networks atomic.Int32

// netns NAME... makes a host of its own for each name: a network namespace with an interface eth0 and the address
// 192.0.2.N, N from 1 in the order of the names. All are on one Ethernet, whose bridge is in one more namespace. $NAME is what
// `ip netns exec` wants. They are removed when the script ends, after its programs.
func makeHosts(sc *scenario, args []string) (string, error) {
	if len(args) == 0 {
		return "", errors.New("usage: netns NAME...")
	}
	if err := ensure("ip"); err != nil {
		skip(sc.tb, err)
	}
	prefix := fmt.Sprintf("pen%d-%d-", os.Getpid(), networks.Add(1))
	bridge := prefix + "bridge"
	if err := sc.addHost(bridge); err != nil {
		skip(sc.tb, fmt.Errorf("no network namespaces: %w", err))
	}
	if err := ip("-n", bridge, "link", "add", "br0", "up", "type", "bridge"); err != nil {
		return "", err
	}
	for i, name := range args {
		host := prefix + name
		sc.ts.Setenv(name, host)
		if err := sc.addHost(host); err != nil {
			return "", err
		}
		port := fmt.Sprint("port", i+1)
		for _, line := range []string{
			"-n " + bridge + " link add " + port + " type veth peer name eth0 netns " + host,
			"-n " + bridge + " link set " + port + " master br0 up",
			"-n " + host + " address add " + fmt.Sprintf("192.0.2.%d/24", i+1) + " dev eth0",
			"-n " + host + " link set eth0 up",
		} {
			if err := ip(strings.Fields(line)...); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// addHost makes a network namespace that end removes.
func (sc *scenario) addHost(name string) error {
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	sc.hosts = append(sc.hosts, name)
	return ip("-n", name, "link", "set", "lo", "up")
}

// removeHosts removes the namespaces.
func (sc *scenario) removeHosts() {
	for _, name := range sc.hosts {
		if err := ip("netns", "delete", name); err != nil {
			sc.tb.Error(err)
		}
	}
}

// ip runs the program of that name.
func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
