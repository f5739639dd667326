//go:build linux

package main

// Test is a row of the table: what the origin does, what the clients do, and what is counted.
type Test struct {
	Name   string
	Help   string
	Origin Origin
	Client Client
	Unit   Unit
	Needs  Ability // what a peer must be able to do to take part
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
	Conns int       `json:"conns"` // connections at the same time
}

type clientAct string

const (
	keepAlive clientAct = "keepalive" // request, reply, request, … on each connection
	connect   clientAct = "connect"   // connect, request, reply, end of file, close, again
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
)

// tests is the table. Names are stable: results of different days are compared by them.
var tests = []Test{
	{"keepalive-1", "200-byte replies, 1 connection", Origin{Does: reply, Size: smallReply}, Client{keepAlive, 1}, request, 0},
	{"keepalive-4", "200-byte replies, 4 connections", Origin{Does: reply, Size: smallReply}, Client{keepAlive, 4}, request, 0},
	{"keepalive-16", "200-byte replies, 16 connections", Origin{Does: reply, Size: smallReply}, Client{keepAlive, 16}, request, 0},
	{"keepalive-64", "200-byte replies, 64 connections", Origin{Does: reply, Size: smallReply}, Client{keepAlive, 64}, request, 0},
	{"keepalive-512", "200-byte replies, 512 connections", Origin{Does: reply, Size: smallReply}, Client{keepAlive, 512}, request, 0},
	{"forwarded-64", "as keepalive-64, the proxy adds X-Forwarded-For", Origin{Does: reply, Size: smallReply, Forwarded: true}, Client{keepAlive, 64}, request, canForward},
	{"datagram-1", "60-byte datagrams and answers, 1 client", Origin{Does: mirror, Size: smallDatagram}, Client{askAgain, 1}, pair, canDatagram},
	{"datagram-64", "60-byte datagrams and answers, 64 clients", Origin{Does: mirror, Size: smallDatagram}, Client{askAgain, 64}, pair, canDatagram},
	{"datagram-512", "60-byte datagrams and answers, 512 clients", Origin{Does: mirror, Size: smallDatagram}, Client{askAgain, 512}, pair, canDatagram},
	{"flow-64", "a port per datagram and answer, 64 in flight", Origin{Does: mirror, Size: smallDatagram}, Client{askOnce, 64}, pair, canDatagram},
	{"connect-64", "a connection per request, 64 in flight", Origin{Does: replyClose, Size: smallReply}, Client{connect, 64}, request, 0},
	{"reply-16K", "16 KB replies, 8 connections", Origin{Does: reply, Size: 16 * kilobyte}, Client{keepAlive, 8}, byteCount, 0},
	{"reply-64K", "64 KB replies, 8 connections", Origin{Does: reply, Size: 64 * kilobyte}, Client{keepAlive, 8}, byteCount, 0},
	{"reply-256K", "256 KB replies, 8 connections", Origin{Does: reply, Size: 256 * kilobyte}, Client{keepAlive, 8}, byteCount, 0},
	{"reply-1M", "1 MB replies, 8 connections", Origin{Does: reply, Size: megabyte}, Client{keepAlive, 8}, byteCount, 0},
	{"stream-1", "1 endless download", Origin{Does: stream}, Client{download, 1}, streamed, 0},
	{"stream-4", "4 endless downloads", Origin{Does: stream}, Client{download, 4}, streamed, 0},
	{"stream-8", "8 endless downloads", Origin{Does: stream}, Client{download, 8}, streamed, 0},
	{"upload-4", "4 endless uploads", Origin{Does: sink}, Client{upload, 4}, streamed, 0},
	{"idle-4000", "4000 quiet connections", Origin{Does: reply, Size: smallReply}, Client{hold, 4000}, quiet, canMemory},
}

// Unit says how the samples of a test are read: the metrics to show, the judged ones first.
type Unit struct {
	Name    string
	Metrics []Metric
	Judged  int // the first so many are compared with the other peers
}

var (
	request   = Unit{"request", []Metric{rate, cpuPerRequest, p99, p50, p999, rss, proxyBusy, proxyWait, loadBusy}, 3}
	pair      = Unit{"pair", []Metric{rate, cpuPerRequest, p99, p50, p999, rss, proxyBusy, proxyWait, loadBusy}, 3}
	byteCount = Unit{"GB", []Metric{throughput, cpuPerGB, p99, p50, p999, rss, proxyBusy, proxyWait, loadBusy}, 3}
	streamed  = Unit{"GB", []Metric{throughput, cpuPerGB, rss, proxyBusy, proxyWait, loadBusy}, 2}
	quiet     = Unit{"connection", []Metric{rssPerConn, rss}, 2}
)
