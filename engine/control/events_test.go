package control

import (
	"testing"
)

func TestRecent(t *testing.T) {
	tests := []struct {
		name        string
		added       int
		since       uint64
		first, want int // the number of the first one, and how many
	}{
		{"none", 0, 0, 0, 0}, {"some", 3, 0, 0, 3}, {"what is new", 3, 2, 2, 1}, {"nothing new", 3, 3, 0, 0},
		{"as many as are kept", maxEvents + 10, 0, 10, maxEvents}, {"new ones of many", maxEvents + 10, maxEvents + 8, maxEvents + 8, 2},
	}
	for _, tt := range tests {
		c := &Control{}
		for n := range tt.added {
			c.events.add(Event{Server: n})
		}
		got, n := c.RecentSince(tt.since)
		if len(got) != tt.want || n != uint64(tt.added) || tt.want > 0 && got[0].Server != tt.first {
			t.Errorf("%s: got %d events of %d, want %d of %d, the first one %d", tt.name, len(got), n, tt.want, tt.added, tt.first)
		}
	}
}

func TestChanged(t *testing.T) {
	c := &Control{}
	more := c.Changed()
	select {
	case <-more:
		t.Error("there is no event yet")
	default:
	}
	c.events.add(Event{})
	<-more
	if again := c.Changed(); again == more {
		t.Error("the channel of the next event is closed already")
	}
}

// What the operator switches is an event, and what probes find.
func TestEventsOfServers(t *testing.T) {
	r := start(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0", "server 0 address 127.0.0.1 port 1")
	if got := r.say(t, "server 0 maint"); got != "" {
		t.Fatal(got)
	}
	more := r.Changed()
	r.say(t, "probe tcp port 1 fall 1 interval 0.1")
	<-more
	got := r.Recent()
	want := []Event{
		{Service: "default", Address: "127.0.0.1:1", From: "ready", To: "maint", Reason: "by command"},
		{Service: "default", Address: "127.0.0.1:1", From: "probing", To: "down", Reason: "tcp: connect: connection refused"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		got[i].Time = want[i].Time
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}
