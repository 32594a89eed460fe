package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/event"
	"cairn/engine/store"
)

// This file puts the log of a bucket into a store that was restored from a snapshot.

// jitter is how far apart two events can be received that get their seqs in the other order.
const jitter = 10 * time.Second

// ReplayLog is a Replay. It appends what the chain of the store has beyond it; every decision about an
// event is in its row, so nothing is decided again. Objects are taken one by one and each as a whole,
// so the store is at each moment as it was when one of them was made. Where the chain cannot be
// followed any further, it ends there, and Why says what is the matter: that is no error. The caller
// removes the store after an error.
//
// Only the last object, and those that go on with its time, may be taken in part: up to the group with
// the last event that was received by until. Imported events, whose time of receipt is that of another
// store, are where they stand.
func ReplayLog(ctx context.Context, v *Vault, from *Manifest, db *pebble.DB, until time.Time) (Replayed, error) {
	r := &replayer{ctx: ctx, v: v, db: db, until: until, ended: make(map[uint32]bool), done: Replayed{Until: from.Created, Files: make(map[string][]byte)}}
	if err := r.run(); err != nil {
		return r.done, fmt.Errorf("replay the log: %w", err)
	}
	return r.done, nil
}

var _ Replay = ReplayLog

type replayer struct {
	ctx   context.Context
	v     *Vault
	db    *pebble.DB
	until time.Time

	line, life string
	pos        position
	hash       []byte // SHA-256 of the text of the object before; nil = not known
	lost       store.Lost
	last       map[uint32]uint64 // by site
	parted     bool              // an object was taken in part
	ended      map[uint32]bool   // sites that have all that they get
	group      logGroup
	scratch    []byte
	done       Replayed
}

// stop is why the log cannot be followed any further.
type stop struct{ why string }

func (s *stop) Error() string { return s.why }

func stopped(format string, args ...any) error { return &stop{fmt.Sprintf(format, args...)} }

func (r *replayer) run() error {
	objects, err := r.find()
	var why *stop
	if errors.As(err, &why) {
		r.done.Why = why.why
		return nil
	}
	if err != nil {
		return err
	}
	if r.last, err = store.LastSeqs(r.db); err != nil {
		return err
	}
	if r.lost, err = store.ReadLost(r.db); err != nil {
		return err
	}
	for i := range objects {
		o := &objects[i]
		err := r.object(o)
		if errors.As(err, &why) {
			r.done.Why = why.why
			break
		}
		if err != nil {
			return err
		}
		if o.More { // the next one has the rest of what was acknowledged before o.At
			continue
		}
		if r.parted {
			r.done.Until = r.until
			r.lookBack(objects[i+1:])
			break
		}
		r.done.Until = o.At
	}
	if n := len(objects); r.done.Why == "" && n > 0 && objects[n-1].More {
		r.done.Why = fmt.Sprintf("the log in the bucket ends before the rest of what was acknowledged before %s", objects[n-1].At.Format(time.RFC3339))
	} else if r.done.Why == "" && !r.until.IsZero() && r.done.Until.Before(r.until) {
		r.done.Why = "the log in the bucket ends there"
		if n == 0 {
			r.done.Why = "the log in the bucket has nothing after the snapshot"
		}
	}
	return errors.Join(r.db.LogData(nil, pebble.Sync), r.db.Flush())
}

// passed reports whether an object reaches beyond the moment that is asked for.
func (r *replayer) passed(o *logObject) bool { return !r.until.IsZero() && o.At.After(r.until) }

// lookBack finds out whether the clock of the store was set back after the moment that is asked for.
func (r *replayer) lookBack(rest []logObject) {
	for _, o := range rest {
		if !o.At.After(r.until) {
			r.done.Why = fmt.Sprintf("the clock of the store was set back later: %s has events that were received up to %s as well; they are not restored", o.Name, o.At.Format(time.RFC3339))
			return
		}
	}
}

// find returns the objects that follow the store.
func (r *replayer) find() ([]logObject, error) {
	var err error
	if r.line, r.life, err = storeOf(r.db); err != nil {
		return nil, err
	}
	pos, err := readPosition(r.db)
	if err != nil {
		return nil, err
	}
	all, err := chains(r.ctx, r.v.Bucket, LogPrefix)
	if err != nil {
		return nil, err
	}
	known := pos != nil && pos.Line == r.line && pos.Life == r.life
	i := slices.IndexFunc(all, func(c *logChain) bool {
		if known {
			return c.Name == pos.Chain
		}
		return c.Life == r.life // it began after the snapshot
	})
	if i < 0 {
		return nil, stopped("the bucket has no log that follows the snapshot")
	}
	chain := all[i]
	r.pos = position{Line: r.line, Life: r.life, Chain: chain.Name}
	if known {
		r.pos.Number = pos.Number
	}
	next := slices.IndexFunc(chain.Objects, func(o logObject) bool { return o.Number > r.pos.Number })
	if next < 0 {
		return nil, nil
	}
	if next > 0 { // so that its hash is known
		o := chain.Objects[next-1]
		if text, _, err := r.v.Text(r.ctx, o.Name, logBytesMax); err == nil && (o.Number == chain.Objects[next].Before || chain.Objects[next].afterGap()) {
			r.hash = sum(text)
		}
	}
	return chain.Objects[next:], nil
}

