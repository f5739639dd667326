package conf

import (
	"io"
	"strings"
	"testing"
)

func TestHTTP(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string // what is written, or what the error of the last line says
	}{
		{"nothing", nil, "no http"},
		{"plain", []string{"http"}, "http"},
		{"plain keeps the words", []string{"http forwarded", "http"}, "http forwarded"},
		{"words add up", []string{"http forwarded", "http append", "http trusted 3", "http only"}, "http append forwarded only trusted 3"},
		{"all in one, in any order", []string{"http trusted 0 only replace forwarded"}, "http replace forwarded only trusted 0"},
		{"the last one counts", []string{"http append", "http replace", "http trusted 1", "http trusted 2"}, "http replace trusted 2"},
		{"no http forgets all", []string{"http append forwarded only trusted 2", "no http", "http"}, "http"},
		{"no word", []string{"http append forwarded only trusted 2", "no http forwarded", "no http trusted", "no http only"}, "http append"},
		{"no other word", []string{"http append", "no http replace"}, "http append"},
		{"no word while off", []string{"no http only"}, "no http"},
		{"unknown", []string{"http appended"}, "error: expected append, replace, forwarded, only or trusted, not 'appended'"},
		{"unknown changes nothing", []string{"http only nonsense"}, "error: not 'nonsense'"},
		{"no list", []string{"http trusted"}, "error: expected the number of an access list after trusted"},
		{"list out of range", []string{"http trusted 10"}, "error: from 0 to 9"},
		{"no unknown", []string{"no http 7"}, "error: not '7'"},
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
		v := d.Settings().Services[0]
		if text, wrong := strings.CutPrefix(tt.want, "error: "); wrong {
			if err == nil || !strings.Contains(err.Error(), text) || v.HTTP != NewService("").HTTP {
				t.Errorf("%s: got %v, %+v; want an error with %q and no change", tt.name, err, v.HTTP, text)
			}
		} else if got := httpLines(nil, nil, v)[0]; err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}
