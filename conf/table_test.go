package conf

import (
	"slices"
	"strings"
	"testing"
)

// TestTable checks what the rows promise to dispatch, help and write.
func TestTable(t *testing.T) {
	for i, row := range table {
		if i > 0 && table[i-1].Name >= row.Name {
			t.Errorf("%s comes after %s: expected unique names in order", row.Name, table[i-1].Name)
		}
		if Lookup(row.Name) != row {
			t.Errorf("Lookup(%q) does not find the row", row.Name)
		}
		if row.set == nil && row.reply == nil {
			t.Errorf("%s does nothing", row.Name)
		}
		if row.set == nil && (row.off != nil || row.lines != nil) {
			t.Errorf("%s can be turned off or is written, but cannot be set", row.Name)
		}
		if row.off == nil && (row.NoHelp != "" || row.NoArgs != "") {
			t.Errorf("no %s has help but does nothing", row.Name)
		}
		if row.off != nil && row.NoHelp == "" {
			t.Errorf("no %s has no help", row.Name)
		}
		if row.Where == 0 {
			t.Errorf("%s may be said nowhere", row.Name)
		}
	}
}

// TestHelpIsOneSentence checks the texts of all rows.
func TestHelpIsOneSentence(t *testing.T) {
	for _, row := range table {
		for _, help := range []string{row.Help, row.NoHelp} {
			if help != "" && (!strings.HasSuffix(help, ".") || strings.Contains(help, ". ") || help[0] < 'A' || help[0] > 'Z') {
				t.Errorf("%s: help is not one sentence: %q", row.Name, help)
			}
		}
		if row.Help == "" {
			t.Errorf("%s has no help", row.Name)
		}
	}
}

// pens are the commands that the C pen knows.
const pens = `abort_on_error acl ascii blacklist block client_acl clients_max close conn_max connection control control_acl
	debug delayed_forward dsr_if dummy epoll exit hash http idle_timeout idlers include keepalive kqueue listen log mode
	peek pending_max pid poll prio recent roundrobin select server servers socket source ssl_ciphers
	ssl_client_renegotiation_interval ssl_ocsp_response ssl_option ssl_sni_path status stubborn tarpit_acl
	tcp_fastclose tcp_nodelay timeout tracking transparent web_stats weight write`

// TestEveryCommandOfPen checks that nothing that the C pen knows is missing, nor a form with no.
func TestEveryCommandOfPen(t *testing.T) {
	for name := range strings.FieldsSeq(pens) {
		if Lookup(name) == nil {
			t.Errorf("%s is missing", name)
		}
	}
	const turnedOff = `abort_on_error acl ascii block delayed_forward dummy hash http keepalive log peek prio roundrobin stubborn
		tcp_nodelay transparent web_stats weight`
	for name := range strings.FieldsSeq(turnedOff) {
		if row := Lookup(name); row == nil || row.off == nil {
			t.Errorf("no %s is missing", name)
		}
	}
}

func TestArity(t *testing.T) {
	const many = 1 << 30
	tests := []struct {
		usage       string
		least, most int
	}{
		{"", 0, 0},
		{"N", 1, 1},
		{"[N]", 0, 1},
		{"[N] [json]", 0, 2},
		{"N permit|deny ADDRESS[/LENGTH]|country [MASK|XX]", 3, 4},
		{"[FILE|syslog|stdout [json|text]]", 0, 2},
		{"N KEY VALUE ...", 3, many},
	}
	for _, tt := range tests {
		least, most := arity(tt.usage)
		if least != tt.least || min(most, many) != tt.most {
			t.Errorf("arity(%q) = %d, %d, want %d, %d", tt.usage, least, most, tt.least, tt.most)
		}
	}
}

