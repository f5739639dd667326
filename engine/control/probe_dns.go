package control

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// probeDNS asks for the address of a name, the way that clients of the service do: in a datagram if it is one of
// datagrams, else over a connection. The server works if it answers without an error.
func probeDNS(ctx context.Context, t *subject) error {
	network := "tcp"
	if t.datagram {
		network = "udp"
	}
	c, err := t.speak(ctx, network, t.probe.Port)
	if err != nil {
		return err
	}
	defer c.Close()
	id := uint16(rand.Uint32())
	query, err := dnsQuery(id, t.probe.Arg)
	if err != nil {
		return err
	}
	answer, err := exchange(c, query, t.datagram)
	if err != nil {
		return err
	}
	return dnsAnswer(id, answer)
}

// dnsQuery makes a query for the IPv4 address of a name.
func dnsQuery(id uint16, host string) ([]byte, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// exchange sends a query and returns what comes back. In a stream each message has its length in front (RFC 1035, 4.2.2).
func exchange(c net.Conn, query []byte, datagram bool) ([]byte, error) {
	if datagram {
		if _, err := c.Write(query); err != nil {
			return nil, err
		}
		answer := make([]byte, maxResponse)
		n, err := c.Read(answer)
		return answer[:n], err
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(c, answer)
	return answer, err
}

// dnsAnswer checks what came back.
func dnsAnswer(id uint16, answer []byte) error {
	var p dnsmessage.Parser
	h, err := p.Start(answer)
	switch {
	case err != nil:
		return fmt.Errorf("not an answer: %w", err)
	case !h.Response || h.ID != id:
		return errors.New("not the answer to the question")
	case h.RCode != dnsmessage.RCodeSuccess:
		return errors.New(strings.TrimPrefix(h.RCode.String(), "RCode"))
	}
	return nil
}
