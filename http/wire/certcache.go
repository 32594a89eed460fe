package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// This file keeps certificates that were fetched, with their keys and that of the account, in files
// that only cairn may read. A file is whole or not there: one that is damaged counts as none, and
// what it held is fetched again.

// certCache implements autocert.Cache.
type certCache struct {
	dir    string
	closed *atomic.Bool // nothing is written any more
}

// accountKey is how autocert names the key of the account.
const accountKey = "acme_account+key"

// cacheName matches what autocert names: hosts, challenges of hosts, tokens. Some of it comes from
// the target of a request.
var cacheName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._+-]{0,299}$`)

// cacheBytesMax is the most that is read of a file.
const cacheBytesMax = 1 << 20

// Get implements autocert.Cache.
func (c *certCache) Get(_ context.Context, name string) ([]byte, error) {
	if !cacheName.MatchString(name) {
		return nil, autocert.ErrCacheMiss
	}
	path := filepath.Join(c.dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > cacheBytesMax) {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if name != accountKey && !strings.HasSuffix(name, "+http-01") {
		if _, err := tls.X509KeyPair(data, data); err != nil {
			return nil, autocert.ErrCacheMiss
		}
	}
	return data, nil
}

// has says whether there is a certificate for a host that is valid at a time.
func (c *certCache) has(host string, now time.Time) bool {
	data, err := c.Get(context.Background(), host)
	if err != nil {
		return false
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil || pair.Leaf == nil {
		return false
	}
	_, ec := pair.Leaf.PublicKey.(*ecdsa.PublicKey)
	return ec && pair.Leaf.VerifyHostname(host) == nil && !now.Before(pair.Leaf.NotBefore) && now.Before(pair.Leaf.NotAfter)
}

// Put implements autocert.Cache. The file is on the disk when it returns.
func (c *certCache) Put(_ context.Context, name string, data []byte) error {
	if c.closed.Load() {
		return errClosed
	}
	if !cacheName.MatchString(name) {
		return fs.ErrInvalid
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, ".new-") // with the mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // when it was not renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(c.dir, name)); err != nil {
		return err
	}
	if dir, err := os.Open(c.dir); err == nil {
		_ = dir.Sync() // Windows cannot
		dir.Close()
	}
	return nil
}

// Delete implements autocert.Cache.
func (c *certCache) Delete(_ context.Context, name string) error {
	if c.closed.Load() || !cacheName.MatchString(name) {
		return nil
	}
	if err := os.Remove(filepath.Join(c.dir, name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