// TestNumberOfOperands gives every command one operand too few and one too many. The error shows the usage.
func TestNumberOfOperands(t *testing.T) {
	for _, row := range table {
		for _, no := range []bool{false, true} {
			usage, line := row.Args, row.Name
			if no {
				usage, line = row.NoArgs, "no "+row.Name
			}
			if no && row.off == nil {
				continue
			}
			least, most := arity(usage)
			for _, n := range []int{least - 1, most + 1} {
				if n < 0 || n > 100 {
					continue
				}
				words := append(strings.Fields(line), slices.Repeat([]string{"1"}, n)...)
				err := NewDraft(Default(), Offline{}).ExecWords(t.Output(), words...)
				want := "expected " + strings.TrimSpace(line+" "+usage)
				if row.legacy != "" && n == 0 {
					want = row.legacy
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v: got error %v, want %q", words, err, want)
				}
			}
		}
	}
}

// TestSettersOfServices checks that a row that is about one service leaves the others alone.
func TestSettersOfServices(t *testing.T) {
	operands := map[string]string{
		"abuse": "h:1", "access_log": "f json", "blacklist": "7", "client_acl": "3", "emergency": "h:1", "idle_timeout": "7",
		"idlers": "7", "listen": "99", "log": "f", "server": "3 port 5", "source": "127.0.0.1", "tcp_fastclose": "up",
		"timeout": "7", "tracking": "7", "agent": "7", "all_down": "open", "client_max": "7",
		"client_rate": "7/1", "limit_action": "tarpit", "observe": "7", "on_down": "close", "probe": "tcp", "queue": "7", "slow_start": "7", "udp_responses": "1", "udp_timeout": "7", "handshake_timeout": "7", "http_head": "4096", "http_timeout": "7", "proxy_protocol": "accept 1", "route": "alpn h2 server 1",
		"ssl_alpn": "h2", "ssl_ca_dir": "d", "ssl_ca_file": "f", "ssl_cert": "a b", "ssl_ciphers": "HIGH", "ssl_crl": "f", "ssl_key": "f",
		"ssl_ocsp": "fetch", "ssl_ocsp_response": "f", "ssl_option": "no_tlsv1.2", "ssl_protocol": "tls1.3", "ssl_session_tickets": "off", "ssl_sni_path": "d", "ssl_ticket_key": "f", "ssl_verify": "optional",
	}
	for _, row := range table {
		if !row.perService || row.set == nil || row.Later {
			continue
		}
		s := Default()
		s.Services = append(s.Services, NewService("web"))
		d := NewDraft(s, Offline{})
		if err := d.Exec("service web "+row.Name+" "+operands[row.Name], t.Output()); err != nil {
			t.Error(err)
			continue
		}
		got := d.Settings()
		if equal(got.Services[1], s.Services[1]) {
			t.Errorf("service web %s changed nothing", row.Name)
		}
		if !equal(got.Services[0], s.Services[0]) {
			t.Errorf("service web %s changed the other service", row.Name)
		}
	}
}

func TestHelp(t *testing.T) {
	all := reply(t, Default(), Offline{}, "help")
	for _, row := range table {
		if !strings.Contains(all, row.Text()) {
			t.Errorf("help lacks %s", row.Name)
		}
	}
	tests := []struct{ line, want string }{
		{"help hash", "hash\n    Choose the first server by a hash of the client's address.\nno hash\n    Use no hash.\n"},
		{"help acl", "acl N permit|deny ADDRESS[/LENGTH]|country [MASK|XX]\n    Add an entry to access list N (0 to 9): an IPv4 address with a mask, " +
			"an IPv6 address with the length of a prefix, or a country.\nno acl N\n    Delete all entries of access list N, which then permits everything.\n"},
		{"help exit", "exit\n    End the program, if it was started with option -X.\n    Only on the control socket.\n"},
		{"help dsr_if", "dsr_if INTERFACE\n    Use an interface for direct server return.\n    Not available in this version of pen.\n"},
	}
	for _, tt := range tests {
		if got := reply(t, Default(), Offline{}, tt.line); got != tt.want {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.line, got, tt.want)
		}
	}
}
