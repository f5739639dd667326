package tlsio

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A signature with an RSA key takes a millisecond, which the other connections of a reactor would have to wait. So it is made
// by another goroutine: the coroutine of the handshake pauses until it is there. (ECDSA takes 30 µs, less than the detour.)
//
// The key of a tls.Certificate does not know for whom it signs; therefore each handshake gets a copy of the certificate,
// whose key does.

// Signers sign for all reactors. The goroutines that do come with work and go when there has been none for a while. They have
// threads of their own, which yield the processor to those of the reactors where the system lets them, and count beside what
// GOMAXPROCS was: a reactor that comes back from its wait must not find that all are taken.
type Signers struct {
	Max int // of them at once

	mu      sync.Mutex
	first   sync.Once
	waiting []*job
	running int
	idle    int           // of these, wait
	more    chan struct{} // a job for one that waits
}

var signerIdle = 2 * time.Second // without work, after which a signer ends; tests have no patience

// job is one signature, or one decryption.
type job struct {
	end       *End
	work      func() ([]byte, error)
	result    []byte // with err, for who has seen done
	err       error
	done      atomic.Bool // set by the signer
	cancelled atomic.Bool // set by the reactor: nobody wants it any more
}

func (s *Signers) add(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = make(chan struct{}, 1)
	}
	s.waiting = append(s.waiting, j)
	switch {
	case s.idle > 0:
		s.call()
	case s.running < max(s.Max, 1):
		s.running++
		go s.sign()
	}
}

// call has a signer that waits look for a job.
func (s *Signers) call() {
	select {
	case s.more <- struct{}{}:
	default: // one has been called and is on its way
	}
}

// take takes a job, nil if there is none; then the signer is idle.
func (s *Signers) take() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 {
		j := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		if j.cancelled.Load() {
			continue
		}
		if len(s.waiting) > 0 && s.idle > 0 {
			s.call()
		}
		return j
	}
	s.waiting = nil
	s.idle++
	return nil
}

// leave tells if a signer that has been idle for long may end.
func (s *Signers) leave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle--
	if len(s.waiting) > 0 {
		return false
	}
	s.running--
	return true
}

// wait waits for a job, and tells if there may be one.
func (s *Signers) wait(idle *time.Timer) bool {
	idle.Reset(signerIdle)
	select {
	case <-s.more:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle--
		return true
	case <-idle.C:
		return !s.leave()
	}
}

// sign works until there has been nothing to do for a while.
func (s *Signers) sign() {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, as it is not like others any more
	yieldToOthers()
	s.first.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + max(s.Max, 1)) })
	idle := time.NewTimer(signerIdle)
	for more := true; more; more = s.wait(idle) {
		letOthersGo()
		for j := s.take(); j != nil; j = s.take() {
			j.result, j.err = j.work()
			j.done.Store(true)
			j.end.pool.signed(j.end)
		}
	}
}

// Offload returns cert with a key that signs elsewhere, if it is an RSA key and the handshake is an End's. It is to be
// called where a tls.Config chooses a certificate, that is, in GetCertificate.
func Offload(hello *tls.ClientHelloInfo, cert *tls.Certificate) *tls.Certificate {
	c, ours := hello.Conn.(*shim)
	key, signs := cert.PrivateKey.(crypto.Signer)
	if !ours || !signs {
		return cert
	}
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return cert
	}
	elsewhere := *cert
	elsewhere.PrivateKey = &signer{key, (*End)(c)}
	return &elsewhere
}

// signer is the key of one handshake.
type signer struct {
	crypto.Signer
	end *End
}

// Sign is part of crypto.Signer.
func (s *signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.end.await(func() ([]byte, error) { return s.Signer.Sign(rand, digest, opts) })
}

// Decrypt is part of crypto.Decrypter, for the cipher suites of TLS 1.2 whose keys are exchanged by RSA.
func (s *signer) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	d, ok := s.Signer.(crypto.Decrypter)
	if !ok {
		return nil, errors.New("tls: the key can't decrypt")
	}
	return s.end.await(func() ([]byte, error) { return d.Decrypt(rand, msg, opts) })
}

// await pauses the handshake while others work.
func (e *End) await(work func() ([]byte, error)) ([]byte, error) {
	s := e.shake
	if s == nil || e.dead {
		return nil, errAborted
	}
	j := &job{end: e, work: work}
	s.job = j
	e.pool.signers.add(j)
	if !s.wait(Signing) {
		return nil, errAborted
	}
	return j.result, j.err
}
