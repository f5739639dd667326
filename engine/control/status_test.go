package control

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pen/conf"
)

// sample is the state in which the C pen wrote testdata/status.html: two servers, and one client with two connections.
func sample(t *testing.T) report {
	t.Helper()
	at, err := time.ParseInLocation(timeFormat, "2026-11-23 01:19:02", time.Local)
	if err != nil {
		t.Fatal(err)
	}
	service := conf.NewService("default")
	service.Servers = []conf.Server{
		{Address: "127.0.0.1", Port: 19001, Max: 10, Hard: 12, Weight: 3, Prio: 4},
		{Address: "127.0.0.1", Port: 19002},
	}
	return report{
		at:      at,
		service: service,
		last:    1,
		servers: []conf.ServerStatus{
			{Address: "127.0.0.1", Port: 19001},
			{Address: "127.0.0.1", Port: 19002, Connections: 2, Sent: 12, Received: 12},
		},
		clientsMax:     2048,
		clients:        []conf.ClientStatus{{Address: "127.0.0.1", Age: 900 * time.Millisecond, Server: 1, Connects: 2, Sent: 12, Received: 12}},
		connectionsMax: 500,
		connections: []conf.ConnectionStatus{
			{Number: 0, State: 2, DownFD: 8, UpFD: 9, Client: "127.0.0.1", Server: 1},
			{Number: 1, State: 2, DownFD: 11, UpFD: 12, Client: "127.0.0.1", Server: 1},
		},
	}
}

func TestStatusPageIsThatOfPen(t *testing.T) {
	want, err := os.ReadFile("testdata/status.html")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(page(sample(t))); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatusPageOfSeveralServices(t *testing.T) {
	web, mail := sample(t), sample(t)
	service := *mail.service
	service.Name = "<mail>"
	mail.service = &service
	got := string(page(web, mail))
	for _, want := range []string{"<h2>Service default</h2>\n", "<h2>Service &lt;mail&gt;</h2>\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("got %d times %q, want once", strings.Count(got, want), want)
		}
	}
	if got, want := strings.Count(got, "<html>"), 1; got != want {
		t.Errorf("got %d pages, want %d", got, want)
	}
}

func TestStatusText(t *testing.T) {
	r := sample(t)
	r.connections = r.connections[:1]
	want := []string{
		"Time 2026-11-23 01:19:02, 2 servers, 1 current",
		"Server 0 status:\naddress 127.0.0.1\n0\nport 19001\n0 connections (10 soft, 12 hard)\n0 sent, 0 received\n",
		"Server 1 status:\naddress 127.0.0.1\n0\nport 19002\n2 connections (0 soft, 0 hard)\n12 sent, 12 received\n",
		"Max number of clients: 2048",
		"Active clients:",
		"Client 0 status:\naddress 127.0.0.1\nlast used " + strconv.FormatInt(r.at.Add(-r.clients[0].Age).Unix(), 10) + "\nlast server 1\nconnects 2\n12 sent, 12 received\n",
		"Max number of connections: 500",
		"Active connections:",
		"Connection 0 status:\ndownfd = 8, upfd = 9\npending data 0 down, 0 up\nclient 0, server 1\n",
	}
	got := r.text()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("message %d:\ngot  %q\nwant %q", i, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
}

func TestStatusOfNothing(t *testing.T) {
	r := report{service: conf.NewService("default")}
	if got, want := string(page(r)), "Number of connections: 0 max, 0 used, 0 last<p>"; !strings.Contains(got, want) {
		t.Errorf("got %s\nwant %q in it", got, want)
	}
}

// A server that a command has just removed may still be known to the engine.
func TestStatusOfRemovedServer(t *testing.T) {
	r := sample(t)
	r.service.Servers = r.service.Servers[:1]
	if got, want := string(page(r)), "<td>19002</td>"; !strings.Contains(got, want) {
		t.Errorf("got %s\nwant %q in it", got, want)
	}
}
