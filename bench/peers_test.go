//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
)

var setup = Setup{Dir: "/tmp/x", Listen: "127.0.0.1:7001", Origin: "127.0.0.1:7002", Connections: 1500}

func TestLaunch(t *testing.T) {
	forwarded := setup
	forwarded.Forwarded = true
	for _, tt := range []struct {
		name, peer string
		in         Setup
		want       []string // in the command line or in a file
		not        []string
	}{
		{"pen", "pen", setup, []string{"-f", "-x 1500", "127.0.0.1:7001 127.0.0.1:7002"}, []string{"-H"}},
		{"pen, forwarded", "pen", forwarded, []string{"-H", "127.0.0.1:7001 127.0.0.1:7002"}, nil},
		{"the C pen", "penc", setup, []string{"-f", "-x 1500", "-O tcp_nodelay", "-m 64"}, []string{"-H"}},
		{"haproxy", "haproxy", setup, []string{"-db", "-f /tmp/x/haproxy.cfg", "maxconn 1500", "mode tcp", "bind 127.0.0.1:7001 ",
			"server origin 127.0.0.1:7002\n"}, []string{"splice", "http"}},
		{"haproxy, forwarded", "haproxy", forwarded, []string{"mode http", "option forwardfor"}, []string{"mode tcp"}},
		{"haproxy, splice", "haproxy-splice", setup, []string{"mode tcp", "option splice-request", "option splice-response"}, nil},
		{"nginx", "nginx", setup, []string{"-p /tmp/x -c /tmp/x/nginx.conf", "daemon off;", "master_process off;",
			"worker_connections 3000;", "listen 127.0.0.1:7001 ", "proxy_pass 127.0.0.1:7002;"}, nil},
		{"netpoll", "netpoll", setup, []string{roleCommand, `"listen":"127.0.0.1:7001"`, `"origin":"127.0.0.1:7002"`}, nil},
	} {
		i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == tt.peer })
		got := peers[i].Launch(tt.in)
		text := strings.Join(got.Args, " ")
		for _, content := range got.Files {
			text += "\n" + content
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: got %q, want %q in it", tt.name, text, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: got %q, want no %q in it", tt.name, text, not)
			}
		}
	}
}

func TestTablesAreSound(t *testing.T) {
	names := map[string]bool{}
	for _, p := range peers {
		if p.Name == "" || p.Help == "" || names[p.Name] {
			t.Errorf("peer %+v: name and help are needed, and the name once", p)
		}
		names[p.Name] = true
		if p.Rival != 0 && (p.Program == "" || p.Can&canMemory == 0) {
			t.Errorf("%s: a rival is a program", p.Name)
		}
		if p.Program != "" && len(p.Version) == 0 {
			t.Errorf("%s: how does it tell its version?", p.Name)
		}
	}
	for _, test := range tests {
		if test.Name == "" || test.Help == "" || names[test.Name] {
			t.Errorf("test %+v: name and help are needed, and the name once", test)
		}
		names[test.Name] = true
		if test.Client.Conns < 1 || test.Unit.Judged < 1 || test.Unit.Judged > len(test.Unit.Metrics) {
			t.Errorf("%s: no connections, or nothing to judge", test.Name)
		}
		if !strings.Contains(test.Name, "-") {
			t.Errorf("%s: a name is KIND-SIZE", test.Name)
		}
		if test.Client.Does == connect && (test.Origin.Does != replyClose || test.Origin.bulk()) {
			t.Errorf("%s: a connection per request needs an origin that closes after a small reply", test.Name)
		}
	}
	for _, u := range []Unit{request, byteCount, streamed, quiet} {
		for _, m := range u.Metrics {
			if m.Name == "" || m.Slug == "" || m.Scale == 0 || m.Of == nil {
				t.Errorf("metric %q of %s is not complete", m.Name, u.Name)
			}
		}
	}
}

func TestTakesPart(t *testing.T) {
	small, bulk, idle, head := Test{Unit: request}, Test{Unit: byteCount}, Test{Unit: quiet, Needs: canMemory},
		Test{Unit: request, Needs: canForward}
	for _, tt := range []struct {
		name string
		peer Ability
		test Test
		want bool
	}{
		{"no proxy, small", 0, small, true},
		{"no proxy, idle: whose memory?", 0, idle, false},
		{"proxy, idle", canMemory, idle, true},
		{"cannot add a header", canMemory, head, false},
		{"can add a header", canMemory | canForward, head, true},
		{"for bulk only, small", canMemory | bulkOnly, small, false},
		{"for bulk only, idle", canMemory | bulkOnly, idle, false},
		{"for bulk only, bulk", canMemory | bulkOnly, bulk, true},
	} {
		if got := (Peer{Can: tt.peer}).takesPart(tt.test); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nginx", "nginx version: nginx/1.22.1\n", "nginx/1.22.1"},
		{"haproxy", "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n", "HAProxy version 2.6.12-1+deb12u4"},
		{"pen", "2026-11-23 01:25:23: read_cfg((null))\n2026-11-23 01:25:23: pen 0.34.1 starting\n", "pen 0.34.1"},
		{"none", "usage: 127.0.0.1\n", ""},
	} {
		if got := parseVersion(tt.in); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
