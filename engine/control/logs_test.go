package control

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pen/conf"
	"pen/engine"
)

// memory is a target that keeps what it gets.
type memory struct{ bytes.Buffer }

func (*memory) Flush() error { return nil }
func (*memory) Close() error { return nil }

func TestAccessRecord(t *testing.T) {
	a := engine.AccessRecord{
		Time: time.Date(2026, 11, 23, 1, 2, 3, 456e6, time.UTC), Service: "web", Client: netip.MustParseAddr("2001:db8::1"), ClientPort: 99,
		Server: "10.0.0.1:80", Received: 80, Sent: 43, Connect: 250 * time.Microsecond, FirstByte: time.Millisecond,
		Total: 1500*time.Millisecond + 7, End: "client",
	}
	encrypted := engine.AccessRecord{Time: a.Time, Service: "web", End: "client",
		TLS: &engine.TLSRecord{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Name: "www.example", Client: "a user", Resumed: true}}
	bare := engine.AccessRecord{Time: a.Time, Service: "default", End: "denied"}
	tests := []struct {
		name string
		json bool
		in   engine.AccessRecord
		want string
	}{
		{"text", false, a, "time=2026-11-23T01:02:03.456Z service=web client=[2001:db8::1]:99 server=10.0.0.1:80 received=80 sent=43 connect=0.00025 first_byte=0.001 total=1.5 end=client\n"},
		{"json", true, a, `{"time":"2026-11-23T01:02:03.456Z","service":"web","client":"[2001:db8::1]:99","server":"10.0.0.1:80","received":80,"sent":43,"connect":0.00025,"first_byte":0.001,"total":1.5,"end":"client"}` + "\n"},
		{"TLS", false, encrypted, "time=2026-11-23T01:02:03.456Z service=web client=unix received=0 sent=0 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 resumed=true " +
			"name=www.example client_cert=\"a user\" total=0 end=client\n"},
		{"what never happened is left out", false, bare, "time=2026-11-23T01:02:03.456Z service=default client=unix received=0 sent=0 total=0 end=denied\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m memory
			if err := writeAccess(accessTarget{&m, newAccessHandler(&m, tt.json)}, []engine.AccessRecord{tt.in}); err != nil || m.String() != tt.want {
				t.Errorf("got  %s, %v\nwant %s", m.String(), err, tt.want)
			}
		})
	}
}

func TestDatagramsOfALog(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := openRequests(l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := writeRequests(to, []byte("+ a b c\n+ d e f\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	for _, want := range []string{"+ a b c\n", "+ d e f\n"} {
		l.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, _, err := l.ReadFrom(b); string(b[:n]) != want {
			t.Errorf("got %q, %v, want %q", b[:n], err, want)
		}
	}
}

// A target that can't be opened leaves all logs as they are.
func TestLogsOpenAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	s := conf.Default()
	s.Services[0].Log = filepath.Join(dir, "requests")
	s.Services[0].AccessLog.To = filepath.Join(dir, "no", "access")
	l := newLogs(NewLog(&bytes.Buffer{}))
	if list, err := l.open(s, false); err == nil || list != nil {
		t.Errorf("got %v, %v, want an error", list, err)
	}
	s.Services[0].AccessLog.To = filepath.Join(dir, "access")
	list, err := l.open(s, false)
	if err != nil || len(list) != 1 || list[0].requests == nil || list[0].access == nil {
		t.Fatalf("got %v, %v, want both targets", list, err)
	}
	drop(list)
	for _, name := range []string{"requests", "access"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
