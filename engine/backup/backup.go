package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// This file is the running backup: a loop that makes snapshots, ships the log and verifies, and that
// tries again when the bucket fails. No write of the store ever waits for it.

// Backup backs up a store that is open. Its exported methods may be called at any time.
type Backup struct {
	Options
	store    Store
	requests chan request
	ended    chan struct{} // closed when Run returns
	limiter  limiter
	lease    *lease

	// The loop alone uses these.
	vault     *Vault               // nil until the bucket was opened
	shipper   Shipper              // nil = the log is not shipped
	manifests map[string]*Manifest // that were read, by name
	useless   map[string]bool      // names of manifests that are damaged
	verified  map[string]time.Time // when objects were read back
	damaged   map[string]bool      // objects that were found to be damaged
	restored  time.Time            // the newest restore to scratch
	recount   string               // where the recount goes on
	lastCheck time.Time            // the newest verification
	waiting   []request            // get the next snapshot

	shipping sync.Mutex // held while the shipper works

	mu    sync.Mutex
	state state
}

// request asks for a snapshot at once.
type request struct {
	take bool // the lease is taken from whoever holds it
	done chan answer
}

type answer struct {
	made Made
	err  error
}

// New returns a backup that does nothing before Run.
func New(o Options) (*Backup, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Backup{Options: o, store: o.Store, requests: make(chan request), ended: make(chan struct{}), manifests: make(map[string]*Manifest),
		damaged: make(map[string]bool), limiter: limiter{rate: o.Rate}}
	return b, nil
}

func (b *Backup) now() time.Time { return b.Now() }

// sleep sleeps until the context ends.
func (b *Backup) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Retries of the loop, and of one object. Tests wait less.
var (
	retryFirst  = time.Second
	retryMost   = 5 * time.Minute
	attemptWait = time.Second
)

// Run backs up until the context ends. Then the lease is given back. It is called once.
func (b *Backup) Run(ctx context.Context) {
	defer close(b.ended)
	retry := retryFirst
	for ctx.Err() == nil {
		began := b.now()
		err := b.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errSwapped) {
			b.vault, b.shipper = nil, nil // opened again
		}
		if b.lastSuccess().After(began) {
			retry = retryFirst
		}
		b.failed(err, retry)
		for _, r := range b.waiting {
			r.done <- answer{err: err}
		}
		b.waiting = nil
		select {
		case <-ctx.Done():
		case <-time.After(retry):
			retry = min(2*retry, retryMost)
		case r := <-b.requests:
			b.waiting = append(b.waiting, r)
		}
	}
	for _, r := range b.waiting {
		r.done <- answer{err: errStopping}
	}
	if b.lease != nil {
		// The process has little time left. A lease that stays is this store's own at its next start.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		b.lease.release(last)
	}
}

// errSwapped says that the bucket is no longer the one that was opened.
var errSwapped = errors.New("this is another bucket than it was: it does not have the key of the backup")

var errStopping = errors.New("the backup is stopping")

// SnapshotNow makes a snapshot at once. take takes the lease from whoever holds it.
func (b *Backup) SnapshotNow(ctx context.Context, take bool) (Made, error) {
	r := request{take, make(chan answer, 1)}
	select {
	case b.requests <- r:
	case <-b.ended:
		return Made{}, errStopping
	case <-ctx.Done():
		return Made{}, errors.New("a snapshot or its verification is under way; see \"cairn backup list\"")
	}
	select {
	case a := <-r.done:
		return a.made, a.err
	case <-ctx.Done():
		return Made{}, errors.New("the snapshot is not finished; see \"cairn backup list\"")
	}
}

// open opens the bucket once.
func (b *Backup) open(ctx context.Context) error {
	if b.vault != nil {
		return nil
	}
	bucket := b.Bucket
	honoured, err := conditions(ctx, bucket)
	if err != nil {
		return err
	}
	if !honoured {
		bucket = unconditional{bucket}
		b.Log.Warn("the server of the backup ignores If-None-Match: two servers that back up to one prefix would not notice each other in time. Give each its own prefix", "to", bucket.String())
	}
	v, err := OpenVault(ctx, bucket, b.Passphrase, true)
	if err != nil {
		return err
	}
	v.limit = b.limiter.wrap
	if b.lease == nil {
		b.lease = newLease(bucket, b.store.Incarnation(), b.Host, b.now)
	}
	if b.NewShipper != nil && b.shipper == nil {
		shipper := b.NewShipper(v)
		b.mu.Lock()
		b.state.shipper = shipper
		b.mu.Unlock()
		b.shipper = shipper
	}
	b.vault = v
	return nil
}

