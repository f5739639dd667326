package http1

import "bytes"

// The fields that tell a server who its client is.

const (
	forField       = "x-forwarded-for"
	protoField     = "x-forwarded-proto"
	forwardedField = "forwarded"
)

// ours are the kinds of these fields.
type ours uint8

const (
	ourFor ours = iota
	ourProto
	ourForwarded
	ourFields
)

// ourField returns what a field says that one of ours may say.
func ourField(name []byte, same func([]byte, string) bool) (k ours, is bool) {
	switch len(name) {
	case len(forField):
		return ourFor, same(name, forField)
	case len(protoField):
		return ourProto, same(name, protoField)
	case len(forwardedField):
		return ourForwarded, same(name, forwardedField)
	}
	return ourFields, false
}

// listed is what a head has of a kind of field.
type listed struct {
	n  int
	at int // where the last one's value ends
}

// noteOurs takes down a field that says what ours say. Who lies will also try what only looks like it.
func (h *heading) noteOurs(name []byte, f field) {
	if h.client.Existing == Replace {
		if _, foreign := ourField(name, passesFor); foreign {
			h.foreign++
		}
	} else if k, ours := ourField(name, is); ours {
		h.seen[k] = listed{h.seen[k].n + 1, f.end}
	}
}

// rewrite passes the head on with what the server is to know. What is put in begins with a line end, and what is left out
// takes the line end in front of it along, so that the empty line is as the client sent it.
func (h *heading) rewrite(e *edit, rules *Rules) {
	base := e.done
	lists := h.client.Existing == Append && h.seen[ourFor].n+h.seen[ourForwarded].n > 0
	if h.foreign > 0 || lists || rules.Only && h.upgrade > 0 {
		h.revise(e, rules)
	}
	e.upTo(base + h.insert)
	if h.seen[ourProto].n == 0 {
		e.out = append(e.out, "\r\nX-Forwarded-Proto: "...)
		e.out = append(e.out, h.client.proto()...)
	}
	if h.seen[ourFor].n == 0 && h.client.Addr.IsValid() {
		e.out = append(e.out, "\r\nX-Forwarded-For: "...)
		e.out = h.client.appendFor(e.out)
	}
	if h.seen[ourForwarded].n == 0 && rules.Forwarded {
		e.out = append(e.out, "\r\nForwarded: "...)
		e.out = h.client.appendForwarded(e.out)
	}
}

// revise goes through the fields that are there already: it leaves out what is to be replaced and adds to lists.
func (h *heading) revise(e *edit, rules *Rules) {
	base := e.done
	l, _ := h.readLine(e.in[base : base+h.end])
	for {
		before := l.last
		f, o := l.field()
		if o != good {
			return
		}
		name := l.name(f)
		switch _, foreign := ourField(name, passesFor); {
		case foreign && h.client.Existing == Replace, rules.Only && is(name, "upgrade") && offersHTTP2(l.text(f)):
			e.drop(base+before, base+l.last)
		case h.client.Existing != Append:
		case h.seen[ourFor].at == f.end && h.client.Addr.IsValid():
			e.lengthen(base, f)
			e.out = h.client.appendFor(e.out)
		case h.seen[ourForwarded].at == f.end && rules.Forwarded:
			e.lengthen(base, f)
			e.out = h.client.appendForwarded(e.out)
		}
	}
}

// lengthen is before the end of a field to which an element is added.
func (e *edit) lengthen(base int, f field) {
	e.upTo(base + f.end)
	if f.end > f.value {
		e.out = append(e.out, ", "...)
	}
}

// offersHTTP2 tells if a field Upgrade has HTTP/2 in its list.
func offersHTTP2(list []byte) bool {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte(","))
		if is(bytes.Trim(one, " \t"), "h2c") {
			return true
		}
	}
	return false
}

func (c *Client) proto() string {
	if c.TLS {
		return "https"
	}
	return "http"
}

// appendFor appends the address, an IPv4 one as such however the listener saw it.
func (c *Client) appendFor(out []byte) []byte {
	return c.Addr.Unmap().WithZone("").AppendTo(out)
}

// appendForwarded appends an element of RFC 7239, 4.
func (c *Client) appendForwarded(out []byte) []byte {
	out = append(out, "for="...)
	switch addr := c.Addr.Unmap(); {
	case !addr.IsValid():
		out = append(out, "unknown"...)
	case addr.Is6():
		out = append(out, `"[`...)
		out = c.appendFor(out)
		out = append(out, `]"`...)
	default:
		out = c.appendFor(out)
	}
	out = append(out, ";proto="...)
	return append(out, c.proto()...)
}
