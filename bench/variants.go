//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Variants are pens started in another way than the usual one, to see what that costs. Their tests name them, and compare
// the first one of their peers with the others.

const (
	twoReactors = "pen-2"
	bare        = "pen-bare"
	recording   = "pen-access"
	full        = "pen-full"
	probing     = "pen-probes"

	fakeServers = 2000

	// allCores lets the proxy and the load share both: two reactors on one core would only show what a reactor more costs, not
	// what it takes to work side by side.
	allCores = "0,1:0,1"
)

var variants = []Peer{
	{Name: twoReactors, Help: "pen with two reactors", Launch: penWith("reactors 2")},
	{Name: bare, Help: "pen with nothing switched on, not even tracking", Launch: penWith("roundrobin")},
	{Name: full, Help: "pen with tracking, the log of all requests, and metrics that are asked for each second", Launch: launchRecording("log", "pen.log")},
	{Name: recording, Help: "likewise with the access log instead, a line a connection", Launch: launchRecording("access_log", "access.log")},
	{Name: probing, Help: "pen that probes 2000 other servers each second", Launch: launchProbing},
}

var variantTests = []Test{
	{Name: "reactors-64", Help: "as keepalive-64, proxy and load on both cores", Origin: small, Client: Client{Does: keepAlive, Conns: 64},
		Unit: request, Among: []string{twoReactors, ours}, Layout: allCores},
	{Name: "reactors-512", Help: "as keepalive-512, proxy and load on both cores", Origin: small, Client: Client{Does: keepAlive, Conns: 512},
		Unit: request, Among: []string{twoReactors, ours}, Layout: allCores},
	{Name: "features-64", Help: "as keepalive-64, with features on", Origin: small, Client: Client{Does: keepAlive, Conns: 64},
		Unit: request, Among: []string{full, recording, bare}},
	{Name: "features-512", Help: "as keepalive-512, with features on", Origin: small, Client: Client{Does: keepAlive, Conns: 512},
		Unit: request, Among: []string{full, recording, bare}},
	{Name: "features-connect", Help: "as connect-64, with features on", Origin: smallOnce, Client: Client{Does: connect, Conns: 64},
		Unit: request, Among: []string{full, recording, bare}},
	{Name: "probes-64", Help: "as keepalive-64, beside 2000 fake servers", Origin: small, Client: Client{Does: keepAlive, Conns: 64},
		Unit: request, Among: []string{probing, ours}, Fakes: fakeServers},
	{Name: "probes-paced", Help: "as paced-64, beside 2000 fake servers", Origin: small, Client: Client{Does: keepAlive, Conns: 64, Rate: halfLoad},
		Unit: paced, Among: []string{probing, ours}, Fakes: fakeServers},
}

// variantPeers are the variants with what they have in common.
func variantPeers() []Peer {
	list := slices.Concat(variants, soakVariants)
	for i := range list {
		list[i].Program, list[i].Version, list[i].Variant = "bin/pen", []string{"--version"}, true
		list[i].Can = canMemory
	}
	return list
}

// penWith returns how to start pen with some more commands.
func penWith(commands ...string) func(Setup) Launch {
	return func(s Setup) Launch {
		l := launchPen(s)
		for _, c := range commands {
			l.Args = append(l.Args, "-O", c)
		}
		return l
	}
}

// launchRecording returns how to start pen with metrics and a kind of log in a file.
func launchRecording(log, file string) func(Setup) Launch {
	return func(s Setup) Launch {
		l := penWith(log+" "+s.Dir+"/"+file, "metrics "+s.Spare)(s)
		l.Scrape = "http://" + s.Spare + "/metrics"
		return l
	}
}

// launchProbing starts a pen that has a second service, which nobody uses, with all the fake servers.
func launchProbing(s Setup) Launch {
	l := launchPen(s)
	l.Args = append(l.Args, "-F", s.Dir+"/pen.conf")
	var text strings.Builder
	fmt.Fprintf(&text, "service probed\nlisten %s\nprobe tcp interval 1\n", s.Spare)
	for i, address := range s.Fakes {
		host, port, _ := strings.Cut(address, ":")
		fmt.Fprintf(&text, "server %d address %s port %s\n", i, host, port)
	}
	l.Files = map[string]string{"pen.conf": text.String()}
	return l
}

// fakeAddress is that of the fake server i, all of which have the same port.
func fakeAddress(i int, port string) string {
	const perNetwork = 250
	return "127.1." + strconv.Itoa(i/perNetwork) + "." + strconv.Itoa(i%perNetwork+1) + ":" + port
}
