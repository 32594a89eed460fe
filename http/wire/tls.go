package wire

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// This file reads a certificate from files.

// certCheck is how often the files of a certificate are looked at.
const certCheck = 10 * time.Second

// keyPair is a certificate and its key in PEM files. When they change they are read again, without
// a restart. While the new files do not fit together, the old certificate stays.
type keyPair struct {
	cert, key string
	now       func() time.Time

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed [2]time.Time // of the files as loaded
	checked time.Time
	failed  error     // of the last reading; nil = it was good
	since   time.Time // of failed
}

func (k *keyPair) current() *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checkLocked()
	return k.loaded
}

// trouble says why the files of the certificate in use cannot be read since they changed, "" = they can.
// Files that are being written get some time.
func (k *keyPair) trouble() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checkLocked()
	if k.failed == nil || k.now().Sub(k.since) < 2*certCheck {
		return ""
	}
	return "the files of the certificate have changed and cannot be used, so the one before stays in use: " + k.failed.Error()
}

func (k *keyPair) checkLocked() {
	now := k.now()
	if now.Sub(k.checked) < certCheck {
		return
	}
	k.checked = now
	if k.times() == k.changed {
		k.failed = nil
		return
	}
	err := k.loadLocked() // half-written files: the next check sees the rest
	if err != nil && k.failed == nil {
		k.since = now
	}
	k.failed = err
}

func (k *keyPair) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked = k.now()
	return k.loadLocked()
}

func (k *keyPair) loadLocked() error {
	times := k.times()
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return fmt.Errorf("load the certificate %s with the key %s: %w", k.cert, k.key, err)
	}
	k.loaded, k.changed = &pair, times
	return nil
}

func (k *keyPair) times() (t [2]time.Time) {
	for i, name := range []string{k.cert, k.key} {
		if info, err := os.Stat(name); err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}
