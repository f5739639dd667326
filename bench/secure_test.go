//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
)

// record is one of TLS with so many bytes after its head.
func record(kind byte, size int) []byte {
	head := []byte{kind, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(size))
	return append(head, make([]byte, size)...)
}

func TestRecords(t *testing.T) {
	whole := slices.Concat(record(recordOfData, recordSeal+1000), record(recordOfData, recordSeal), record(20, 1), record(recordOfData, recordSeal+16384))
	const want = 1000 + 0 + 16384
	for _, step := range []int{1, 2, 5, 7, 1000, len(whole)} {
		var r records
		var got int64
		for piece := range slices.Chunk(whole, step) {
			got += r.take(piece)
		}
		if got != want || r.left != 0 || len(r.head) != 0 {
			t.Errorf("%d bytes a time: %d of data, %d left, head %v; want %d, none, none", step, got, r.left, r.head, want)
		}
	}
}

// Somebody who reads exactly never gets a byte of the next record, whatever he has room for.
func TestExactly(t *testing.T) {
	first, second := record(22, 100), record(recordOfData, 200)
	near, far := net.Pipe()
	defer near.Close()
	go func() { far.Write(append(slices.Clone(first), second...)); far.Close() }()
	e := &exactly{Conn: near}
	var got []byte
	for len(got) < len(first) {
		room := make([]byte, 4096)
		n, err := e.Read(room)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, room[:n]...)
	}
	if !bytes.Equal(got, first) {
		t.Errorf("got %d bytes, want the first record, %d", len(got), len(first))
	}
	if rest, err := io.ReadAll(near); err != nil || !bytes.Equal(rest, second) {
		t.Errorf("left %d bytes, %v; want the second record, %d", len(rest), err, len(second))
	}
}

func TestRequestOf(t *testing.T) {
	for _, tt := range []struct{ in, want int }{{0, len(requestText)}, {len(requestText), len(requestText)}, {200, 200}, {largeAsk, largeAsk}} {
		got := requestOf(tt.in)
		if n, length, _ := heads(got); len(got) != tt.want || n != 1 || length != len(got) {
			t.Errorf("requestOf(%d): %d bytes, %d heads of %d; want one head of %d", tt.in, len(got), n, length, tt.want)
		}
	}
}

func TestCertificate(t *testing.T) {
	if _, err := makeCertificate(t.TempDir(), "dsa"); err == nil {
		t.Error("a key of a kind that there is not: no error")
	}
}
