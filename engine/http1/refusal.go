package http1

import "strconv"

// Refusal is why a request can't be let through.
type Refusal struct {
	Status int
	Why    string
	reply  []byte
}

// The refusals.
var (
	TooSlow     = refusal(408, "Request Timeout", "the head of the request took too long")
	TooLarge    = refusal(431, "Request Header Fields Too Large", "the head of the request is too large")
	badLine     = refusal(400, "Bad Request", "the request line is malformed")
	badVersion  = refusal(505, "HTTP Version Not Supported", "expected HTTP/1.0 or HTTP/1.1")
	notHTTP     = refusal(400, "Bad Request", "expected HTTP/1")
	badField    = refusal(400, "Bad Request", "a header field is malformed")
	badLineEnd  = refusal(400, "Bad Request", "the lines of the head end in different ways")
	badLength   = refusal(400, "Bad Request", "a Content-Length is not a number")
	twoLengths  = refusal(400, "Bad Request", "there is more than one length")
	badCoding   = refusal(501, "Not Implemented", "expected no Transfer-Encoding but chunked")
	oldCoding   = refusal(400, "Bad Request", "a Transfer-Encoding in HTTP/1.0")
	connectBody = refusal(400, "Bad Request", "a CONNECT with a body")
	badChunk    = refusal(400, "Bad Request", "a chunk of the body is malformed")
	badTrailer  = refusal(400, "Bad Request", "a field behind the body is malformed or not allowed there")
	unfinished  = refusal(400, "Bad Request", "the head of the request has no end")
)

func refusal(status int, phrase, why string) *Refusal {
	code := strconv.Itoa(status)
	text := code + " " + phrase + ": " + why + "\n"
	return &Refusal{status, why, []byte("HTTP/1.1 " + code + " " + phrase + "\r\n" +
		"Content-Type: text/plain\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n" +
		"Cache-Control: no-store\r\nConnection: close\r\n\r\n" + text)}
}

// Reply is the response to a refused request. It must not be changed.
func (r *Refusal) Reply() []byte { return r.reply }
