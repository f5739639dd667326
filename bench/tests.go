//go:build linux

package main

import "slices"

// Test is a row of the table: what the origin does, what the clients do, and what is counted.
type Test struct {
	Name   string
	Help   string
	Origin Origin
	Client Client
	Unit   Unit
	Needs  Ability // what a peer must be able to do to take part

	Among  []string // the peers that take part, the one that is compared with the others first; none = all that can and are no variants
	Layout string   // instead of that of the command line
	Beside *Client  // a second load that is not measured
	Fakes  int      // servers that are there to be probed
}

// Origin is what the server behind the proxies does.
type Origin struct {
	Does      originAct `json:"does"`
	Size      int       `json:"size"`      // bytes of a reply, its head included
	Forwarded bool      `json:"forwarded"` // hang up on a request without X-Forwarded-For
}

type originAct string

const (
	reply      originAct = "reply"       // to every request
	replyClose originAct = "reply+close" // to the first request, then close
	stream     originAct = "stream"      // send without end after the first request
	sink       originAct = "sink"        // read without end
	mirror     originAct = "mirror"      // send each datagram back
)

// Client is what the load client does.
type Client struct {
	Does  clientAct `json:"does"`
	Conns int       `json:"conns"`          // connections at the same time
	Key   keyKind   `json:"key,omitempty"`  // of the certificate that the proxy shows, if clients speak TLS to it
	Rate  float64   `json:"rate,omitempty"` // requests per second; 0 = each after a reply, halfLoad = half of what the slowest peer reaches
	Ask   int       `json:"ask,omitempty"`  // bytes of a request; 0 = the usual ones
}

// halfLoad is a Rate that is found out before the first round.
const halfLoad = -1

type clientAct string

const (
	keepAlive clientAct = "keepalive" // request, reply, request, … on each connection
	connect   clientAct = "connect"   // connect, request, reply, end of file, close, again
	handshake clientAct = "handshake" // likewise with a full TLS handshake
	resume    clientAct = "resume"    // likewise with a TLS handshake that resumes the session before
	download  clientAct = "download"  // one request, then read without end
	upload    clientAct = "upload"    // write without end
	hold      clientAct = "hold"      // one request and reply on each connection, then silence
	askAgain  clientAct = "ask again" // a datagram and its answer, again and again from the same port
	askOnce   clientAct = "ask once"  // likewise, each from a port of its own
)

const (
	kilobyte = 1 << 10
	megabyte = 1 << 20

	smallDatagram = 60 // bytes, as a question of DNS

	smallReply = 200 // bytes; a status line, a length and a short body

	// bulkReply is the size in bytes from which replies are carried by blocking streams instead of netpoll: netpoll runs
	// our handlers on its poller, so a handler must never wait for a full socket. Default send buffers hold more.
	bulkReply = 16 * kilobyte

	idleConns    = 9000
	idleTLSConns = 5000
	largeAsk     = 64 * kilobyte // bytes: fills several records of 16 KB
)

// tests is the table. Names are stable: results of different days are compared by them.
var tests = slices.Concat(plainTests, tlsTests, variantTests, soakTests)

var small, smallOnce = Origin{Does: reply, Size: smallReply}, Origin{Does: replyClose, Size: smallReply}

