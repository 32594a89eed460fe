package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/erase"
	"cairn/engine/store"
)

// This file ships the log: what the store has acknowledged goes into the bucket, object by object.

// LogShipper is a Shipper. Nothing in it waits for anything but the bucket, and nothing of the store
// waits for it: a view of the store is read without a lock, and while an object is sent nothing is
// held but its text.
type LogShipper struct {
	vault *Vault
	src   *LogSource
	log   *slog.Logger

	onlyCopies bool

	// Of the caller of Ship alone.
	ready   bool
	pos     position
	number  uint64            // of the newest object in the bucket; 0 = the chain has none
	last    [32]byte          // SHA-256 of its text
	shipped map[uint32]uint64 // by site, the newest seq in the bucket
	confirm map[uint32]bool   // sites whose entry of shipped is not in the store yet
	sums    map[string]uint64 // see builder
	visits  map[Visit]struct{}
	copied  map[string]bool // copies of deletions that are in the bucket
	copies  bool            // copied has grown since the chain was looked at for it
	pending *logText
	changes uint64 // of the source when the newest view was taken
	viewed  bool
	more    bool
	sent    int  // objects
	tries   int  // to read the newest object
	missing bool // rows have left the log before they were shipped, and no object tells it yet
	fresh   bool // the chain has just begun, and rows may have left the log before

	mu      sync.Mutex
	want    string // why a snapshot is needed; "" = it is not
	wanted  time.Time
	hole    bool      // because rows are missing
	through time.Time // see Shipped
	stats   logStats
}

type logStats struct{ objects, bytes, events, gaps uint64 }

// logText is an object on its way into the bucket.
type logText struct {
	name   string
	text   []byte
	at     time.Time
	number uint64
	to     map[uint32]uint64
	events uint64
	more   bool
}

// NewShipper returns a shipper for a running store. It does nothing until Ship is called.
// With copies set it stores the copies of deletions alone.
func NewShipper(v *Vault, src *LogSource, copies bool, log *slog.Logger) *LogShipper {
	return &LogShipper{vault: v, src: src, onlyCopies: copies, log: log, copied: make(map[string]bool)}
}

var _ Shipper = (*LogShipper)(nil)

