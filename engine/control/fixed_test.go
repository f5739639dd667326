package control

import (
	"strings"
	"testing"
)

// TestFixedAtStart checks that a file cannot change what is decided at start, while saying the same again is fine.
func TestFixedAtStart(t *testing.T) {
	name := file(t, "tracking 7")
	r := start(t, account, "control 127.0.0.1:0", "foreground", "include "+name)
	for _, tt := range []struct{ line, want string }{
		{"chroot /nowhere", "chroot can't change from '' to '/nowhere' while pen runs: restart it"},
		{"pid_file /nowhere/pid", "pid_file can't change from '' to '/nowhere/pid' while pen runs: restart it"},
		{"no foreground", "foreground can't change from 'true' to 'false' while pen runs: restart it"},
		{"sandbox", "sandbox can't change from 'false' to 'true' while pen runs: restart it"},
		{"user somebody", "user can't change from '"},
	} {
		rewrite(t, name, "tracking 8", tt.line)
		r.reload()
		if got := r.log.String(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q logged, want %q in it", tt.line, got, tt.want)
		}
		if got, want := r.say(t, "tracking"), "7\n"; got != want {
			t.Errorf("%s: got tracking %q, want %q", tt.line, got, want)
		}
	}
	rewrite(t, name, "tracking 9", "foreground", "no chroot", "no pid_file")
	r.reload()
	if got, want := r.say(t, "tracking"), "9\n"; got != want {
		t.Errorf("the same again: got tracking %q, want %q", got, want)
	}
}
