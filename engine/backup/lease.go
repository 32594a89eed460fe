package backup

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// This file keeps two stores from writing to one place. The lease is an object that only its holder
// changes, on the condition that it is as the holder left it.

// LeaseName is the object with the lease.
const LeaseName = "lease.json"

// A lease is renewed every leaseRenew. Another store may take it when it was not renewed for leaseEnds by
// the bucket's own clock. Between the two a holder has time to notice that it lost it.
// Tests renew it more often.
var leaseRenew = 60 * time.Second

const leaseEnds = 5 * time.Minute

const leaseBytesMax = 64 << 10

// leaseJSON is the JSON of the object.
type leaseJSON struct {
	Incarnation string    `json:"incarnation"` // of the store that holds it
	Process     string    `json:"process"`     // random
	Host        string    `json:"host"`        // for people
	Renewed     time.Time `json:"renewed"`     // by the holder's clock, for people
}

// lease is what one process knows of the lease.
type lease struct {
	bucket Bucket
	own    leaseJSON
	now    func() time.Time

	mu    sync.Mutex // held by each call
	tag   string     // of the object, while the lease is held
	held  bool       // it was held at some time
	lost  bool       // it was held and somebody else has taken it
	since time.Time  // before the newest renewal, without the monotonic clock, which stands still while a machine is suspended
}

func newLease(b Bucket, incarnation, host string, now func() time.Time) *lease {
	return &lease{bucket: b, own: leaseJSON{Incarnation: incarnation, Process: rand.Text(), Host: host}, now: now}
}

// LeaseError says who holds the lease.
type LeaseError struct {
	Host, Incarnation string
	Lost              bool // this store held it before
	Left              time.Duration
}

func (e *LeaseError) Error() string {
	what := "another server backs up to this place"
	if e.Lost {
		what = "another server has taken over this place; this one no longer backs up"
	}
	return fmt.Sprintf("%s: host %q, store %s. Give each server a prefix of its own. If the other server is gone, this one goes on in %v, or at once with \"cairn backup now -take\"", what, e.Host, e.Incarnation, max(e.Left, 0).Round(time.Second))
}

// hold takes or renews the lease. take takes it from whoever holds it. The error is a *LeaseError while
// another store has it.
func (l *lease) hold(ctx context.Context, take bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Round(0)
	err := l.renew(ctx, take)
	if err == nil {
		l.since = now
	}
	return err
}

// heldFor renews the lease unless that was done within the last trust.
func (l *lease) heldFor(ctx context.Context, trust time.Duration) error {
	l.mu.Lock()
	age := time.Now().Round(0).Sub(l.since)
	fresh := l.tag != "" && age >= 0 && age < trust
	l.mu.Unlock()
	if fresh {
		return nil
	}
	return l.hold(ctx, false)
}

// renew is hold. l.mu is held.
func (l *lease) renew(ctx context.Context, take bool) error {
	if l.tag != "" {
		err := l.put(ctx, Condition{Tag: l.tag})
		if !errors.Is(err, ErrCondition) {
			return err
		}
		l.tag = "" // or the answer to an earlier renewal was lost; then the object is still this process's
	}
	holder, info, err := l.read(ctx)
	if errors.Is(err, ErrNotFound) {
		if err := l.put(ctx, Condition{New: true}); !errors.Is(err, ErrCondition) {
			return err
		}
		holder, info, err = l.read(ctx)
	}
	if err != nil {
		return err
	}
	if holder.Process == l.own.Process {
		l.lost = false
		return l.put(ctx, Condition{Tag: info.Tag})
	}
	l.lost = l.held
	left := leaseEnds
	if !info.Now.IsZero() && !info.Modified.IsZero() {
		left -= info.Now.Sub(info.Modified)
	}
	// The same store takes its lease over at once: its last process is dead, or it could not have the
	// lock of the data directory. A process that has lost it to a copy of itself does not.
	if !take && left > 0 && (l.lost || holder.Incarnation != l.own.Incarnation) {
		return &LeaseError{Host: holder.Host, Incarnation: holder.Incarnation, Lost: l.lost, Left: left}
	}
	err = l.put(ctx, Condition{Tag: info.Tag})
	if errors.Is(err, ErrCondition) { // somebody was faster
		return &LeaseError{Host: holder.Host, Incarnation: holder.Incarnation, Lost: l.lost, Left: leaseEnds}
	}
	return err
}

// put writes the lease. Once written, it is held.
func (l *lease) put(ctx context.Context, when Condition) error {
	l.own.Renewed = l.now().UTC()
	text, err := json.Marshal(l.own)
	if err != nil {
		return err
	}
	info, err := putObject(ctx, l.bucket, LeaseName, append(text, '\n'), when)
	if err != nil {
		return err
	}
	l.tag, l.held, l.lost = info.Tag, true, false
	return nil
}

func (l *lease) read(ctx context.Context) (holder leaseJSON, info Info, err error) {
	text, _, err := readObject(ctx, l.bucket, LeaseName, leaseBytesMax)
	if err != nil {
		return holder, info, err
	}
	// The clock and the tag are those of a HEAD: a directory tells its clock with that alone.
	if info, err = l.bucket.Head(ctx, LeaseName); err != nil {
		return holder, info, err
	}
	if err := json.Unmarshal(text, &holder); err != nil {
		holder = leaseJSON{Host: "unknown", Incarnation: "unknown"} // it is taken when it ends
	}
	return holder, info, nil
}

// release ends the lease, so that another store need not wait.
func (l *lease) release(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tag == "" {
		return
	}
	// Delete has no condition. A lease that another process has taken meanwhile must stay.
	if holder, info, err := l.read(ctx); err == nil && holder.Process == l.own.Process && info.Tag == l.tag {
		_ = l.bucket.Delete(ctx, LeaseName)
	}
	l.tag = ""
}

// probeName is the object with which a server is tried.
const probeName = "conditions.probe"

// conditions says whether a server honours conditions. It stores what is new and what has the tag that the
// server has told, and refuses what is there and what has another tag.
func conditions(ctx context.Context, b Bucket) (bool, error) {
	name := probeName + "-" + rand.Text()
	tag, honoured := "", true
	for _, try := range []struct {
		when func() Condition
		want error
	}{
		{func() Condition { return Condition{New: true} }, nil},
		{func() Condition { return Condition{New: true} }, ErrCondition},
		{func() Condition { return Condition{Tag: tag} }, nil},
		{func() Condition { return Condition{Tag: "0123456789abcdef0123456789abcdef"} }, ErrCondition},
	} {
		info, err := putObject(ctx, b, name, []byte(rand.Text()), try.when())
		if errors.Is(err, errors.ErrUnsupported) {
			return false, nil
		}
		if err != nil && !errors.Is(err, ErrCondition) {
			return false, err
		}
		if honoured = honoured && errors.Is(err, try.want); err == nil {
			tag = info.Tag
		}
	}
	return honoured, b.Delete(ctx, name)
}

// unconditional is a bucket that does not honour conditions. It looks before it writes, so two that
// write in the same moment can both succeed.
type unconditional struct{ Bucket }

// Put implements Bucket.
func (u unconditional) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when Condition) (Info, error) {
	if when != (Condition{}) {
		switch info, err := u.Head(ctx, name); {
		case errors.Is(err, ErrNotFound):
			if when.Tag != "" {
				return Info{}, ErrCondition
			}
		case err != nil:
			return Info{}, err
		case when.New, info.Tag != when.Tag:
			return Info{}, ErrCondition
		}
	}
	return u.Bucket.Put(ctx, name, body, size, sum, Condition{})
}