var plainTests = []Test{
	{Name: "keepalive-1", Help: "200-byte replies, 1 connection", Origin: small, Client: Client{Does: keepAlive, Conns: 1}, Unit: request},
	{Name: "keepalive-4", Help: "200-byte replies, 4 connections", Origin: small, Client: Client{Does: keepAlive, Conns: 4}, Unit: request},
	{Name: "keepalive-16", Help: "200-byte replies, 16 connections", Origin: small, Client: Client{Does: keepAlive, Conns: 16}, Unit: request},
	{Name: "keepalive-64", Help: "200-byte replies, 64 connections", Origin: small, Client: Client{Does: keepAlive, Conns: 64}, Unit: request},
	{Name: "keepalive-512", Help: "200-byte replies, 512 connections", Origin: small, Client: Client{Does: keepAlive, Conns: 512}, Unit: request},
	{Name: "paced-64", Help: "200-byte replies, 64 connections, at half the rate that the slowest reaches", Origin: small,
		Client: Client{Does: keepAlive, Conns: 64, Rate: halfLoad}, Unit: paced},
	{Name: "forwarded-64", Help: "as keepalive-64, the proxy adds X-Forwarded-For", Origin: Origin{Does: reply, Size: smallReply, Forwarded: true},
		Client: Client{Does: keepAlive, Conns: 64}, Unit: request, Needs: canForward},
	{Name: "datagram-1", Help: "60-byte datagrams and answers, 1 client", Origin: mirrored, Client: Client{Does: askAgain, Conns: 1}, Unit: pair, Needs: canDatagram},
	{Name: "datagram-64", Help: "60-byte datagrams and answers, 64 clients", Origin: mirrored, Client: Client{Does: askAgain, Conns: 64}, Unit: pair, Needs: canDatagram},
	{Name: "datagram-512", Help: "60-byte datagrams and answers, 512 clients", Origin: mirrored, Client: Client{Does: askAgain, Conns: 512}, Unit: pair, Needs: canDatagram},
	{Name: "flow-64", Help: "a port per datagram and answer, 64 in flight", Origin: mirrored, Client: Client{Does: askOnce, Conns: 64}, Unit: pair, Needs: canDatagram},
	{Name: "connect-64", Help: "a connection per request, 64 in flight", Origin: smallOnce, Client: Client{Does: connect, Conns: 64}, Unit: request},
	{Name: "reply-16K", Help: "16 KB replies, 8 connections", Origin: Origin{Does: reply, Size: 16 * kilobyte}, Client: Client{Does: keepAlive, Conns: 8}, Unit: byteCount},
	{Name: "reply-64K", Help: "64 KB replies, 8 connections", Origin: Origin{Does: reply, Size: 64 * kilobyte}, Client: Client{Does: keepAlive, Conns: 8}, Unit: byteCount},
	{Name: "reply-256K", Help: "256 KB replies, 8 connections", Origin: Origin{Does: reply, Size: 256 * kilobyte}, Client: Client{Does: keepAlive, Conns: 8}, Unit: byteCount},
	{Name: "reply-1M", Help: "1 MB replies, 8 connections", Origin: Origin{Does: reply, Size: megabyte}, Client: Client{Does: keepAlive, Conns: 8}, Unit: byteCount},
	{Name: "stream-1", Help: "1 endless download", Origin: Origin{Does: stream}, Client: Client{Does: download, Conns: 1}, Unit: streamed},
	{Name: "stream-4", Help: "4 endless downloads", Origin: Origin{Does: stream}, Client: Client{Does: download, Conns: 4}, Unit: streamed},
	{Name: "stream-8", Help: "8 endless downloads", Origin: Origin{Does: stream}, Client: Client{Does: download, Conns: 8}, Unit: streamed},
	{Name: "upload-4", Help: "4 endless uploads", Origin: Origin{Does: sink}, Client: Client{Does: upload, Conns: 4}, Unit: streamed},
	{Name: "idle-9000", Help: "9000 quiet connections", Origin: small, Client: Client{Does: hold, Conns: idleConns}, Unit: quiet, Needs: canMemory},
}

var mirrored = Origin{Does: mirror, Size: smallDatagram}

