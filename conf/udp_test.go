package conf

import (
	"io"
	"strings"
	"testing"
)

// The name of a port is one of udp or of tcp, so a service with such a name can't change its network.
func TestNetworkOfNames(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string // in the error of the last line; "" = none
	}{
		{"numbers", []string{"listen 53", "udp", "no udp"}, ""},
		{"known to both", []string{"listen domain", "udp", "no udp"}, ""},
		{"udp only", []string{"udp", "listen tftp", "emergency h:tftp"}, ""},
		{"listen", []string{"udp", "listen tftp", "no udp"}, "tftp"},
		{"emergency", []string{"udp", "emergency h:tftp", "no udp"}, "tftp"},
		{"abuse", []string{"abuse h:smtp", "udp"}, "smtp"},
	}
	for _, tt := range tests {
		d := NewDraft(Default(), Offline{})
		var err error
		for _, line := range tt.lines {
			if err != nil {
				t.Errorf("%s: before %q: %v", tt.name, line, err)
			}
			err = d.Exec(line, io.Discard)
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: got error %v, want none", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got error %v, want one about %s", tt.name, err, tt.want)
		case tt.want != "" && d.Settings().Services[0].UDP != (tt.lines[0] == "udp"):
			t.Errorf("%s: the network has changed", tt.name)
		}
	}
}
