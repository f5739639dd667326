package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// User is an account of the system, looked up.
type User struct {
	Name   string
	UID    int
	GID    int
	Groups []int // all groups that the account is in, GID included
}

// LookupUser finds the account called name. It must run before Chroot, which hides the user database.
func LookupUser(name string) (*User, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	groups, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", name, err)
	}
	ids, err := numbers(append([]string{account.Uid, account.Gid}, groups...))
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	return &User{Name: name, UID: ids[0], GID: ids[1], Groups: ids[2:]}, nil
}

// numbers parses ids, which os/user has as strings.
func numbers(ids []string) ([]int, error) {
	list := make([]int, len(ids))
	for i, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("id %q is not a number", id)
		}
		list[i] = n
	}
	return list, nil
}

// Become makes all threads of the process run as the user for good: supplementary groups, group and user, in this
// order. Somebody who is the user already needs no privilege for it, and keeps his groups.
func Become(u *User) error {
	if u.is(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()) && u.UID != 0 {
		return nil
	}
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("become %s: set groups %v: %w", u.Name, u.Groups, err)
	}
	if err := syscall.Setgid(u.GID); err != nil {
		return fmt.Errorf("become %s: set group %d: %w", u.Name, u.GID, err)
	}
	if err := syscall.Setuid(u.UID); err != nil {
		return fmt.Errorf("become %s: set user %d: %w", u.Name, u.UID, err)
	}
	return u.check()
}

// is tells whether real and effective ids are all the user's.
func (u *User) is(uid, euid, gid, egid int) bool {
	return uid == u.UID && euid == u.UID && gid == u.GID && egid == u.GID
}

// check makes sure that Become has worked and that there is no way back.
func (u *User) check() error {
	if !u.is(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()) {
		return fmt.Errorf("become %s: still user %d and group %d", u.Name, os.Geteuid(), os.Getegid())
	}
	if u.UID != 0 && syscall.Setuid(0) == nil {
		return fmt.Errorf("become %s: root can be regained", u.Name)
	}
	return nil
}

// Chroot makes dir the root directory of the process and its working directory, so that no relative path
// leads out of the jail. (The C pen stays in the directory outside, which undoes the jail; a relative path that was
// given to pen together with a jail now counts from the jail's root.)
func Chroot(dir string) error {
	if dir == "" {
		return errors.New("chroot: no directory given")
	}
	if err := syscall.Chroot(dir); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	return nil
}