// load reads the manifests of the bucket. A bucket of another store is an error. It is called before each
// snapshot, since another bucket may have been put into the place of this one.
func (b *Backup) load(ctx context.Context) (newest *Manifest, err error) {
	if same, err := b.vault.hasKey(ctx); err != nil {
		return nil, err
	} else if !same {
		return nil, fmt.Errorf("%s: %w", b.vault, errSwapped)
	}
	names, err := Manifests(ctx, b.vault)
	if err != nil {
		return nil, err
	}
	var kept []*Manifest
	useless := make(map[string]bool)
	for _, name := range names {
		m := b.manifests[name]
		if m == nil {
			m, err = ReadManifest(ctx, b.vault, name)
			if errors.Is(err, errManifest) {
				if !b.useless[name] {
					b.Log.Error("a snapshot in the backup cannot be restored", "to", b.vault.String(), "error", err)
				}
				useless[name] = true
				continue
			}
			if errors.Is(err, ErrNotFound) {
				continue // it has just been deleted
			}
			if err != nil {
				return nil, err
			}
			b.manifests[name] = m
		}
		if m.Line != b.store.Line() {
			return nil, fmt.Errorf("%s has backups of another store; use another prefix. Nothing in it was changed", b.vault)
		}
		kept = append(kept, m)
	}
	b.setKept(kept)
	b.setUseless(useless)
	if n := len(kept); n > 0 {
		newest = kept[n-1]
	}
	return newest, nil
}

// session backs up while nothing fails.
func (b *Backup) session(ctx context.Context) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	newest, err := b.load(ctx)
	if err != nil {
		return err
	}
	held := time.Now()
	take := slices.ContainsFunc(b.waiting, func(r request) bool { return r.take })
	err = b.lease.hold(ctx, take)
	b.setLease(err)
	if err != nil {
		return err
	}
	if err := b.loadVerified(ctx, b.vault); err != nil {
		return err
	}
	if newest != nil {
		b.setShare(b.share(newest))
	}
	ctx, stop := context.WithCancelCause(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop(nil)
	workers.Go(func() { b.keepLease(ctx, stop, held) })
	urgent := make(chan struct{}, 1)
	if b.shipper != nil {
		workers.Go(func() { b.ship(ctx, urgent) })
	}
	due := b.now()
	if newest != nil {
		if due = newest.Created.Add(b.Every); due.After(b.now().Add(b.Every)) {
			due = b.now() // the clock was ahead
		}
	}
	for {
		if len(b.waiting) > 0 || !b.now().Before(due) {
			if newest, err = b.backUp(ctx); err != nil {
				return err
			}
			select { // whoever still needs a snapshot asks again
			case <-urgent:
			default:
			}
			due = b.now().Add(b.Every)
		}
		if err := b.verifyWhenDue(ctx, newest); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-urgent:
			due = b.now()
		case <-time.After(min(max(due.Sub(b.now()), 0), time.Minute)):
		case r := <-b.requests:
			if r.take { // the lease is held, but let it be certain
				b.setLease(b.lease.hold(ctx, true))
			}
			b.waiting = append(b.waiting, r)
		}
	}
}

