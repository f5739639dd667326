package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pen/conf"
	"pen/engine"
)

func TestHealth(t *testing.T) {
	const probing, up, down = engine.Probing, engine.Up, engine.Down
	tests := []struct {
		name       string
		state      engine.Health
		rise, fall int
		results    string // + good, - bad
		want       string // the state after each: ? u d
	}{
		{"the first result decides: good", probing, 3, 3, "+-", "uu"},
		{"the first result decides: bad", probing, 3, 3, "-", "d"},
		{"down after fall", up, 2, 3, "---", "uud"},
		{"in a row", up, 2, 3, "--+--+---", "uuuuuuuud"},
		{"up after rise", down, 2, 3, "+-++", "dddu"},
		{"one of each", up, 1, 1, "-+-+", "dudu"},
	}
	for _, tt := range tests {
		h := health{state: tt.state}
		var got strings.Builder
		for _, r := range tt.results {
			before := h.state
			if changed := h.take(r == '+', tt.rise, tt.fall); changed != (h.state != before) {
				t.Errorf("%s: changed is %v, state %v after %v", tt.name, changed, h.state, before)
			}
			got.WriteByte(map[engine.Health]byte{probing: '?', up: 'u', down: 'd'}[h.state])
		}
		if got.String() != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got.String(), tt.want)
		}
	}
}

// fake is a farm of servers whose probes take no time and whose answers the test sets. It runs in a bubble of synctest,
// where the clock moves when everybody waits.
type fake struct {
	*prober
	mu       sync.Mutex
	bad      map[int32]error
	takes    time.Duration
	asked    map[int32][]time.Time
	running  int
	most     int
	overlap  bool
	agents   map[int32]string
	troubles chan engine.Trouble
	got      []change
}

func newFake(t *testing.T) *fake {
	f := &fake{bad: map[int32]error{}, asked: map[int32][]time.Time{}, agents: map[int32]string{}, troubles: make(chan engine.Trouble, 9)}
	f.prober = newProber(f.troubles)
	f.knocks = nil
	now := map[int32]bool{}
	f.ask = map[string]probeFunc{"tcp": func(ctx context.Context, s *subject) error {
		f.mu.Lock()
		f.overlap = f.overlap || now[s.ID]
		now[s.ID] = true
		f.running++
		f.most = max(f.most, f.running)
		f.asked[s.ID] = append(f.asked[s.ID], time.Now())
		err, takes := f.bad[s.ID], f.takes
		f.mu.Unlock()
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			err = ctx.Err()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
		now[s.ID] = false
		return err
	}}
	f.askAgent = func(_ context.Context, s *subject) (agentAnswer, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return parseAgent(f.agents[s.ID])
	}
	ctx, cancel := context.WithCancel(t.Context())
	go f.run(ctx)
	go func() {
		for {
			select {
			case list := <-f.changes:
				f.mu.Lock()
				f.got = append(f.got, list...)
				f.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	f.prober.stop = func() {
		cancel()
		synctest.Wait()
	}
	return f
}

func (f *fake) set(id int32, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad[id] = err
}

// after lets time pass and returns what changed meanwhile, in the order of servers: "1 probing-up".
func (f *fake) after(d time.Duration) string {
	time.Sleep(d)
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, c := range f.got {
		text := fmt.Sprintf("%d %v-%v", c.ID, c.from.Health, c.to.Health)
		if c.to.Drain || c.to.Share != 100 {
			text += fmt.Sprintf(" %v %d", c.to.Drain, c.to.Share)
		}
		if c.why != "" {
			text += " (" + c.why + ")"
		}
		list = append(list, text)
	}
	f.got = nil
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// subjects are n servers, with a probe every second.
func subjects(n int, change func(*conf.Probe)) []subject {
	p := conf.NewProbe("tcp")
	p.Interval = time.Second
	if change != nil {
		change(&p)
	}
	list := make([]subject, n)
	for i := range list {
		list[i] = subject{Target: engine.Target{ID: int32(i), Index: i, Address: "192.0.2.1:80"}, service: "web", probe: p}
	}
	return list
}

func TestProberFindsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.set(1, errors.New("refused"))
		f.want(subjects(3, nil))
		steps := []struct {
			name string
			do   func()
			wait time.Duration
			want string
		}{
			{"the first results", func() {}, 100 * time.Millisecond, "0 -probing, 0 probing-up, 1 -probing, 1 probing-down (tcp: refused), 2 -probing, 2 probing-up"},
			{"nothing new", func() {}, 5 * time.Second, ""},
			{"two bad answers", func() { f.set(2, errors.New("slow")) }, 1750 * time.Millisecond, ""},
			{"the third one", func() {}, 1600 * time.Millisecond, "2 up-down (tcp: slow)"},
			{"well again", func() { f.set(1, nil) }, 3300 * time.Millisecond, "1 down-up"},
			{"our own trouble says nothing", func() { f.set(0, syscall.EMFILE) }, 10 * time.Second, ""},
			{"clients complain", func() { f.troubles <- engine.Trouble{Service: "web", Server: 0, Why: "reset"} }, 0, "0 up-down (clients: reset)"},
			{"and probes are well", func() { f.set(0, nil) }, 2300 * time.Millisecond, "0 down-up"},
			{"clients of a server that is down", func() { f.troubles <- engine.Trouble{Server: 2, Why: "reset"} }, 0, ""},
			{"not probed any more", func() { f.want(subjects(1, nil)) }, 5 * time.Second, "1 up-, 2 down-"},
			{"probed again", func() { f.set(2, nil); f.want(subjects(3, nil)) }, 100 * time.Millisecond, "1 -probing, 1 probing-up, 2 -probing, 2 probing-up"},
			{"another probe keeps the state", func() { f.want(subjects(3, func(p *conf.Probe) { p.Fall = 1 })) }, 5 * time.Second, ""},
			{"and works by its own numbers", func() { f.set(1, errors.New("no")) }, 1200 * time.Millisecond, "1 up-down (tcp: no)"},
		}
		for _, s := range steps {
			s.do()
			if got := f.after(s.wait); got != s.want {
				t.Errorf("%s: got %q, want %q", s.name, got, s.want)
			}
		}
	})
}

func TestProberAsksAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		list := subjects(2, nil)
		list[1].probe.Kind = "" // there is only the agent
		for i := range list {
			list[i].agent = 7000
			f.agents[int32(i)] = "up"
		}
		f.want(list)
		for _, s := range []struct{ answers, want string }{
			{"up up", "0 -probing, 0 probing-up, 1 -probing, 1 probing-up"},
			{"50% drain", "0 up-up false 50, 1 up-up true 100"},
			{"down down", "0 up-down (its agent says so), 1 up-down (its agent says so)"},
			{"what? silent", ""}, // they are what they were
			{"up up", "0 down-up, 1 down-up"},
		} {
			f.mu.Lock()
			f.agents[0], f.agents[1], _ = strings.Cut(s.answers, " ")
			f.mu.Unlock()
			if got := f.after(1200 * time.Millisecond); got != s.want {
				t.Errorf("%s: got %q, want %q", s.answers, got, s.want)
			}
		}
	})
}

