package conf

import "time"

// HTTP is what is done to the requests of a service that speaks HTTP/1. While On is false the words mean nothing and are
// not set.
type HTTP struct {
	On        bool          // http, -H: look at requests and tell servers who the client is
	Existing  Existing      // append, replace: what becomes of fields that say so already
	Forwarded bool          // forwarded: write Forwarded (RFC 7239), too
	Only      bool          // only: refuse what is not HTTP/1
	Trusts    bool          // trusted: not all clients are believed
	Trusted   int           // trusted: index into Settings.ACL of those who are
	MaxHead   int           // http_head: bytes of a head at most
	Timeout   time.Duration // http_timeout: for a head to come whole; 0 = any time
}

// Existing says what becomes of the fields by which a client says where a request is from.
type Existing uint8

// What becomes of them.
const (
	Keep    Existing = iota // they stay
	Append                  // the client is added to them
	Replace                 // the client stands in their place
)

// existing are the words of the command http, at the index of the value.
var existing = [...]string{Keep: "", Append: "append", Replace: "replace"}

// MaxHTTPHead is the largest value of http_head, in bytes.
const MaxHTTPHead = 128 << 10
