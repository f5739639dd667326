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
	want := *before
	if before.Runtime != 0 { // else the kernel knows no slices, and nothing changes
		want.Runtime = uint64(slice)
		if before.Runtime <= want.Runtime {
			t.Errorf("a slice of %d ns is not shorter than the usual %d ns", want.Runtime, before.Runtime)
		}
	}
	if *after != want {
		t.Errorf("got %+v, want %+v", *after, want)
	}
}