// Each server is probed once an interval, give or take the jitter, spread over the time, and never twice at once.
func TestProberKeepsTheInterval(t *testing.T) {
	const n, seconds = 2000, 20
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.takes = time.Millisecond
		f.want(subjects(n, nil))
		f.after(seconds * time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		perSlot := map[int64]int{}
		for id, times := range f.asked {
			if len(times) < seconds-2 || len(times) > seconds+2 {
				t.Errorf("server %d was probed %d times in %d seconds", id, len(times), seconds)
			}
			for i := 1; i < len(times); i++ {
				if d := times[i].Sub(times[i-1]); d < 900*time.Millisecond-beat || d > 1102*time.Millisecond+beat {
					t.Errorf("server %d was probed after %v, want 1s within a tenth", id, d)
				}
			}
			for _, at := range times[len(times)/2:] {
				perSlot[at.UnixMilli()/100]++
			}
		}
		if most := slices.Max(slices.Collect(func(yield func(int) bool) {
			for _, n := range perSlot {
				if !yield(n) {
					return
				}
			}
		})); most > n/4 {
			t.Errorf("%d probes in a tenth of a second, want about %d", most, n/10)
		}
		if f.overlap || f.most > maxProbes {
			t.Errorf("two probes of one server: %v; %d probes at a time, want %d at most", f.overlap, f.most, maxProbes)
		}
	})
}

// Servers that do not answer hold up neither each other for ever nor more than the bound.
func TestProberIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.takes = time.Hour
		f.want(subjects(2*maxProbes, func(p *conf.Probe) { p.Timeout = time.Second }))
		got := f.after(10 * time.Second)
		if n := strings.Count(got, "probing-down (tcp: no answer within 1s)"); n != 2*maxProbes {
			t.Errorf("%d of %d servers were found down", n, 2*maxProbes)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.most != maxProbes || f.overlap {
			t.Errorf("%d probes at a time, want %d; two of one server: %v", f.most, maxProbes, f.overlap)
		}
	})
}

func TestProberReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.set(1, errors.New("refused"))
		f.want(subjects(2, nil))
		f.after(3500 * time.Millisecond)
		list := (&Control{prober: f.prober}).Probes()
		slices.SortFunc(list, func(a, b ProbeReport) int { return a.Server - b.Server })
		if len(list) != 2 || list[0].Health != engine.Up || list[1].Health != engine.Down || list[1].Reason != "tcp: refused" ||
			list[0].Good < 3 || list[0].Bad != 0 || list[1].Bad < 3 || list[0].Service != "web" || list[1].At.IsZero() {
			t.Errorf("got %+v", list)
		}
		f.want(nil)
		f.after(0)
		if got := (&Control{prober: f.prober}).Probes(); len(got) != 0 {
			t.Errorf("got %+v of servers that are not probed", got)
		}
	})
}

func TestParseAgent(t *testing.T) {
	tests := []struct {
		line string
		want agentAnswer
		err  string
	}{
		{"up", agentAnswer{share: 100}, ""},
		{"UP\r\n", agentAnswer{share: 100}, ""},
		{"down", agentAnswer{down: true, share: 100}, ""},
		{"drain", agentAnswer{drain: true, share: 100}, ""},
		{"75%", agentAnswer{share: 75}, ""},
		{"up 1%", agentAnswer{share: 1}, ""},
		{"100% drain", agentAnswer{drain: true, share: 100}, ""},
		{"0%", agentAnswer{drain: true, share: 1}, ""},
		{"", agentAnswer{}, "the agent said nothing"},
		{"fine", agentAnswer{}, `expected up, down, drain or NN%, not "fine"`},
		{"101%", agentAnswer{}, `expected a number from 0 to 100 before %, not "101"`},
		{"-1%", agentAnswer{}, `expected a number from 0 to 100 before %, not "-1"`},
	}
	for _, tt := range tests {
		got, err := parseAgent(tt.line)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: got error %v, want %s", tt.line, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.line, got, err, tt.want)
		}
	}
}

func FuzzParseAgent(f *testing.F) {
	for _, line := range []string{"up", "down 5%", "drain\r\n", "%", "100%", "\x00", "up up up", "1000000000000000000000%"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if a, err := parseAgent(line); err == nil && (a.share < 1 || a.share > 100) {
			t.Errorf("%q: share %d", line, a.share)
		}
	})
}