// Ship implements Shipper. An object that could not be stored is sent again, as it is, by the next
// call; rows that come meanwhile stay in the log of the store until they are sealed.
func (s *LogShipper) Ship(ctx context.Context) error {
	if s.onlyCopies {
		if err := s.copyDeletions(ctx); err != nil {
			return fmt.Errorf("copy a deletion: %w", err)
		}
		return nil
	}
	if !s.ready {
		if err := s.begin(ctx); err != nil {
			return fmt.Errorf("ship the log: %w", err)
		}
		s.ready = true
	}
	if err := s.copyDeletions(ctx); err != nil {
		return fmt.Errorf("copy a deletion: %w", err)
	}
	for {
		if s.pending == nil {
			var err error
			if s.pending, err = s.build(); err != nil {
				s.need("the log of the store could not be read: " + err.Error())
				return fmt.Errorf("ship the log: %w", err)
			}
			if s.pending == nil {
				break
			}
		}
		if err := s.send(ctx); err != nil {
			return fmt.Errorf("ship the log: %w", err)
		}
		if err := s.alone(ctx); err != nil {
			return fmt.Errorf("ship the log: %w", err)
		}
		if !s.more {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.want != "" {
		return fmt.Errorf("%w: %s", ErrGap, s.want)
	}
	return nil
}

// need notes that the log alone does not restore all: a snapshot has to follow.
func (s *LogShipper) need(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.want == "" {
		s.log.Warn("backup: the log in the bucket needs a snapshot", "reason", why)
	}
	s.want, s.wanted = why, s.src.Now()
}

// begin finds out where the store is in its chain, and begins another one when there is none to go on
// with.
func (s *LogShipper) begin(ctx context.Context) error {
	line, life, err := storeOf(s.src.DB)
	if err != nil {
		return err
	}
	pos, err := readPosition(s.src.DB)
	if err != nil {
		return err
	}
	s.sums, s.visits, s.copies = make(map[string]uint64), make(map[Visit]struct{}), true
	s.confirm, s.pending, s.viewed = make(map[uint32]bool), nil, false
	if pos == nil || pos.Line != line || pos.Life != life {
		return s.beginChain(line, life, "the log begins here")
	}
	all, err := chains(ctx, s.vault.Bucket, LogPrefix+pos.Chain+"/")
	if err != nil {
		return err
	}
	if len(all) == 0 || len(all[0].Objects) == 0 {
		return s.beginChain(line, life, "the bucket has nothing of the log that the store had begun")
	}
	// A power cut may have taken the newest positions from the store, but no event that was shipped. If
	// the bucket has events that the store does not have, the store was put back to an older state, or
	// a copy of it ships the same log. Then the log must not go on there: it would be two in one.
	objects := all[0].Objects
	unknown := slices.IndexFunc(objects, func(o logObject) bool { return o.Number > pos.Number })
	if unknown < 0 {
		unknown = len(objects) - 1
	}
	for _, o := range objects[unknown:] {
		text, _, err := s.vault.Text(ctx, o.Name, logBytesMax)
		if err != nil {
			if s.tries++; s.tries < readTries {
				return err
			}
			return s.beginChain(line, life, fmt.Sprintf("the newest object of the log in the bucket cannot be read: %v", err))
		}
		h, err := readLog(text, nil, func(kind byte, body []byte) error {
			if kind != itemGroup || o.Number <= pos.Number {
				return nil
			}
			return compareGroup(s.src.DB, body)
		})
		if errors.Is(err, errOtherGroup) {
			return s.beginChain(line, life, fmt.Sprintf("%s in the bucket has events that this store does not have: the store was put back to an older state, or another process ships the same log", o.Name))
		}
		if err != nil || h.Chain != pos.Chain || h.Number != o.Number || h.Line != line || h.Life != life {
			return s.beginChain(line, life, fmt.Sprintf("%s in the bucket is not the newest object of this store's log", o.Name))
		}
		s.number, s.last = o.Number, sha256.Sum256(text)
	}
	s.pos = *pos
	s.pos.Number = max(pos.Number, s.number)
	if s.shipped, err = readShipped(s.src.DB); err != nil {
		return err
	}
	some, err := hasKeys(s.src.DB, store.PrefixHeartbeats)
	if some {
		s.need("heartbeats may have come before the last start that are not in the log")
	}
	return err
}

// beginChain begins another chain.
func (s *LogShipper) beginChain(line, life, why string) error {
	s.pos = position{Line: line, Life: life, Chain: newChain(life, s.src.Now())}
	s.number, s.last, s.shipped, s.pending, s.viewed = 0, [32]byte{}, make(map[uint32]uint64), nil, false
	s.sums, s.copies, s.confirm, s.fresh = make(map[string]uint64), true, make(map[uint32]bool), true
	s.missing = false
	b := s.src.DB.NewBatch()
	defer b.Close()
	if err := b.DeleteRange([]byte{store.PrefixShipped}, []byte{store.PrefixShipped + 1}, nil); err != nil {
		return err
	}
	text, err := json.Marshal(s.pos)
	if err == nil {
		err = b.Set(positionKey, text, nil)
	}
	if err != nil {
		return err
	}
	s.need(why)
	return b.Commit(pebble.NoSync)
}

func hasKeys(r pebble.Reader, prefix byte) (bool, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return false, err
	}
	some := it.First()
	return some, errors.Join(it.Error(), it.Close())
}

// build makes the next object, or returns nil when there is nothing new. The place of the store in
// the chain is written at the moment at which the view is taken: see position. All that is taken
// from the source before that is durable.
func (s *LogShipper) build() (*logText, error) {
	now, changes := s.src.Now(), s.src.Changes()
	files, err := changedFiles(s.src.FS, s.src.Dir, s.sums)
	if err != nil {
		return nil, err
	}
	if s.viewed && !s.more && changes == s.changes && len(files) == 0 {
		s.done(now)
		return nil, nil
	}
	pos := s.pos
	pos.Number += 2 // the number between is that of what is missing, see read
	text, err := json.Marshal(pos)
	if err != nil {
		return nil, err
	}
	batch := s.src.DB.NewBatch()
	defer batch.Close()
	err = batch.Set(positionKey, text, nil)
	for site := range s.confirm {
		err = errors.Join(err, batch.Set(shippedKey(site), binary.BigEndian.AppendUint64(nil, s.shipped[site]), nil))
	}
	if err != nil {
		return nil, err
	}
	events, view, err := s.take(batch)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	clear(s.confirm)
	s.pos = pos
	return s.read(view, now, changes, events, files)
}

// done notes that all that was acknowledged before a time is in the bucket.
func (s *LogShipper) done(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.through = at
}

// take writes the position and takes the view.
func (s *LogShipper) take(batch *pebble.Batch) (map[uint32]uint64, *pebble.Snapshot, error) {
	s.src.Install.Lock()
	defer s.src.Install.Unlock()
	events := s.src.Events()
	visits, all := s.src.Heartbeats()
	for _, v := range visits {
		s.visits[v] = struct{}{}
	}
	if !all {
		s.need("too many heartbeats came before they could be shipped")
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return nil, nil, err
	}
	return events, s.src.DB.NewSnapshot(), nil
}

// read makes an object of a view.
func (s *LogShipper) read(view pebble.Reader, now time.Time, changes uint64, events map[uint32]uint64, files []logFile) (*logText, error) {
	h := &logHead{Chain: s.pos.Chain, Number: s.pos.Number, At: now.UnixMilli(), Before: s.number, Previous: hex.EncodeToString(s.last[:]),
		Line: s.pos.Line, Life: s.pos.Life}
	b, empty, err := s.fill(view, h, events, files)
	if err == nil && (s.missing || len(b.holes) > 0 && !s.fresh) {
		// It follows a number that no object has: so its name alone tells that something is missing.
		h.Before = h.Number - 1
		b, empty, err = s.fill(view, h, events, files)
		s.missing = empty // and the next one has to tell
	}
	if err != nil {
		return nil, err
	}
	w := b.w
	if !b.more {
		clear(s.visits)
		s.copies = false
	}
	s.note(b)
	s.more, s.changes, s.viewed = b.more, changes, true
	if empty {
		maps.Copy(s.shipped, b.to)
		s.done(now)
		return nil, errors.Join(w.err, w.z.Close())
	}
	h.More = b.more
	out := &logText{name: logName(h), at: now, number: h.Number, to: b.to, events: b.events, more: b.more}
	out.text, err = w.finish(b.more)
	return out, err
}

// fill makes the items of an object. empty is whether there are none.
func (s *LogShipper) fill(view pebble.Reader, h *logHead, events map[uint32]uint64, files []logFile) (_ *builder, empty bool, err error) {
	w, err := newLogWriter(h)
	if err != nil {
		return nil, false, err
	}
	b := &builder{w: w, view: view, sums: s.sums, fresh: make(map[string]uint64), to: make(map[uint32]uint64)}
	none := w.items
	b.files(files)
	if err := b.records(); err != nil {
		return nil, false, err
	}
	sites := slices.Sorted(maps.Keys(events))
	for _, site := range sites {
		from := s.shipped[site] + 1
		if from > events[site] {
			continue
		}
		if w.raw >= objectRaw {
			b.more = true
			break
		}
		if err := b.site(site, from, events[site]); err != nil {
			return nil, false, err
		}
	}
	if !b.more {
		if err := b.heartbeats(s.visits); err != nil {
			return nil, false, err
		}
		if s.copies {
			if err := b.deletions(sites, s.copied); err != nil {
				return nil, false, err
			}
		}
	}
	return b, w.items == none, nil
}

// note takes over what a builder has found.
func (s *LogShipper) note(b *builder) {
	maps.Copy(s.sums, b.fresh)
	for _, scope := range b.gone {
		delete(s.sums, scope)
	}
	for _, h := range b.holes {
		if s.fresh {
			continue // a snapshot has to follow the beginning of a chain anyway
		}
		s.need(h.Error())
		s.mu.Lock()
		s.hole = true
		s.stats.gaps++
		s.mu.Unlock()
	}
	s.fresh = s.fresh && b.more
}

// send stores the pending object. An answer may have been lost, so an object of that name may be this
// one already. If it is another, somebody else writes this chain, and another one begins.
func (s *LogShipper) send(ctx context.Context) error {
	p := s.pending
	_, err := s.vault.PutText(ctx, p.name, p.text, Condition{New: true})
	if errors.Is(err, ErrCondition) {
		var there []byte
		if there, _, err = s.vault.Text(ctx, p.name, logBytesMax); err != nil {
			return err
		}
		if !bytes.Equal(there, p.text) {
			return s.beginChain(s.pos.Line, s.pos.Life, fmt.Sprintf("%s in the bucket is of another process", p.name))
		}
	}
	if err != nil {
		return err
	}
	s.pending = nil
	s.number, s.last = p.number, sha256.Sum256(p.text)
	for site, to := range p.to {
		s.shipped[site], s.confirm[site] = to, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.more {
		s.through = p.at
	}
	s.stats.objects++
	s.stats.bytes += uint64(len(p.text))
	s.stats.events += p.events
	return nil
}

// alone finds out whether somebody else writes this chain, such as a copy of the data directory: then
// the newest number is there twice, and another chain begins. It is asked now and then.
func (s *LogShipper) alone(ctx context.Context) error {
	const every = 8
	if s.sent++; s.sent%every != 1 {
		return nil
	}
	n := 0
	if err := s.vault.List(ctx, fmt.Sprintf("%s%s/%012d-", LogPrefix, s.pos.Chain, s.number), func(Info) error {
		n++
		return nil
	}); err != nil || n < 2 {
		return err
	}
	return s.beginChain(s.pos.Line, s.pos.Life, fmt.Sprintf("another process writes the log %s as well", s.pos.Chain))
}

// copyDeletions stores the copies of deletions, which outlive the log and all snapshots.
func (s *LogShipper) copyDeletions(ctx context.Context) error {
	for _, d := range s.src.Deletions() {
		text, err := erase.CopyText(s.src.Public, d.Site, d.Record)
		if err != nil {
			return err
		}
		_, err = s.vault.PutText(ctx, DeletionPrefix+d.Name, text, Condition{New: true})
		if err != nil && !errors.Is(err, ErrCondition) {
			return err
		}
		s.src.Copied(d.Name)
		s.copied[d.Name], s.copies = true, true
	}
	return nil
}