// backUp makes a snapshot, tells who waits for it, and deletes what is not kept.
func (b *Backup) backUp(ctx context.Context) (*Manifest, error) {
	if _, err := b.load(ctx); err != nil {
		return nil, err
	}
	began := b.now()
	acknowledged := b.store.Acknowledged()
	made, err := b.snapshot(ctx, b.vault)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	b.succeeded(made, acknowledged)
	for _, r := range b.waiting {
		r.done <- answer{made: made}
	}
	b.waiting = nil
	b.manifests[made.Manifest.Name] = made.Manifest
	b.Log.Info("backed up", "to", b.vault.String(), "snapshot", made.Manifest.Name, "events", made.Manifest.Events, "objects", made.Objects, "bytes", made.Sent, "seconds", made.Seconds)
	if b.shipper != nil {
		// First, since it is so however the rest ends: else a gap would ask for snapshots on and on.
		b.shipping.Lock()
		err := b.shipper.Began(ctx, made.Manifest, began)
		b.shipping.Unlock()
		if err != nil {
			return nil, err
		}
	}
	kept, err := b.prune(ctx, b.vault, made.Manifest)
	if err != nil {
		return nil, fmt.Errorf("delete old backups: %w", err)
	}
	b.setKept(kept)
	b.setShare(b.share(made.Manifest))
	if b.shipper != nil {
		b.shipping.Lock()
		defer b.shipping.Unlock()
		if err := b.shipper.Prune(ctx, began.Add(-b.LogKeep), kept); err != nil {
			return nil, fmt.Errorf("delete old objects of the log: %w", err)
		}
	}
	return made.Manifest, nil
}

// verifyWhenDue verifies a snapshot when the last time is long ago. Damage is no reason to stop: the
// next snapshot may mend it.
func (b *Backup) verifyWhenDue(ctx context.Context, m *Manifest) error {
	if m == nil || b.VerifyEvery == 0 || b.now().Sub(b.lastCheck) < b.VerifyEvery {
		return nil
	}
	if b.lastCheck.IsZero() {
		// After a start: what was verified lately is not verified again.
		b.lastCheck = b.newestVerified()
		if b.now().Sub(b.lastCheck) < b.VerifyEvery {
			b.verifiedAt(b.lastCheck, nil)
			return nil
		}
	}
	err := b.verify(ctx, b.vault, m)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.lastCheck = b.now()
	b.verifiedAt(b.lastCheck, err)
	if err != nil {
		b.Log.Error("the backup failed its verification", "to", b.vault.String(), "error", err)
	}
	return nil
}

func (b *Backup) newestVerified() (at time.Time) {
	for _, t := range b.verified {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// keepLease renews the lease until the context ends, or ends it when the lease is lost. last is a time
// before the newest renewal.
func (b *Backup) keepLease(ctx context.Context, stop context.CancelCauseFunc, last time.Time) {
	const most = leaseEnds - time.Minute
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		bounded, cancel := context.WithDeadline(ctx, last.Add(most)) // a request that hangs must not outlast the lease
		err := b.lease.hold(bounded, false)
		cancel()
		var lost *LeaseError
		switch {
		case err == nil:
			last = now
			b.setLease(nil)
		case errors.As(err, &lost):
			b.setLease(err)
			stop(err)
			return
		case time.Since(last) >= most:
			// It may end before the next attempt.
			stop(fmt.Errorf("renew the lease: %w", err))
			return
		}
	}
}

// ship ships the log until the context ends.
func (b *Backup) ship(ctx context.Context, urgent chan<- struct{}) {
	every := b.LogEvery
	if every == 0 {
		every = time.Minute // copies of deletions alone
	}
	var due <-chan struct{}
	if s, ok := b.shipper.(interface{ Due() <-chan struct{} }); ok {
		due = s.Due()
	}
	wait, soon := every, due
	for {
		select {
		case <-ctx.Done():
			return
		case <-soon:
		case <-time.After(wait):
		}
		b.shipping.Lock()
		err := b.shipper.Ship(ctx)
		b.shipping.Unlock()
		soon = due
		switch {
		case err == nil:
			wait = every
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrGap):
			select {
			case urgent <- struct{}{}:
			default:
			}
			wait = every
		default:
			wait, soon = min(max(2*wait, retryFirst), retryMost), nil // however much is due, a bucket that fails is not asked all the time
		}
		if b.shipped(err); err != nil {
			b.Log.Warn("the log could not be shipped to the backup", "to", b.vault.String(), "error", err)
		}
	}
}

// failed notes the error of a session.
func (b *Backup) failed(err error, retry time.Duration) {
	b.mu.Lock()
	b.state.failures++
	b.state.inARow++
	b.state.err = err
	b.mu.Unlock()
	level := slog.LevelWarn
	if errors.Is(err, ErrPassphrase) || errors.Is(err, ErrNoPassphrase) {
		level = slog.LevelError
	}
	b.Log.Log(context.Background(), level, "the backup has failed; it is tried again", "to", b.Bucket.String(), "error", err, "in", retry.String())
}
