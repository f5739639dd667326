package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// webPage opens a WebSocket to where it came from, and shows what comes from there.
const webPage = `<!doctype html>
<title>WebSocket</title>
<link rel="icon" href="data:,">
<p id="head">%s</p>
<input id="text"> <button id="send">send</button> <button id="large">send much</button>
<pre id="said"></pre>
<script>
const said = document.querySelector("#said"), say = text => said.append(text + "\n")
const socket = new WebSocket("ws://" + location.host + "/socket")
socket.onopen = () => socket.send("hello")
socket.onmessage = m => say(m.data.length > 1000 ? m.data.length + " bytes" : m.data)
socket.onclose = () => say("closed")
document.querySelector("#send").onclick = () => socket.send(document.querySelector("#text").value)
document.querySelector("#large").onclick = () => socket.send("x".repeat(3000000))
</script>
`

// serveWeb serves webPage, with the client in it as X-Forwarded-For says, and what the page opens: each message comes back as
// "NAME: MESSAGE".
func serveWeb(b *backend, c net.Conn) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, webPage, r.Header.Get("X-Forwarded-For"))
	})
	mux.HandleFunc("GET /socket", func(w http.ResponseWriter, r *http.Request) {
		s, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer s.CloseNow()
		s.SetReadLimit(-1)
		for {
			kind, message, err := s.Read(context.Background())
			if err != nil {
				return
			}
			if s.Write(context.Background(), kind, fmt.Appendf(nil, "%s: %s", b.name, message)) != nil {
				return
			}
		}
	})
	http.Serve(&oneConn{visitor: leaver{c, b}}, mux)
}

// oneConn is a listener with one connection to give.
type oneConn struct {
	visitor net.Conn
	given   bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.given {
		return nil, io.EOF
	}
	l.given = true
	return l.visitor, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.visitor.LocalAddr() }

// leaver is a connection of a backend that tells it of its end.
type leaver struct {
	net.Conn
	b *backend
}

// Close closes the connection.
func (c leaver) Close() error {
	c.b.leave(c.Conn)
	return nil
}
