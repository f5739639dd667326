package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWebSupervisors(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0")
	for _, tt := range []struct {
		path, want string
		code       int
	}{
		{"/healthz", "ok\n", 200}, {"/readyz", "ready\n", 200}, {"/", "<title>pen</title>", 200}, {"/page.js", "EventSource", 200},
		{"/page.css", ".server", 200}, {"/nothing", "404", 404}, {"/command", "Method Not Allowed", 405},
	} {
		if code, body := get(t, r, tt.path); code != tt.code || !strings.Contains(body, tt.want) {
			t.Errorf("%s: got %d %.80q, want %d %q", tt.path, code, body, tt.code, tt.want)
		}
	}
	r.web.ready.Store(false) // as when pen ends
	if code, _ := get(t, r, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz while pen ends: got %d, want %d", code, http.StatusServiceUnavailable)
	}
}

// TestWebMoves changes the address while pen runs: as a whole or not at all.
func TestWebMoves(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	one, two := "127.0.0.1:"+freePort(t), freePort(t)
	r := start(t, account, "control 127.0.0.1:0", "listen 127.0.0.1:0")
	serves := func(addr string) bool {
		resp, err := http.Get("http://" + addr + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	for _, tt := range []struct {
		command, reply string
		one, two       bool
	}{
		{"metrics " + one, one, true, false},
		{"metrics " + busy.Addr().String(), "metrics " + busy.Addr().String() + ": bind: address already in use", true, false},
		{"status_admin /does/not/exist", "status_admin: stat /does/not/exist", true, false},
		{"metrics " + two, two, false, true},
		{"no metrics", "", false, false},
		{"metrics " + one, one, true, false},
		{"metrics 0.0.0.0:" + one[len("127.0.0.1:"):], "0.0.0.0:", true, false},
	} {
		http.DefaultClient.CloseIdleConnections()
		if got := r.say(t, tt.command); !strings.HasPrefix(got, tt.reply) {
			t.Errorf("%s: got %q, want %q", tt.command, got, tt.reply)
		}
		if gotOne, gotTwo := serves(one), serves("127.0.0.1:"+two); gotOne != tt.one || gotTwo != tt.two {
			t.Errorf("after %s: served at the first port %t, at the second %t, want %t, %t", tt.command, gotOne, gotTwo, tt.one, tt.two)
		}
	}
}

func TestToken(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, file, want, fails string }{
		{"good", file("good", " 0123456789abcdef \nsecond line\n", 0o600), "0123456789abcdef", ""},
		{"for the group", file("group", "0123456789abcdef", 0o640), "0123456789abcdef", ""},
		{"short", file("short", "0123456789abcde\n", 0o600), "", "at least 16 bytes"},
		{"empty", file("empty", "", 0o600), "", "at least 16 bytes"},
		{"public", file("public", "0123456789abcdef", 0o644), "", "everybody may use"},
		{"long", file("long", strings.Repeat("x", tokenMost+1), 0o600), "", "a file of at most"},
		{"directory", dir, "", "a file of at most"},
		{"missing", dir + "/missing", "", "no such file"},
	} {
		token, err := readToken(tt.file)
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%s: got the error %v, want %q", tt.name, err, tt.fails)
			}
		} else if err != nil || *token != tt.want {
			t.Errorf("%s: got %v, %v, want %q", tt.name, token, err, tt.want)
		}
	}
	if token, err := readToken(""); token != nil || err != nil {
		t.Errorf("no file: got %v, %v, want none", token, err)
	}
}

func TestOrders(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, account, "control 127.0.0.1:0", "metrics 127.0.0.1:0", "listen 127.0.0.1:0", "server 0 address 127.0.0.1 port 9", "status_admin "+token)
	post := func(header, body string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, "http://"+r.web.addr().String()+"/command", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set(tokenHeader, header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	const right = "0123456789abcdef"
	for _, tt := range []struct {
		name, token, body string
		code              int
		reply, then       string // then: the switch of the server
	}{
		{"no token", "", `{"do":"maint","service":"default","server":0}`, 401, "wrong token\n", "ready"},
		{"wrong token", "0123456789abcdeF", `{"do":"maint","service":"default","server":0}`, 401, "wrong token\n", "ready"},
		{"maint", right, `{"do":"maint","service":"default","server":0}`, 200, "", "maint"},
		{"ready", right, `{"do":"ready","service":"default","server":0}`, 200, "", "ready"},
		{"no order", right, `do it`, 400, "expected an order in JSON\n", "ready"},
		{"too long", right, `{"do":"` + strings.Repeat("x", webBodyBytes) + `"}`, 400, "expected an order in JSON\n", "ready"},
		{"unknown", right, `{"do":"exit"}`, 400, "expected ready, drain, maint or close, and what\n", "ready"},
		{"more words", right, `{"do":"drain","service":"default server 0 drain\nexit","server":0}`, 400, "expected ready, drain, maint or close, and what\n", "ready"},
		{"no such server", right, `{"do":"drain","service":"web","server":0}`, 200, "service: expected the name of a service, not 'web'; service web makes one\n", "ready"},
		{"close", right, `{"do":"close","connection":5}`, 200, "Forcibly closing connection 5\n", "ready"},
	} {
		if code, reply := post(tt.token, tt.body); code != tt.code || reply != tt.reply {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, code, reply, tt.code, tt.reply)
		}
		if got := r.say(t, "servers json"); !strings.Contains(got, `"admin":"`+tt.then+`"`) {
			t.Errorf("%s: got %q, want the server %s", tt.name, got, tt.then)
		}
	}
	r.say(t, "no status_admin")
	if code, _ := post(right, `{"do":"maint","service":"default","server":0}`); code != http.StatusForbidden {
		t.Errorf("without status_admin: got %d, want %d", code, http.StatusForbidden)
	}
}

