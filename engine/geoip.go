package engine

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"
)

// geoip is a MaxMind database of countries (GeoLite2-Country and its relatives). It is read into memory as a whole:
// replacing or truncating the file under a running pen then does no harm, and the memory of an old one is collected
// when the last plan that used it is gone.
type geoip struct {
	file   string
	reader *maxminddb.Reader
}

// openGeoIP reads a database; "" is none.
func openGeoIP(file string) (*geoip, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("geoip: %w", err)
	}
	r, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("geoip %s: expected a MaxMind database: %w", file, err)
	}
	return &geoip{file, r}, nil
}

// country returns the two letters of the country that an address is in, "" if that is not known.
func (g *geoip) country(a netip.Addr) (code string) {
	if g == nil || g.reader.Lookup(a.Unmap()).DecodePath(&code, "country", "iso_code") != nil {
		return ""
	}
	return code
}
