package control

import (
	"io"
	"syscall"
	"testing"
	"time"

	"pen/conf"
)

// A pen tells who started it how it is: that it serves, that it is alive, that it ends.
func TestConditions(t *testing.T) {
	d := conf.NewDraft(conf.Default(), conf.Offline{})
	for _, line := range []string{"reactors 1", "conn_max 10", "listen 127.0.0.1:0", "server 0 address 127.0.0.1 port 1"} {
		if err := d.Exec(line, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	type news struct {
		is     Condition
		status string
	}
	told := make(chan news, 100)
	c, err := New(d, Options{Log: NewLog(io.Discard), Stdout: io.Discard, Watchdog: 2 * time.Millisecond,
		Tell: func(is Condition, status string) {
			select {
			case told <- news{is, status}:
			default: // nobody looks any more
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run() }()
	if got := <-told; got.is != Ready || got.status != "serving 127.0.0.1:0, 1 servers" {
		t.Errorf("got %v first, want it to be ready", got)
	}
	if got := <-told; got.is != Alive {
		t.Errorf("got %v, want it to be alive", got)
	}
	c.signals <- syscall.SIGTERM
	for got := range told {
		if got.is == Ending {
			break
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