// tlsTests are about fronts that speak TLS 1.3 to clients.
var tlsTests = []Test{
	{Name: "tlsfull-ecdsa", Help: "a connection with a full handshake per request, ECDSA P-256, 32 in flight", Origin: smallOnce,
		Client: Client{Does: handshake, Conns: 32, Key: ecdsaKey}, Unit: request, Needs: canTLS},
	{Name: "tlsfull-rsa", Help: "likewise, RSA-2048", Origin: smallOnce,
		Client: Client{Does: handshake, Conns: 32, Key: rsaKey}, Unit: request, Needs: canTLS},
	{Name: "tlsresume-ecdsa", Help: "likewise, each resumes the session before", Origin: smallOnce,
		Client: Client{Does: resume, Conns: 32, Key: ecdsaKey}, Unit: request, Needs: canTLS},
	{Name: "tlskeepalive-64", Help: "200-byte replies over TLS, 64 connections", Origin: small,
		Client: Client{Does: keepAlive, Conns: 64, Key: ecdsaKey}, Unit: request, Needs: canTLS},
	{Name: "tlskeepalive-512", Help: "200-byte replies over TLS, 512 connections", Origin: small,
		Client: Client{Does: keepAlive, Conns: 512, Key: ecdsaKey}, Unit: request, Needs: canTLS},
	{Name: "tlspaced-16", Help: "200-byte replies over TLS, 16 connections, 1000 a second", Origin: small,
		Client: Client{Does: keepAlive, Conns: 16, Key: rsaKey, Rate: 1000}, Unit: paced, Needs: canTLS},
	{Name: "tlsbeside-16", Help: "likewise, beside 100 full RSA-2048 handshakes a second", Origin: small,
		Client: Client{Does: keepAlive, Conns: 16, Key: rsaKey, Rate: 1000}, Unit: paced, Needs: canTLS,
		Beside: &Client{Does: handshake, Conns: 32, Key: rsaKey, Rate: 100}},
	{Name: "tlsstream-1", Help: "1 endless download over TLS", Origin: Origin{Does: stream},
		Client: Client{Does: download, Conns: 1, Key: ecdsaKey}, Unit: streamed, Needs: canTLS},
	{Name: "tlsstream-4", Help: "4 endless downloads over TLS", Origin: Origin{Does: stream},
		Client: Client{Does: download, Conns: 4, Key: ecdsaKey}, Unit: streamed, Needs: canTLS},
	{Name: "tlsupload-4", Help: "4 endless uploads over TLS", Origin: Origin{Does: sink},
		Client: Client{Does: upload, Conns: 4, Key: ecdsaKey}, Unit: streamed, Needs: canTLS},
	{Name: "tlsidle-5000", Help: "5000 quiet TLS connections", Origin: small,
		Client: Client{Does: hold, Conns: idleTLSConns, Key: ecdsaKey}, Unit: quiet, Needs: canTLS | canMemory},
	{Name: "tlsidle-5000large", Help: "likewise, after large records both ways", Origin: Origin{Does: reply, Size: largeAsk},
		Client: Client{Does: hold, Conns: idleTLSConns, Key: ecdsaKey, Ask: largeAsk}, Unit: quiet, Needs: canTLS | canMemory},
}

// subject is the peer that a test is about.
func (t Test) subject() string {
	if len(t.Among) == 0 {
		return ours
	}
	return t.Among[0]
}

// secure tells if clients speak TLS to the proxy.
func (t Test) secure() bool { return t.Client.Key != noKey }

// Unit says how the samples of a test are read: the metrics to show, the judged ones first.
type Unit struct {
	Name    string
	Metrics []Metric
	Judged  int // the first so many are compared with the other peers
}

var (
	request   = Unit{"request", []Metric{rate, cpuPerRequest, p99, p50, p999, callsPerRequest, rss, proxyBusy, loadBusy, otherBusy}, 3}
	paced     = Unit{"paced request", []Metric{p99, cpuPerRequest, p50, p999, rate, callsPerRequest, rss, proxyBusy, loadBusy, otherBusy}, 2}
	pair      = Unit{"pair", []Metric{rate, cpuPerRequest, p99, p50, p999, callsPerRequest, rss, proxyBusy, loadBusy, otherBusy}, 3}
	byteCount = Unit{"GB", []Metric{throughput, cpuPerGB, p99, p50, p999, callsPerMB, rss, proxyBusy, loadBusy, otherBusy}, 3}
	streamed  = Unit{"GB", []Metric{throughput, cpuPerGB, callsPerMB, rss, proxyBusy, loadBusy, otherBusy}, 2}
	quiet     = Unit{"connection", []Metric{growthPerConn, rss}, 2}
)
