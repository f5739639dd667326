package certs

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"slices"
	"time"
)

// Session tickets. All reactors use the same configuration and so the same keys, which the control plane changes: a key
// that is stolen opens what it protected and nothing else. An older key still opens tickets, which are renewed with the
// present one when they are used.

const (
	ticketTime = 12 * time.Hour // that a random key encrypts new tickets
	ticketKeys = 3              // random keys that are kept: a ticket is good for one to one and a half days
)

type ticketKey = [32]byte

// tickets are the keys of a Front, the one that encrypts first.
type tickets struct {
	keys   []ticketKey
	shared bool      // they come from files, and change with these
	made   time.Time // when the first one was
}

func (t *tickets) clone() tickets {
	c := *t
	c.keys = slices.Clone(t.keys)
	return c
}

// use takes the keys of files, or makes the first random one.
func (t *tickets) use(files sharedKeys, now time.Time) {
	if len(files.keys) > 0 {
		*t = tickets{keys: files.keys, shared: true}
		return
	}
	if t.shared || len(t.keys) == 0 {
		*t = tickets{keys: []ticketKey{randomKey()}, made: now}
	}
}

// rotate makes another random key if it is time.
func (t *tickets) rotate(now time.Time) bool {
	if t.shared || now.Sub(t.made) < ticketTime {
		return false
	}
	t.keys = append([]ticketKey{randomKey()}, t.keys[:min(len(t.keys), ticketKeys-1)]...)
	t.made = now
	return true
}

// give has a configuration use the keys. It may be in use: the library locks it.
func (t *tickets) give(c *tls.Config) { c.SetSessionTicketKeys(t.keys) }

func randomKey() (k ticketKey) {
	rand.Read(k[:]) // never fails
	return k
}

// sharedKeys are the keys in files.
type sharedKeys struct {
	stamp string
	keys  []ticketKey
}

// The size of a file with a key. nginx and HAProxy have 48 or 80 bytes, of which each has its own use; here all of them go
// into one key.
const (
	leastTicketFile = 32
	mostTicketFile  = 4096
)

// readTicketKeys reads the keys that several pens share.
func readTicketKeys(files []string) (list []ticketKey, err error) {
	for _, name := range files {
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		if len(text) < leastTicketFile || len(text) > mostTicketFile {
			return nil, fmt.Errorf("%s: expected %d to %d random bytes", name, leastTicketFile, mostTicketFile)
		}
		k, err := hkdf.Key(sha256.New, text, nil, "pen session tickets", len(ticketKey{}))
		if err != nil {
			return nil, err
		}
		list = append(list, ticketKey(k))
	}
	return list, nil
}