func sum(text []byte) []byte {
	s := sha256.Sum256(text)
	return s[:]
}

// object takes one object.
func (r *replayer) object(o *logObject) error {
	if !o.follows(r.pos.Number) && !o.afterGap() {
		return stopped("the log has a hole: %s follows object %d, which the bucket does not have", o.Name, o.Before)
	}
	text, err := r.read(o.Name)
	if err != nil {
		return err
	}
	r.parted = r.parted || r.passed(o)
	var cut map[uint32]uint64
	if r.parted {
		if cut, err = r.cuts(text); err != nil {
			return stopped("%s: %v", o.Name, err)
		}
	}
	b := r.db.NewBatch()
	defer b.Close()
	t := &taking{replayer: r, batch: b, part: r.parted, cut: cut, last: make(map[uint32]uint64), files: make(map[string][]byte)}
	h, err := readLog(text, func(h *logHead) error { return r.check(o, h) }, t.item)
	var bad *stop
	switch {
	case errors.As(err, &bad):
		return stopped("%s: %s", o.Name, bad.why)
	case err != nil && t.failed:
		return err
	case err != nil:
		return stopped("%s: %v", o.Name, err)
	case h.More != o.More:
		return stopped("%s: its name says another end than its content", o.Name)
	}
	r.pos.Number = o.Number
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	r.hash = sum(text)
	for site, last := range t.last {
		r.last[site] = last
	}
	for name, content := range t.files {
		r.done.Files[name] = content
	}
	r.done.Events += t.events
	return nil
}

// check compares the head of an object with its name and with the object before.
func (r *replayer) check(o *logObject, h *logHead) error {
	switch {
	case logName(h) != strings.TrimSuffix(o.Name, logMore) || h.Chain != r.pos.Chain || h.Line != r.line || h.Life != r.life:
		return stopped("it is another object than its name says: object %d of the log %s", h.Number, h.Chain)
	case r.hash != nil && h.Previous != hex.EncodeToString(r.hash):
		return stopped("it does not follow the object before it, which has another content")
	}
	return nil
}

// How often an object is read, and how long a restore waits in between.
const (
	readTries = 3
	readPause = time.Second
)

// read reads an object.
func (r *replayer) read(name string) ([]byte, error) {
	for try := 1; ; try++ {
		text, _, err := r.v.Text(r.ctx, name, logBytesMax)
		switch {
		case err == nil:
			return text, nil
		case r.ctx.Err() != nil:
			return nil, r.ctx.Err()
		case errors.Is(err, ErrNotFound):
			return nil, stopped("%s is gone", name)
		case try == readTries:
			return nil, stopped("%s cannot be read: %v", name, err)
		}
		select {
		case <-time.After(readPause):
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		}
	}
}

// cuts returns for each site the seq after which the events of an object are left out. Up to the
// first group that was received later all are in. So are groups in which an event was received in
// time, if that was only just: it got its seq late. Of later objects a site gets nothing more.
func (r *replayer) cuts(text []byte) (map[uint32]uint64, error) {
	until := r.until.UnixMilli()
	cut, late := make(map[uint32]uint64), make(map[uint32]bool)
	var g logGroup
	_, err := readLog(text, nil, func(kind byte, body []byte) error {
		if kind != itemGroup {
			return nil
		}
		if err := parseGroup(body, &g); err != nil {
			return err
		}
		if r.ended[g.Site] {
			return nil
		}
		some, inTime, just := false, false, false // of the events that this store has received itself
		for _, record := range g.Records {
			e, err := event.DecodeRecord(record)
			if err != nil {
				return errLogDamaged
			}
			if !e.Imported {
				some = true
				inTime = inTime || e.Received <= until
				just = just || e.Received <= until && e.Received > until-jitter.Milliseconds()
			}
		}
		if some && !inTime {
			late[g.Site] = true
		}
		if just || !late[g.Site] {
			cut[g.Site] = g.last()
		}
		return nil
	})
	maps.Copy(r.ended, late)
	return cut, err
}
