package engine

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"pen/conf"
)

// writeGeoIP makes a database of countries: networks and their codes.
func writeGeoIP(t *testing.T, file string, countries map[string]string) {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-Country", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range countries {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(n, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := w.WriteTo(f); err != nil {
		t.Fatal(err)
	}
}

func TestGeoIP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "countries.mmdb")
	writeGeoIP(t, file, map[string]string{"10.1.0.0/16": "FI", "10.2.0.0/16": "SE", "2001:db8:1::/48": "FI"})
	s := conf.Default()
	s.GeoIP = file
	s.ACL[3] = conf.ACL{{Permit: true, Country: "FI"}}
	g := newRegistry()
	first, err := g.compile(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(p *plan, want map[string]bool) {
		t.Helper()
		for addr, want := range want {
			if got := p.matchers[3].Permit(mustAddr(addr)); got != want {
				t.Errorf("%s: permitted %v, want %v", addr, got, want)
			}
		}
	}
	check(first, map[string]bool{"10.1.2.3": true, "10.2.2.3": false, "10.3.2.3": false, "2001:db8:1::1": true, "2001:db8:2::1": false, "::ffff:10.1.2.3": true})

	writeGeoIP(t, file, map[string]string{"10.2.0.0/16": "FI"})
	same, err := g.compile(s.Clone(), first)
	if err != nil {
		t.Fatal(err)
	}
	check(same, map[string]bool{"10.1.2.3": true, "10.2.2.3": false}) // nobody asked to read it again

	g.reread = true
	anew, err := g.compile(s.Clone(), same)
	if err != nil {
		t.Fatal(err)
	}
	check(anew, map[string]bool{"10.1.2.3": false, "10.2.2.3": true})

	if err := os.WriteFile(file, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.reread = true
	if _, err := g.compile(s.Clone(), anew); err == nil {
		t.Error("a broken database was accepted")
	}
}
