package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// identity is who a process is after it became somebody else in a jail.
type identity struct {
	UID, GID int
	Groups   []int
	Dir      string
	Files    []string // in the working directory
	Regained bool     // root
}

// become is a role: it drops everything and prints who it is then.
func become() int {
	u, err := LookupUser("nobody")
	if err == nil {
		err = Chroot(".")
	}
	if err == nil {
		err = Become(u)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	id := identity{UID: os.Geteuid(), GID: os.Getegid()}
	id.Groups, _ = os.Getgroups()
	id.Dir, _ = os.Getwd()
	entries, _ := os.ReadDir(".")
	for _, e := range entries {
		id.Files = append(id.Files, e.Name())
	}
	id.Regained = syscall.Setuid(0) == nil
	json.NewEncoder(os.Stdout).Encode(id)
	return 0
}

func TestBecomeInAJail(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may change root directory and user")
	}
	nobody, err := LookupUser("nobody")
	if err != nil {
		t.Skip(err)
	}
	cmd, stderr := start(t, "become")
	if err := os.Chmod(cmd.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cmd.Dir+"/in the jail", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	var got identity
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.Groups)
	want := identity{nobody.UID, nobody.GID, slices.Compact(slices.Sorted(slices.Values(nobody.Groups))), "/", []string{"in the jail"}, false}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBecomeWhoWeAre(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root gives up his groups for good, the test would change its own process")
	}
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	u, err := LookupUser(me.Username)
	if err != nil {
		t.Skip(err)
	}
	if err := Become(u); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestLookupUserNamesTheUnknown(t *testing.T) {
	_, err := LookupUser("no-such-user")
	if err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("got %v, want an error that names the user", err)
	}
}

func TestChrootNamesTheDirectory(t *testing.T) {
	for _, dir := range []string{"", "/no/such/directory"} {
		err := Chroot(dir)
		if err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: got %v, want an error that names the directory", dir, err)
		}
	}
}
