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
}

func (k *keyPair) current() *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); now.Sub(k.checked) >= certCheck {
		k.checked = now
		if k.times() != k.changed {
			_ = k.loadLocked() // half-written files: the next check sees the rest
		}
	}
	return k.loaded
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
