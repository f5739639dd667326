package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

var (
	serverA = netip.MustParseAddr("10.0.0.1")
	serverB = netip.MustParseAddr("2001:db8::1")
)

func TestFind(t *testing.T) {
	long := strings.Repeat("x", 150)
	tests := []struct {
		name    string
		room    int
		add     []string // client text, all for server A
		request string
		want    string // "" for nobody
	}{
		{"nothing known", 2, nil, "GET /", ""},
		{"same", 2, []string{"c1 GET /"}, "GET /", "c1"},
		{"newest", 5, []string{"c1 GET /", "c2 GET /x", "c3 GET /", "c4 GET /y"}, "GET /", "c4"},
		{"newest of the same", 5, []string{"c1 GET /", "c2 POST /", "c3 GET /"}, "GET /", "c3"},
		{"prefix", 5, []string{"c1 GET /a HTTP/1.0"}, "GET /a", "c1"},
		{"longer than the entry", 5, []string{"c1 GET /a"}, "GET /a HTTP/1.0", ""},
		{"all of n are kept", 2, []string{"c1 A", "c2 B"}, "A", "c1"},
		{"n and no more", 2, []string{"c1 A", "c2 B", "c3 C"}, "A", ""},
		{"one", 1, []string{"c1 A", "c2 B"}, "B", "c2"},
		{"renewed", 2, []string{"c1 A", "c2 A", "c3 B"}, "A", "c2"},
		{"forgotten after being renewed", 2, []string{"c1 A", "c2 A", "c3 B", "c4 C"}, "A", ""},
		{"empty request", 2, []string{"c1 A", "c2 B"}, "", "c2"},
		{"long", 2, []string{"c1 " + long}, long, "c1"},
		{"long ones differ at the end", 2, []string{"c1 " + long + "a", "c2 " + long + "b"}, long + "a", "c1"},
		{"entry was cut at 100", 2, []string{"c1 " + long[:100]}, long, "c1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEntries(tt.room)
			for _, a := range tt.add {
				client, text, _ := strings.Cut(a, " ")
				e.add(client, serverA, []byte(text))
			}
			if got, ok := e.find(serverA, []byte(tt.request)); got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
			if got, ok := e.find(serverB, []byte(tt.request)); ok {
				t.Errorf("other server: got %q, want nobody", got)
			}
		})
	}
}

// TestFindLikeALinearSearch compares with the obvious way of doing it.
func TestFindLikeALinearSearch(t *testing.T) {
	type known struct {
		client, text string
		server       netip.Addr
	}
	random := rand.New(rand.NewPCG(1, 2))
	const room = 7
	e := newEntries(room)
	var all []known
	for i := range 20_000 {
		server := []netip.Addr{serverA, serverB}[random.IntN(2)]
		text := strings.Repeat("a", random.IntN(3)) + strings.Repeat("b", random.IntN(3))
		if random.IntN(2) == 0 {
			all = append(all, known{fmt.Sprint(i), text, server})
			e.add(fmt.Sprint(i), server, []byte(text))
			continue
		}
		want := ""
		for _, k := range all[max(0, len(all)-room):] {
			if k.server == server && strings.HasPrefix(k.text, text) {
				want = k.client
			}
		}
		if got, _ := e.find(server, []byte(text)); got != want {
			t.Fatalf("step %d: got %q, want %q", i, got, want)
		}
	}
	if n := len(e.requests[serverA]) + len(e.requests[serverB]); n > room {
		t.Errorf("%d requests are kept, want at most %d", n, room)
	}
}

func BenchmarkEntries(b *testing.B) {
	for _, room := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(room), func(b *testing.B) {
			e := newEntries(room)
			text := make([][]byte, 2*room)
			for i := range text {
				text[i] = fmt.Appendf(nil, "GET /page/%d.html HTTP/1.1", i*7919%len(text))
			}
			i := 0
			for b.Loop() {
				e.add("192.0.2.1", serverA, text[i%len(text)])
				if _, ok := e.find(serverA, text[i%len(text)]); !ok {
					b.Fatal("not found")
				}
				i++
			}
		})
	}
}

func TestNamesAreLookedUpOnceAndNotWithoutEnd(t *testing.T) {
	lookups := 0
	n := newNames(func(name string) (netip.Addr, error) {
		lookups++
		if name == "known" {
			return serverA, nil
		}
		return netip.Addr{}, fmt.Errorf("no %s", name)
	})
	for range 3 {
		if got, ok := n.address([]byte("known")); got != serverA || !ok {
			t.Errorf("known: got %v, %v, want %v", got, ok, serverA)
		}
		for i := range 2 * namesMax {
			if got, ok := n.address(fmt.Append(nil, "unknown", i)); ok {
				t.Errorf("unknown: got %v", got)
			}
		}
	}
	if lookups != namesMax {
		t.Errorf("got %d lookups, want %d", lookups, namesMax)
	}
	n.forget()
	if n.address([]byte("unknown")); lookups != namesMax+1 {
		t.Error("nothing is looked up again after forget")
	}
	if got, ok := n.address([]byte("::ffff:10.0.0.1")); got != serverA || !ok {
		t.Errorf("mapped address: got %v, %v, want %v", got, ok, serverA)
	}
}

// FuzzHandle checks that no datagram makes penlogd panic and that what it writes ends as the datagram does.
func FuzzHandle(f *testing.F) {
	f.Add([]byte("+ 1.2.3.4 10.0.0.1 GET /\n"), []byte("9.9.9.9 - \"GET /\" 200\n"))
	f.Add([]byte("+"), []byte("\"\""))
	f.Add([]byte("+ a b c"), []byte(" \"c\""))
	f.Fuzz(func(t *testing.T, pen, web []byte) {
		var log bytes.Buffer
		r := newTestReceiver(t, &log)
		r.handle(pen, serverA)
		log.Reset()
		wrote := r.handle(web, serverA)
		r.out.flush()
		if !wrote {
			return
		}
		_, tail, _ := bytes.Cut(web, []byte{' '})
		if wrote && !bytes.HasSuffix(log.Bytes(), tail) {
			t.Errorf("%q then %q: got %q", pen, web, &log)
		}
	})
}