// FuzzOrder checks that an order from the page becomes one of four commands, or none.
func FuzzOrder(f *testing.F) {
	for _, text := range []string{
		`{"do":"close","connection":3}`, `{"do":"drain","service":"web","server":0}`, `{"do":"maint","service":"a b","server":1}`,
		`{"do":"ready","service":"web\n","server":-1}`, `{}`, `[]`, ``,
	} {
		f.Add([]byte(text))
	}
	form := regexp.MustCompile(`^(close \d+|service [-_.0-9A-Za-z]{1,64} server \d+ (ready|drain|maint))$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		var o order
		if json.Unmarshal(text, &o) != nil {
			return
		}
		line, err := o.line()
		if (err == nil) != form.MatchString(line) || err != nil && line != "" {
			t.Errorf("%s: got %q, %v", text, line, err)
		}
	})
}

// TestWebCrowd opens more connections than there is room for: those who say nothing give way, and a scrape is served.
func TestWebCrowd(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0")
	var silent []net.Conn
	for range 2 * webClients {
		c, err := net.Dial("tcp", r.web.addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	if code, _ := get(t, r, "/healthz"); code != http.StatusOK {
		t.Errorf("got %d behind a crowd, want %d", code, http.StatusOK)
	}
	silent[0].SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := silent[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v from the oldest connection, want its end", err)
	}
}

// TestWebSlow lets requests dawdle: heads that never end, and replies that nobody reads, more of them than scrapes may be
// under way. Others are served meanwhile.
func TestWebSlow(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0")
	for _, head := range []string{"GET /metrics HTTP/1.1\r\nX: ", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"} {
		for range 2 * scrapesAtOnce {
			c, err := net.Dial("tcp", r.web.addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
			if _, err := io.WriteString(c, head); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		code := http.StatusServiceUnavailable
		for code == http.StatusServiceUnavailable { // while as many scrapes as may be are just being taken
			code, _ = get(t, r, "/metrics")
		}
		if code != http.StatusOK {
			t.Errorf("got %d beside slow ones, want %d", code, http.StatusOK)
		}
	}
}

// A token is read again on HUP, and a file that is no good leaves it as it was; a configuration with errors is told.
func TestWebReload(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("0123456789abcdef")
	name := file(t, "debug 0")
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0", "status_admin "+token, "include "+name)
	for _, tt := range []struct{ name, text, line, want, metric string }{
		{"new", "fedcba9876543210", "debug 0", "fedcba9876543210", "pen_config_last_reload_successful 1"},
		{"too short", "fedcba", "debug 0", "fedcba9876543210", "pen_config_last_reload_successful 1"},
		{"configuration with an error", "fedcba", "zork", "fedcba9876543210", "pen_config_last_reload_successful 0"},
	} {
		write(tt.text)
		rewrite(t, name, tt.line)
		r.reload()
		if got := *r.web.token.Load(); got != tt.want {
			t.Errorf("%s: got the token %q, want %q", tt.name, got, tt.want)
		}
		if _, body := get(t, r, "/metrics"); !strings.Contains(body, tt.metric) {
			t.Errorf("%s: got no %q", tt.name, tt.metric)
		}
	}
}

// TestFeed reads the page's events: a server fails, and the page is told.
func TestFeed(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0", "roundrobin", "server 0 address 127.0.0.1 port "+freePort(t), "server 1 address 127.0.0.1 port "+backend(t))
	resp, err := http.Get("http://" + r.web.addr().String() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got the type %q, want text/event-stream", got)
	}
	lines := bufio.NewReader(resp.Body)
	told := func(text string) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%v before %q was told", err, text)
			}
			if strings.HasPrefix(line, "data: ") && strings.Contains(line, text) {
				return
			}
		}
	}
	told(`"state":"up"`)
	for range 2 {
		converse(t, r.engine.Listening("default"))
	}
	told(`is blacklisted (was up): connect failed: refused"`)
}

// TestFeedIsBounded opens more pages than there is room for.
func TestFeedIsBounded(t *testing.T) {
	r := start(t, "metrics 127.0.0.1:0", "listen 127.0.0.1:0")
	for range feedReaders {
		if _, err := r.web.feed.join(); err != nil {
			t.Fatal(err)
		}
	}
	if code, _ := get(t, r, "/events"); code != http.StatusServiceUnavailable {
		t.Errorf("got %d for one page too many, want %d", code, http.StatusServiceUnavailable)
	}
}
