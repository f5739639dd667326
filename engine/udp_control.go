package engine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control messages are what the kernel tells beside a datagram, and is told (recvmsg(2), cmsg(3)). The functions of
// x/sys/unix for them allocate; these do not.

// controls is a list of control messages.
type controls []byte

// next returns the first message and leaves the others in c. ok is false if there is none, or one whose length can't
// be true.
func (c *controls) next() (level, kind int, value []byte, ok bool) {
	head := unix.CmsgLen(0)
	if len(*c) < head {
		return 0, 0, nil, false
	}
	var h unix.Cmsghdr
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr), *c) // which need not be aligned
	n := uint64(h.Len)
	if n < uint64(head) || n > uint64(len(*c)) {
		return 0, 0, nil, false
	}
	value = (*c)[head:n]
	*c = (*c)[min(unix.CmsgSpace(len(value)), len(*c)):]
	return int(h.Level), int(h.Type), value, true
}

// appendControl appends a message to b, padded as the kernel wants it.
func appendControl(b []byte, level, kind int, value []byte) []byte {
	var h unix.Cmsghdr
	h.Level, h.Type = int32(level), int32(kind)
	h.SetLen(unix.CmsgLen(len(value)))
	start := len(b)
	b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&h)), unix.SizeofCmsghdr)...)
	b = append(b, make([]byte, unix.CmsgSpace(len(value))-unix.SizeofCmsghdr)...)
	copy(b[start+unix.CmsgLen(0):], value)
	return b
}
