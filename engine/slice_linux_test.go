package engine

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A thread that is to come soon asks for a short slice, and stays what it is otherwise.
func TestComeSoon(t *testing.T) {
	got := make(chan *unix.SchedAttr)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its slice
		for range 2 {
			a, err := unix.SchedGetAttr(0, 0)
			if err != nil {
				t.Error(err)
				a = &unix.SchedAttr{}
			}
			got <- a
			comeSoon()
		}
	}()
	before, after := <-got, <-got
	if before.Runtime == 0 {
		t.Skip("this kernel knows no slices (Linux 6.12)")
	}
	want := *before
	want.Runtime = uint64(slice)
	if *after != want {
		t.Errorf("got %+v, want %+v", *after, want)
	}
	if before.Runtime <= after.Runtime {
		t.Errorf("a slice of %d ns is not shorter than the usual %d ns", after.Runtime, before.Runtime)
	}
}
