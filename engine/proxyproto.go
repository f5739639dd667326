package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
	"golang.org/x/sys/unix"

	"pen/conf"
)

// The PROXY protocol (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt): a header in front of a connection
// by which a proxy says for whom it connects. A peer on the list of proxy_protocol accept is such a proxy, and must
// send one; for all others it would be an ordinary part of what they say. A server with proxy_protocol gets one from us.

const (
	maxProxyText  = 107     // bytes of a header of version 1, by the specification
	maxProxyBytes = 4 << 10 // bytes of one of version 2 at most; addresses and TLS facts take a few hundred
)

var errProxyHeader = errors.New("no PROXY header")

// proxySize returns how long the header is that b begins with; 0 means that b is too short to tell.
func proxySize(b []byte) (int, error) {
	const fixed = 16 // bytes of version 2 before the addresses, the last two of which are the length of the rest
	text := append(proxyproto.SIGV1[:len(proxyproto.SIGV1):len(proxyproto.SIGV1)], ' ')
	switch {
	case begins(b, proxyproto.SIGV2):
		if len(b) < fixed {
			return 0, nil
		}
		n := fixed + int(binary.BigEndian.Uint16(b[fixed-2:]))
		if n > maxProxyBytes {
			return 0, fmt.Errorf("a PROXY header of %d bytes, of at most %d", n, maxProxyBytes)
		}
		if n > len(b) {
			return 0, nil
		}
		return n, nil
	case begins(b, text):
		if i := bytes.Index(b[:min(len(b), maxProxyText)], []byte("\r\n")); i >= 0 {
			return i + 2, nil
		}
		if len(b) < maxProxyText {
			return 0, nil
		}
	}
	return 0, errProxyHeader
}

// begins tells if b begins with a signature, as far as it goes.
func begins(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}

// spoken is what a header says.
type spoken struct {
	from, to netip.AddrPort // the client, and whom it has connected to; not valid for one without an internet address
	local    bool           // the proxy speaks for itself
	tls      bool           // the client speaks TLS with the proxy
}

// readProxy reads the header that b begins with, and tells how long it is; 0 means that b is too short to tell.
func readProxy(b []byte) (p spoken, n int, err error) {
	if n, err = proxySize(b); err == nil && n > 0 {
		p, err = parseProxy(b[:n])
	}
	return p, n, err
}

// parseProxy reads a whole header.
func parseProxy(b []byte) (p spoken, err error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), len(b)))
	if err != nil {
		return p, err
	}
	p = spoken{from: addrPort(h.SourceAddr), to: addrPort(h.DestinationAddr), local: h.Command.IsLocal()}
	if list, err := h.TLVs(); err == nil { // extras that can't be read say nothing
		secure, ok := tlvparse.FindSSL(list)
		p.tls = ok && secure.ClientSSL()
	}
	return p, nil
}

// addrPort is the form in which we keep an address: not valid if it is not one of the internet, and of IPv4 if it is one of
// these in the clothes of IPv6, so that access lists know it.
func addrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return netip.AddrPort{}
}

// takeProxy reads the header that a trusted peer begins with. From then on the client is the one that it names.
func (r *reactor) takeProxy(s *session) greeting {
	if !s.service.conf.Proxy.Accept || !s.service.trusted.Permit(s.client) {
		return passed
	}
	seen, how := r.look(s, r.pool.Scratch()[:maxProxyBytes])
	if how != passed {
		return how
	}
	p, n, err := readProxy(seen)
	if err == nil && n == 0 {
		return r.lookAgain(s)
	}
	if err == nil {
		_, err = s.sock[down].Read(r.pool.Scratch()[:n])
	}
	if err != nil {
		if r.debugging(1) {
			r.engine.report(1, "closing a connection of %s: %v", clientName(s.client), err)
		}
		s.because(reasonPreface)
		r.retire(s)
		return over
	}
	if !p.local {
		s.client, s.port = p.from.Addr(), p.from.Port()
		s.layers.to, s.layers.secure = p.to, p.tls
	}
	return passed
}

// sendProxy puts the header that the server wants in front of the client's bytes. There is room for it in a new socket.
func (r *reactor) sendProxy(s *session) error {
	h := newProxyHeader(s.server.proxy, netip.AddrPortFrom(s.client, s.port), s.destination(), false)
	if facts, ok := s.tlsFacts(); ok && s.server.proxy == conf.ProxyV2 {
		if err := addFacts(h, facts); err != nil {
			return err
		}
	}
	b, err := h.Format()
	if err != nil {
		return err
	}
	n, err := s.sock[up].Write(b)
	if err == nil && n < len(b) {
		err = unix.ENOBUFS
	}
	return err
}

// destination is whom the client has connected to, as far as we know.
func (s *session) destination() netip.AddrPort {
	if s.layers != nil && s.layers.to.IsValid() {
		return s.layers.to
	}
	if a, err := localAddress(int(s.sock[down].FD)); err == nil {
		return a.ip
	}
	return netip.AddrPort{}
}

// newProxyHeader makes a header for a client, which may have no internet address.
func newProxyHeader(version conf.ProxyVersion, from, to netip.AddrPort, datagrams bool) *proxyproto.Header {
	if !from.IsValid() || !to.IsValid() {
		return &proxyproto.Header{Version: byte(version), Command: proxyproto.PROXY, TransportProtocol: proxyproto.UNSPEC}
	}
	if datagrams {
		return proxyproto.HeaderProxyFromAddrs(byte(version), net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	}
	return proxyproto.HeaderProxyFromAddrs(byte(version), net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to))
}

// localHeader is what somebody begins with who speaks for no client; nil if no header is wanted.
func localHeader(version conf.ProxyVersion) []byte {
	h := proxyproto.Header{Version: byte(version), Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	b, err := h.Format()
	if err != nil { // of version 0, which is none
		return nil
	}
	return b
}

// addFacts adds what the client has agreed on with us by TLS (sections 2.2.2, 2.2.3 and 2.2.6 of the specification).
func addFacts(h *proxyproto.Header, f tlsFacts) error {
	text := func(list *[]proxyproto.TLV, kind proxyproto.PP2Type, value string) {
		if value != "" {
			*list = append(*list, proxyproto.TLV{Type: kind, Value: []byte(value)})
		}
	}
	secure := tlvparse.PP2SSL{Client: tlvparse.PP2_BITFIELD_CLIENT_SSL, Verify: 1}
	if f.verified {
		secure.Verify = 0
		secure.Client |= tlvparse.PP2_BITFIELD_CLIENT_CERT_SESS
		if !f.resumed {
			secure.Client |= tlvparse.PP2_BITFIELD_CLIENT_CERT_CONN
		}
	}
	text(&secure.TLV, proxyproto.PP2_SUBTYPE_SSL_VERSION, f.version)
	text(&secure.TLV, proxyproto.PP2_SUBTYPE_SSL_CIPHER, f.cipher)
	text(&secure.TLV, proxyproto.PP2_SUBTYPE_SSL_CN, f.client)
	encoded, err := secure.Marshal()
	if err != nil {
		return err
	}
	var list []proxyproto.TLV
	text(&list, proxyproto.PP2_TYPE_ALPN, f.protocol)
	text(&list, proxyproto.PP2_TYPE_AUTHORITY, f.name)
	return h.SetTLVs(append(list, encoded))
}
