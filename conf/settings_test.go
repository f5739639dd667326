package conf

import (
	"io"
	"testing"
)

// TestDraftsAreApart checks that neither of two drafts of the same settings, nor the settings, see what happens to the
// other: they share the entries of access lists.
func TestDraftsAreApart(t *testing.T) {
	base := []string{"acl 0 permit 10.0.0.1", "acl 0 permit 10.0.0.2", "acl 0 permit 10.0.0.3", "server 0 address www1", "service web", "server 0 address web1"}
	s, want := settings(t, base...), settings(t, base...)
	lines := []string{"acl 0 deny 10.0.0.9", "server 0 address www2", "service web server 3 max 1", "service mail", "timeout 9", "user pen"}
	others := []string{"acl 0 permit ::1", "server 0 address www3", "service web server 0 max 1", "no service web", "timeout 8", "user nobody"}
	a, b := NewDraft(s, Offline{}), NewDraft(s, Offline{})
	for i := range lines {
		for d, line := range map[*Draft]string{a: lines[i], b: others[i]} {
			if err := d.Exec(line, io.Discard); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !equal(s, want) {
		t.Errorf("the settings changed to\n%s", dump(s))
	}
	for d, said := range map[*Draft][]string{a: lines, b: others} {
		want := settings(t, append(base, append([]string{"service default"}, said...)...)...)
		if !equal(d.Settings(), want) {
			t.Errorf("a draft is\n%s\nwant\n%s", dump(d.Settings()), dump(want))
		}
	}
}

// BenchmarkQuery is a query on the control socket of a pen with long access lists.
func BenchmarkQuery(b *testing.B) {
	s := Default()
	s.ACL[0] = long(100_000)
	b.ReportAllocs()
	for b.Loop() {
		d := NewDraft(s, &running{})
		if err := d.Exec("mode", io.Discard); err != nil || d.Changed() {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads a file with a long access list.
func BenchmarkLoad(b *testing.B) {
	s := Default()
	s.ACL[0] = long(100_000)
	text := Format(s, "", then)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
