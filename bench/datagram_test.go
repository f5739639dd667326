//go:build linux

package main

import (
	"net"
	"testing"
	"time"
)

// A question without an answer is a failure, is asked again, and costs all the time that its client waited.
func TestLostQuestion(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.SetDeadline(time.Now().Add(10 * time.Second))
	l := newLoad(&loadRole{Client: Client{Conns: 1}, Origin: Origin{Does: mirror, Size: 60}, Address: server.LocalAddr().String()})
	l.setMeasuring(true)
	a, err := newAsker(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.begin(); err != nil {
		t.Fatal(err)
	}
	in := make([]byte, datagramRoom)
	if _, _, err := server.ReadFrom(in); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * answerTimeout)
	a.moment = long
	for fd := range a.asked {
		a.asked[fd] = question{first: long, last: long}
	}
	a.lost()
	n, from, err := server.ReadFrom(in)
	if err != nil {
		t.Fatal("the question is not asked again: ", err)
	}
	if _, err := server.WriteTo(in[:n], from); err != nil {
		t.Fatal(err)
	}
	for fd := range a.asked {
		if err := a.answered(fd); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Duration(l.latency.Max()); l.failures != 1 || l.requests != 1 || took < 2*answerTimeout {
		t.Errorf("%d failures, %d answers, the longest after %v; want 1, 1, at least %v", l.failures, l.requests, took, 2*answerTimeout)
	}
}
