package splice

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// noSplice returns a descriptor that splice(2) answers with EINVAL in both directions.
func noSplice(t *testing.T) Socket {
	t.Helper()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return Socket{FD: int32(fd)}
}

func TestOpenPipe(t *testing.T) {
	q := openPipe()
	if q == nil {
		t.Fatal("no pipe")
	}
	defer q.close()
	for _, fd := range []int{q.r, q.w} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v; want O_NONBLOCK", flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v; want FD_CLOEXEC", flags, err)
		}
	}
	if size, err := unix.FcntlInt(uintptr(q.r), unix.F_GETPIPE_SZ, 0); err != nil || size != pipeSize {
		t.Errorf("size %d, %v; want %d", size, err, pipeSize)
	}
}

// Without descriptors there is no pipe, and none is counted or leaked.
func TestNoDescriptors(t *testing.T) {
	p := newPool(t, 4)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	none := old
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	q := p.takePipe()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if q != nil || p.Counters().Pipes != 0 {
		t.Errorf("pipe %v, %d open; want none", q, p.Counters().Pipes)
	}
}

func TestPipeVerbs(t *testing.T) {
	for _, up := range setUps {
		t.Run(up.name, func(t *testing.T) {
			q := openPipe()
			defer q.close()
			a, from := up.make(t)
			b, to := up.make(t)
			want := func(step string, err, wantErr error, n int) {
				t.Helper()
				if err != wantErr || q.n != n {
					t.Fatalf("%s: %v, %d in the pipe; want %v, %d", step, err, q.n, wantErr, n)
				}
			}
			want("fill, nothing there", q.fill(from.FD, pipeSize), ErrAgain, 0)
			want("fill, refused", q.fill(noSplice(t).FD, pipeSize), errRefused, 0)
			writeAll(t, a, []byte("abcdef"))
			want("fill, limited", q.fill(from.FD, 4), nil, 4)
			_, err := q.pour(noSplice(t).FD)
			want("pour, refused", err, errRefused, 4)
			n, err := q.pour(to.FD)
			want("pour", err, nil, 0)
			got := make([]byte, 4)
			if _, err := io.ReadFull(b, got); err != nil || n != 4 || string(got) != "abcd" {
				t.Fatalf("got %q, %d, %v; want abcd", got, n, err)
			}
			want("fill, rest", q.fill(from.FD, pipeSize), nil, 2)
			if err := q.read(got[:2]); err != nil || string(got[:2]) != "ef" {
				t.Fatalf("read: %q, %v; want ef", got[:2], err)
			}
			a.Close()
			want("fill, ended", q.fill(from.FD, pipeSize), io.EOF, 0)
			defer func() {
				if recover() == nil {
					t.Error("fill of a pipe that is not empty does not panic")
				}
			}()
			q.n = 1
			q.fill(from.FD, pipeSize)
		})
	}
}

// Two bulk reads in a row, and only they, lead to splicing; a small splice leads back.
func TestJudge(t *testing.T) {
	type read struct{ got, want int }
	tests := []struct {
		name  string
		from  mode
		reads []read
		want  mode
	}{
		{"one", copying, []read{{bulkRead, bulkRead}}, warm},
		{"two", copying, []read{{bulkRead, maxLimit}, {maxLimit, maxLimit}}, splicing},
		{"short between", copying, []read{{bulkRead, maxLimit}, {bulkRead - 1, maxLimit}, {bulkRead, maxLimit}}, warm},
		{"cut by the budget between", copying, []read{{bulkRead, maxLimit}, {minLimit, minLimit}, {bulkRead, maxLimit}}, splicing},
		{"barred", barred, []read{{maxLimit, maxLimit}, {maxLimit, maxLimit}}, barred},
	}
	for _, tt := range tests {
		r := Relay{mode: tt.from}
		for _, step := range tt.reads {
			r.judge(step.got, step.want)
		}
		if r.mode != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, r.mode, tt.want)
		}
	}
}

func TestLeaveSplicing(t *testing.T) {
	a, left := tcpPair(t)
	b, right := tcpPair(t)
	tests := []struct {
		name     string
		maxPipes int
		src, dst End
		sent     int
		want     mode
		wantS    Status
	}{
		{"nothing moved", 1, &left, &right, 0, splicing, NeedRead},
		{"little moved", 1, &left, &right, 1000, copying, NeedRead},
		{"no pipe", 0, &left, &right, 1000, copying, NeedRead},
		{"no socket", 1, &left, &passEnd{End: &right}, 1000, copying, NeedRead},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t, tt.maxPipes)
			want := noise(tt.sent, 1)
			writeAll(t, a, want)
			r := Relay{mode: splicing}
			defer r.Close(p)
			n, s := r.Pump(p, tt.src, tt.dst, 1<<20)
			if n != tt.sent || s != tt.wantS || r.mode != tt.want {
				t.Errorf("got %d, %v, %v; want %d, %v, %v", n, s, r.mode, tt.sent, tt.wantS, tt.want)
			}
			got := make([]byte, tt.sent)
			io.ReadFull(b, got)
			mustEqual(t, got, want)
		})
	}
}

