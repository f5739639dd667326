// Package logline is the request log: one line for every chunk of bytes that pen reads from a client.
// The engine appends lines; penlogd and mergelogs parse them and give each entry of a web server's log
// the address of the client that pen hid from the server.
//
// A line has one of two forms, with single blanks between the fields:
//
//	CLIENT EPOCH SERVER TEXT\n     a line of the log file; EPOCH is in seconds since 1970
//	+ CLIENT SERVER TEXT\n         a datagram to penlogd
//
// TEXT is the first line of the chunk, up to CR or LF: at most the first 100 bytes in a file, where bytes
// above 127 become dots, and as much as fits in a datagram of 1024 bytes, where all bytes stay. These are
// the forms of the C pen, which its penlogd and mergelogs can read.
//
// The package opens, sends and buffers nothing: it only knows the lines.
package logline

import (
	"bytes"
	"net/netip"
	"strconv"
)

// Limits of the two forms, both those of the C pen.
const (
	TextMax     = 100  // bytes of a chunk that are looked at for the TEXT of a line in a file
	DatagramMax = 1024 // bytes of a datagram, its newline included
)

// nobody stands in for a client without an address, one on a unix socket, so that the fields stay in place.
// (The C pen leaves the field empty.)
const nobody = '-'

// AppendFile appends the file's form of a line to dst and returns the longer slice. It allocates only when
// dst lacks the room, which is less than 160 bytes unless the server is a unix socket with a long path.
//
// The client is invalid (netip.Addr{}) for a unix socket. The server is an address without its port or the path of
// a unix socket; blanks and control characters in it become dots, as they would end the field or the line.
// The epoch is in seconds. The chunk is as it was read; nothing of it is kept.
func AppendFile(dst []byte, client netip.Addr, epoch int64, server string, chunk []byte) []byte {
	dst = appendClient(dst, client)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, epoch, 10)
	dst = append(dst, ' ')
	dst = appendServer(dst, server)
	dst = append(dst, ' ')
	dst = AppendText(dst, chunk)
	return append(dst, '\n')
}

// AppendText appends the TEXT which a log file has for chunk: what a request must be compared with. See AppendFile.
func AppendText(dst, chunk []byte) []byte {
	for _, c := range firstLine(chunk, TextMax) {
		if c > 127 {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendNet appends the datagram's form of a line to dst and returns the longer slice. What it appends is never
// longer than DatagramMax and ends with a newline. Client, server and chunk are as in AppendFile.
func AppendNet(dst []byte, client netip.Addr, server string, chunk []byte) []byte {
	start := len(dst)
	dst = append(dst, '+', ' ')
	dst = appendClient(dst, client)
	dst = append(dst, ' ')
	dst = appendServer(dst, server)
	dst = append(dst, ' ')
	room := DatagramMax - (len(dst) - start) - len("\n")
	if room < 0 { // a path longer than any system allows
		return append(dst[:start+DatagramMax-len("\n")], '\n')
	}
	dst = append(dst, firstLine(chunk, room)...)
	return append(dst, '\n')
}

// firstLine returns the part of chunk in front of the first CR or LF, looking at the first limit bytes only.
func firstLine(chunk []byte, limit int) []byte {
	chunk = chunk[:min(limit, len(chunk))]
	if i := bytes.IndexByte(chunk, '\n'); i >= 0 {
		chunk = chunk[:i]
	}
	if i := bytes.IndexByte(chunk, '\r'); i >= 0 {
		chunk = chunk[:i]
	}
	return chunk
}

// appendClient appends the address of a client.
func appendClient(dst []byte, client netip.Addr) []byte {
	if !client.IsValid() {
		return append(dst, nobody)
	}
	return client.AppendTo(dst)
}

// appendServer appends the name of a server, with a dot for each byte that no field may contain.
func appendServer(dst []byte, server string) []byte {
	if server == "" {
		return append(dst, nobody)
	}
	for i := range len(server) {
		c := server[i]
		if c <= ' ' || c == 127 {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
