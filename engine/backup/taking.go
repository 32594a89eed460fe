package backup

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/erase"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/wal"
)

// This file takes the items of one object of the log into a store.

// taking is an object that is being taken.
type taking struct {
	*replayer
	batch  *pebble.Batch
	part   bool
	cut    map[uint32]uint64
	last   map[uint32]uint64
	files  map[string][]byte
	events uint64
	failed bool // the store could not be written
}

func (t *taking) write(err error) error {
	t.failed = t.failed || err != nil
	return err
}

// item takes one item. Of an object that is taken in part these are the events alone, and the format
// version that they need.
func (t *taking) item(kind byte, body []byte) error {
	switch c := (cursor{b: body}); {
	case kind == itemGroup:
		return t.groupOf(body)
	case kind == itemRecords:
		return t.recordsOf(&c)
	case t.part:
		return nil
	case kind == itemFile:
		name, content := string(c.text()), bytes.Clone(c.text())
		if c.bad || c.more() || !slices.Contains(logFiles, name) {
			return errLogDamaged
		}
		t.files[name] = content
		return nil
	case kind == itemHeartbeat:
		key, value := c.text(), c.text()
		if _, err := identity.DecodeHeartbeats(value); c.bad || c.more() || err != nil || len(key) != len(identity.HeartbeatsKey(0, 0)) || key[0] != store.PrefixHeartbeats {
			return errLogDamaged
		}
		return t.write(t.batch.Set(key, value, nil))
	default:
		return t.deletionOf(&c)
	}
}

// groupOf takes the events of a group that the store does not have.
func (t *taking) groupOf(body []byte) error {
	g := &t.group
	if err := parseGroup(body, g); err != nil {
		return err
	}
	last, ok := t.last[g.Site]
	if !ok {
		last = t.replayer.last[g.Site]
	}
	if g.last() <= last || t.part && g.last() > t.cut[g.Site] {
		return nil
	}
	if next := t.lost.Next(g.Site, last); g.First > next {
		return stopped("events %d to %d of site %d are neither in the snapshot nor in the log", next, g.First-1, g.Site)
	} else if g.First < next {
		return stopped("events %d to %d of site %d are not those of the snapshot", g.First, g.last(), g.Site)
	}
	var err error
	if t.scratch, err = wal.Append(t.batch, g.Site, g.First, g.Records, t.scratch); err != nil {
		return t.write(err)
	}
	if t.scratch, err = wal.AppendNote(t.batch, g.Site, g.First, g.Note, t.scratch); err != nil {
		return t.write(err)
	}
	for _, l := range g.Links {
		if err := t.batch.Set(store.LinkKey(g.Site, l.Seq), l.Value, nil); err != nil {
			return t.write(err)
		}
	}
	t.last[g.Site] = g.last()
	t.events += uint64(len(g.Records))
	return nil
}

// recordsOf takes the records of a scope in place of those that are there.
func (t *taking) recordsOf(c *cursor) error {
	scope := bytes.Clone(c.text())
	if c.bad || !isScope(scope) {
		return errLogDamaged
	}
	version := bytes.Equal(scope, store.Key("version"))
	if t.part && !version {
		return nil
	}
	if version {
		return t.versionOf(c)
	}
	if err := t.batch.DeleteRange(scope, after(scope), nil); err != nil {
		return t.write(err)
	}
	return c.pairs(func(rest, value []byte) error {
		return t.write(t.batch.Set(append(bytes.Clone(scope), rest...), value, nil))
	})
}

// versionOf raises the format version.
func (t *taking) versionOf(c *cursor) error {
	return c.pairs(func(rest, value []byte) error {
		if len(rest) > 0 || len(value) != 1 {
			return errLogDamaged
		}
		if value[0] > store.VersionNewest {
			return stopped("the store had format version %d then, this cairn knows versions up to %d: use a newer cairn", value[0], store.VersionNewest)
		}
		has, err := store.Get(t.db, store.Key("version"))
		if err != nil || len(has) == 1 && has[0] >= value[0] {
			return t.write(err)
		}
		return t.write(t.batch.Set(store.Key("version"), value, nil))
	})
}

// isScope reports whether records with keys that begin so are shipped.
func isScope(scope []byte) bool {
	if len(scope) == 0 {
		return false
	}
	if slices.Contains(logRecords, scope[0]) {
		return len(scope) == 1 || len(scope) == len(store.SiteKey(scope[0], 0))
	}
	if len(scope) == len(store.ZoneKey(0)) && bytes.HasPrefix(scope, store.Key(zoneScope)) {
		return true
	}
	return scope[0] == store.Prefix && slices.Contains(logOwn, string(scope[1:]))
}

// after returns the first key that does not begin with scope.
func after(scope []byte) []byte {
	end := bytes.Clone(scope)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return []byte{0xff, 0xff}
}

// deletionOf takes a deletion that the store does not have. Its rows are hidden, since the runs of the
// store may have them, and are purged again.
func (t *taking) deletionOf(c *cursor) error {
	pieces := make(map[string][]byte)
	head := ""
	if err := c.pairs(func(key, value []byte) error {
		if head == "" {
			head = string(key)
		}
		pieces[string(key)] = bytes.Clone(value)
		return nil
	}); err != nil {
		return err
	}
	if len(head) < 5 || head[0] != store.PrefixDeletions {
		return errLogDamaged
	}
	d, _, err := erase.Parse(head, pieces)
	if err != nil || d.Seqs == nil {
		return errLogDamaged
	}
	site := siteOf(head)
	last, ok := t.last[site]
	if !ok {
		last = t.replayer.last[site]
	}
	if d.Seqs.Maximum() > last {
		return stopped("deletion %d of site %d has events that neither the snapshot nor the log has", d.ID, site)
	}
	had := false
	if err := erase.Receipts(t.db, site, func(r query.Receipt) {
		had = had || r.ID == d.ID || r.HiddenAt == d.HiddenAt && r.Rows == d.Rows && r.UpTo == d.UpTo
	}); err != nil {
		return t.write(err)
	}
	if had {
		return nil
	}
	d.State, d.DoneAt = query.DeletionHidden, 0
	return t.write(d.Put(t.batch, site))
}