// passEnd is an End that is not a *Socket.
type passEnd struct{ End }

// The kernel refuses the source: copying must go on where nothing was lost.
func TestSourceRefused(t *testing.T) {
	p := newPool(t, 1)
	_, right := tcpPair(t)
	src := noSplice(t)
	r := Relay{mode: splicing}
	if n, s := r.Pump(p, &src, &right, 1<<20); n != 0 || s != SourceFailed || r.mode != barred { // recv: ENOTSOCK
		t.Errorf("got %d, %v, %v; want 0, source failed, barred", n, s, r.mode)
	}
}

// Bytes in the pipe go on through the buffer, in order, when the sink turns out not to be spliceable, be it refused
// by the kernel or replaced by another kind of end.
func TestUnload(t *testing.T) {
	for _, refused := range []bool{false, true} {
		p := newPool(t, 1)
		a, left := tcpPair(t)
		b, right := tcpPair(t)
		narrow(t, b, right)
		sent := noise(100<<10, 1)
		writeAll(t, a, sent)
		r := Relay{mode: splicing}
		n, s := r.Pump(p, &left, &right, 1<<20)
		if s != NeedWrite || r.buf == nil || r.buf.pipe == nil {
			t.Fatalf("%v, %+v; want need write with a pipe", s, r.buf)
		}
		got := make([]byte, n)
		io.ReadFull(b, got)
		r.Hold(p, []byte("tail"))
		if refused {
			broken := noSplice(t)
			if m, s := r.Pump(p, &broken, &broken, 1<<20); m != 0 || s != SinkFailed || r.buf != nil && r.buf.pipe != nil {
				t.Fatalf("got %d, %v, %+v; want 0, sink failed, none", m, s, r.buf)
			}
		}
		sink := &fakeSink{got: got}
		src := &fakeSource{t: t}
		for s = Again; s != EOF; {
			_, s = r.Pump(p, src, sink, 1<<20)
		}
		if len(sink.got) < 4 || string(sink.got[len(sink.got)-4:]) != "tail" {
			t.Fatalf("%d bytes without the tail", len(sink.got))
		}
		body := sink.got[:len(sink.got)-4]
		if len(body) < n {
			t.Fatalf("%d bytes, want at least %d", len(body), n)
		}
		mustEqual(t, body, sent[:len(body)])
	}
}

// Where the system gives no pipe it is not asked for each read, and asked again later.
func TestPipeRefused(t *testing.T) {
	p := newPool(t, 1)
	p.refused = 2
	for i, want := range []bool{false, false, true} {
		q := p.takePipe()
		if (q != nil) != want {
			t.Errorf("attempt %d: pipe %v, want %v", i, q != nil, want)
		}
		if q != nil {
			p.givePipe(q)
		}
	}
}

// The last bytes and the end of a stream are one packet, whatever moves them; without an end in sight nothing is held back.
func TestLastBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		hangup bool
		flow   Flow
		want   Status
		first  uint32 // segments before the end is passed on
	}{
		{"relay", true, &Relay{}, EOF, 0},
		{"edited", true, &Edited{Relay: &Relay{}, Editor: &counted{}}, EOF, 0},
		{"relay of an open stream", false, &Relay{}, NeedRead, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(t, 0)
			client, src := tcpPair(t)
			server, dst := tcpPair(t)
			writeAll(t, client, []byte("0123456789"))
			wait(t, pollIn(src), 5000)
			src.Hangup = c.hangup
			before := segments(t, dst)
			if n, s := c.flow.Pump(p, &src, &dst, 1<<20); n != 10 || s != c.want {
				t.Fatalf("got %d bytes, %v", n, s)
			}
			if got := segments(t, dst) - before; got != c.first {
				t.Errorf("%d segments before the end, want %d", got, c.first)
			}
			if err := unix.Shutdown(int(dst.FD), unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			if got := segments(t, dst) - before; got != c.first+1 {
				t.Errorf("%d segments with the end, want %d", got, c.first+1)
			}
			if got, err := io.ReadAll(server); err != nil || len(got) != 10 {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// segments is the number of segments that a socket has sent.
func segments(t *testing.T, s Socket) uint32 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(int(s.FD), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Segs_out
}
