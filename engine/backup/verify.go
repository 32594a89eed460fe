package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// This file proves that backups can be restored: every object is read back, and now and then a whole
// snapshot is restored to scratch, opened and recounted.

// verifiedName is the object that says when objects were read back, and how far the recount has come.
const (
	verifiedName     = "verified.json"
	verifiedBytesMax = 64 << 20
)

const (
	recountMax   = 60 * time.Second
	restoreDaily = 24 * time.Hour
	restoreRare  = 7 * 24 * time.Hour
)

// verifiedJSON is the JSON of the object.
type verifiedJSON struct {
	Read     map[string]time.Time `json:"read"`     // by object
	Restored time.Time            `json:"restored"` // the newest restore to scratch
	Recount  string               `json:"recount"`  // where the recount goes on
}

// loadVerified reads what earlier processes have verified.
func (b *Backup) loadVerified(ctx context.Context, v *Vault) error {
	var j verifiedJSON
	text, _, err := v.Text(ctx, verifiedName, verifiedBytesMax)
	if err == nil {
		_ = json.Unmarshal(text, &j) // a damaged one: all is read again
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	if j.Read == nil {
		j.Read = make(map[string]time.Time)
	}
	b.verified, b.restored, b.recount = j.Read, j.Restored, j.Recount
	return nil
}

func (b *Backup) saveVerified(ctx context.Context, v *Vault) error {
	text, err := json.Marshal(verifiedJSON{b.verified, b.restored, b.recount})
	if err != nil {
		return err
	}
	_, err = v.PutText(ctx, verifiedName, text, Condition{})
	return err
}

// share returns which share of the bytes of a snapshot was read back.
func (b *Backup) share(m *Manifest) float64 {
	var all, read int64
	for _, f := range m.Files {
		for _, p := range f.Parts {
			if all += p.Size; !b.verified[p.Object].IsZero() {
				read += p.Size
			}
		}
	}
	if all == 0 {
		return 1
	}
	return float64(read) / float64(all)
}

// verify reads the objects of the newest snapshot back that never were, and restores it to scratch
// when that is due.
func (b *Backup) verify(ctx context.Context, v *Vault, m *Manifest) error {
	if err := b.readAll(ctx, v, m); err != nil {
		return err
	}
	rest := restoreDaily
	if m.Bytes() > b.VerifyMax {
		rest = restoreRare
	}
	if b.Recount == nil || b.now().Sub(b.restored) < rest {
		return nil
	}
	if err := b.restoreToScratch(ctx, v, m); err != nil {
		err = fmt.Errorf("verify %s by a restore: %w", m.Name, err)
		if errors.Is(err, errDamaged) || errors.Is(err, ErrNotFound) {
			// What was read back once has changed since. All of it is read again, so that the next
			// snapshot knows what to store again.
			for _, f := range m.Files {
				for _, p := range f.Parts {
					delete(b.verified, p.Object)
				}
			}
			err = errors.Join(err, b.readAll(ctx, v, m))
		}
		return err
	}
	b.restored = b.now().UTC().Truncate(time.Second)
	return b.saveVerified(ctx, v)
}

// readAll reads the objects of a snapshot back that never were.
func (b *Backup) readAll(ctx context.Context, v *Vault, m *Manifest) error {
	var bad error
	for _, f := range m.Files {
		for _, p := range f.Parts {
			if !b.verified[p.Object].IsZero() {
				continue
			}
			err := b.readBack(ctx, v, p)
			if err != nil {
				err = fmt.Errorf("verify %s: %s: %w", m.Name, f.Name, err)
			}
			if b.damaged[p.Object] {
				bad = errors.Join(bad, err) // and on with the others
				continue
			}
			if err != nil {
				return err
			}
			b.verified[p.Object] = b.now().UTC().Truncate(time.Second)
			b.setShare(b.share(m))
		}
	}
	return errors.Join(bad, b.saveVerified(ctx, v))
}

// readBack reads an object and compares its sum. The next snapshot stores an object again that
// differs or is missing, if the store still has the file.
func (b *Backup) readBack(ctx context.Context, v *Vault, p Part) error {
	if b.limiter.rate > 0 {
		b.sleep(ctx, time.Duration(float64(p.Size)/float64(b.limiter.rate)*float64(time.Second)))
	}
	_, err := readPart(ctx, v, p, 0, io.Discard)
	if errors.Is(err, errDamaged) || errors.Is(err, ErrNotFound) {
		b.damaged[p.Object] = true
		err = fmt.Errorf("%s: %w. The next snapshot stores it again, if the store still has it", p.Object, err)
	}
	return err
}

// VerifyObjects reads all objects of snapshots back, each once, and compares their sums. It returns what is
// wrong with all of them, and which snapshots cannot be restored because of it. progress may be nil.
func VerifyObjects(ctx context.Context, v *Vault, manifests []*Manifest, progress func(done, of int64)) error {
	type object struct {
		Part
		in []string // names of snapshots
	}
	var objects []*object
	byName := make(map[string]*object)
	var done, of int64
	for _, m := range manifests {
		for _, f := range m.Files {
			for _, p := range f.Parts {
				o := byName[p.Object]
				if o == nil {
					o = &object{Part: p}
					byName[p.Object], objects, of = o, append(objects, o), of+p.Size
				}
				if n := len(o.in); n == 0 || o.in[n-1] != m.Name {
					o.in = append(o.in, m.Name)
				}
			}
		}
	}
	var bad []error
	for _, o := range objects {
		if _, err := readPart(ctx, v, o.Part, 0, io.Discard); err != nil {
			bad = append(bad, fmt.Errorf("%s: %w. It is part of %s", o.Object, err, strings.Join(o.in, ", ")))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if done += o.Size; progress != nil {
			progress(done, of)
		}
	}
	return errors.Join(bad...)
}

// VerifyLog reads all objects of the log back. It returns how many there are, and what is wrong with all of
// them.
func VerifyLog(ctx context.Context, v *Vault) (n int, err error) {
	all, err := chains(ctx, v.Bucket, LogPrefix)
	if err != nil {
		return 0, err
	}
	var bad []error
	for _, c := range all {
		for _, o := range c.Objects {
			n++
			text, _, err := v.Text(ctx, o.Name, logBytesMax)
			if err == nil {
				var h *logHead
				if h, err = readLog(text, nil, func(byte, []byte) error { return nil }); err == nil && logName(h) != o.Name {
					err = errLogDamaged
				}
			}
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			if err != nil {
				bad = append(bad, fmt.Errorf("%s: %w. Moments after the object before it cannot be restored with an older snapshot", o.Name, err))
			}
		}
	}
	return n, errors.Join(bad...)
}

// restoreToScratch restores a snapshot beside the store, opens it and recounts a part of it.
func (b *Backup) restoreToScratch(ctx context.Context, v *Vault, m *Manifest) error {
	if err := errors.Join(os.RemoveAll(b.Scratch), os.MkdirAll(b.Scratch, 0o700)); err != nil {
		return err
	}
	defer os.RemoveAll(b.Scratch)
	dir := filepath.Join(b.Scratch, "restored")
	r, err := restoreSnapshot(ctx, v, m, RestoreOptions{Dir: dir, Replay: b.Replay, Deletions: b.Deletions, Room: b.Room, Now: b.now})
	if err != nil {
		return err
	}
	if why := r.Replayed.Why; why != "" && b.shipper != nil && b.shipper.Whole() {
		return fmt.Errorf("the log after it is restored up to %s and no further: %s", r.Replayed.Until.Format(time.RFC3339), why)
	}
	next, problems, err := b.Recount(ctx, dir, b.recount, recountMax)
	if err != nil {
		return err
	}
	b.recount = next
	if len(problems) > 0 {
		return fmt.Errorf("the restored store has %d problems, the first: %s", len(problems), problems[0])
	}
	return nil
}
