package control

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
)

// What the status page may do: only with status_admin, only by POST, only with the token in a header of its own, which
// no other page can make a browser send: so there is nothing that a forged request could ride on.

const (
	tokenHeader = "X-Pen-Token"
	tokenLeast  = 16      // bytes of a token; less could be guessed
	tokenMost   = 4 << 10 // bytes of its file
)

// readToken reads the token that lets the status page do things: the first line of a file that not everybody may read.
// No file, no token.
func readToken(file string) (*string, error) {
	if file == "" {
		return nil, nil
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("status_admin: %w", err)
	case !info.Mode().IsRegular() || info.Size() > tokenMost:
		return nil, fmt.Errorf("status_admin: expected a file of at most %d bytes: %s", tokenMost, file)
	case info.Mode().Perm()&fs.FileMode(0o007) != 0:
		return nil, fmt.Errorf("status_admin: everybody may use %s; expected mode 0600 or 0640", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("status_admin: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	token := strings.TrimSpace(string(line))
	if len(token) < tokenLeast {
		return nil, fmt.Errorf("status_admin: expected a token of at least %d bytes in the first line of %s", tokenLeast, file)
	}
	return &token, nil
}

// reread reads the token again from the file of before.
func (w *web) reread() error {
	token, err := readToken(w.tokenFile)
	if err == nil {
		w.token.Store(token)
	}
	return err
}

// order is what the page asks for.
type order struct {
	Do      string `json:"do"` // ready, drain, maint, or close
	Service string `json:"service"`
	Server  int    `json:"server"`     // number; not for close
	Number  int    `json:"connection"` // for close
}

var serviceName = regexp.MustCompile(`^[-_.0-9A-Za-z]{1,64}$`)

// line returns the command line that carries an order out. Nothing of it is text that the page has made up.
func (o order) line() (string, error) {
	switch {
	case o.Do == "close" && o.Number >= 0:
		return fmt.Sprintf("close %d", o.Number), nil
	case slices.Contains([]string{"ready", "drain", "maint"}, o.Do) && o.Server >= 0 && serviceName.MatchString(o.Service):
		return fmt.Sprintf("service %s server %d %s", o.Service, o.Server, o.Do), nil
	}
	return "", fmt.Errorf("expected ready, drain, maint or close, and what")
}

// command carries an order out. The reply of the command is the body; it is empty if there was nothing to complain about.
func (w *web) command(rw http.ResponseWriter, r *http.Request) {
	token := w.token.Load()
	if token == nil {
		http.Error(rw, "the page only shows: pen has no status_admin", http.StatusForbidden)
		return
	}
	if !same(r.Header.Get(tokenHeader), *token) {
		http.Error(rw, "wrong token", http.StatusUnauthorized)
		return
	}
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(rw, "expected an order in JSON", http.StatusBadRequest)
		return
	}
	line, err := o.line()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	reply, err := w.ask(r.Context(), line)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.feed.tell("from the status page: " + line)
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(rw, reply)
}

// same compares a token with the right one, in a time that tells nothing of either.
func same(token, right string) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(right))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
