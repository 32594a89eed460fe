// Cursors of sinks: how far each sink has come with each site. A record is
//
//	version u8 | JSON object, see sinkJSON | xxhash64 of both, little endian
//
// Its key is the prefix, the site and the name of the sink.

package records

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cairn/engine/store"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

const sinkVersion = 1

// SinkNameMax is how many bytes the name of a sink has at most.
const SinkNameMax = 32

// SinkCursor is how far a sink has come with a site.
type SinkCursor struct {
	Sink string // its name
	Site uint32

	SiteName string      // that rows are sent under
	Begun    int64       // when the sink met the site, Unix milliseconds
	Since    uint64      // the site's last seq at that time
	Cursor   uint64      // the last seq that the sink has, or need not have
	Sending  SinkRange   // what may be there or not; the zero range = nothing
	Reach    uint64      // the last seq that was ever sent under the newest number, at least Cursor where rows were sent
	Stores   []SinkStore // numbers of this cairn in the sink, by their first seqs; at least one
	Missed   uint64      // rows that were gone before the sink took them
	MissedAt int64       // when the newest of them were counted, Unix milliseconds; 0 = never
	Skipped  uint64      // rows that the sink refused
	Refused  []uint64    // the newest of these, ascending, at most refusedMost
	Left     []uint64    // numbers of this cairn that stand for no seq any more; others' rows may be there under them

	Checked        uint64    // the last seq up to which a nightly check found all right
	CheckedAt      int64     // when the last such check ended, Unix milliseconds; 0 = there was none
	CheckedSkipped uint64    // Skipped, as far as Checked
	Wrong          SinkWrong // what the last check found; the zero value = nothing
}

// refusedMost bounds SinkCursor.Refused.
const refusedMost = 100

// Refuse notes that the sink refuses a row.
func (c *SinkCursor) Refuse(seq uint64) {
	c.Skipped++
	c.Refused = append(slices.Clone(c.Refused[max(0, len(c.Refused)-refusedMost+1):]), seq)
}

// RefusedAfter returns how many rows behind a seq the sink may have refused: not fewer than it has.
func (c *SinkCursor) RefusedAfter(seq uint64) uint64 {
	at, _ := slices.BinarySearch(c.Refused, seq+1)
	if at == 0 { // others may lie behind the seq, too
		return c.Skipped
	}
	return uint64(len(c.Refused) - at)
}

// GoBack moves the cursor back. The rows behind it go again: the sink has had them, so none that is gone by
// now is missed, and it will refuse the same ones.
func (c *SinkCursor) GoBack(cursor uint64) {
	c.Since = max(c.Since, c.Cursor)
	at, _ := slices.BinarySearch(c.Refused, cursor+1)
	c.Skipped -= min(c.Skipped, uint64(len(c.Refused)-at))
	if cursor < c.Stores[0].First {
		c.Skipped = 0
	}
	c.Refused, c.CheckedSkipped = c.Refused[:at:at], min(c.CheckedSkipped, c.Skipped)
	c.Cursor = cursor
}

// SinkWrong is what a nightly check found wrong in stretches of First..Last.
type SinkWrong struct {
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	Missing uint64 `json:"missing"`
	Surplus uint64 `json:"surplus"`
	At      int64  `json:"at"` // Unix milliseconds
}

// SinkRange is the seqs from First to Last.
type SinkRange struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// SinkStore is a number of this cairn in a sink, and the first seq that is sent with it.
type SinkStore struct {
	Number uint64 `json:"number,string"`
	First  uint64 `json:"first"`
	Begun  int64  `json:"begun,omitempty"` // Unix milliseconds; 0 = with the cursor
}

// sinkJSON is a record. Names of fields never change.
type sinkJSON struct {
	SiteName string      `json:"site"`
	Begun    int64       `json:"begun"`
	Since    uint64      `json:"since"`
	Cursor   uint64      `json:"cursor"`
	Sending  *SinkRange  `json:"sending,omitempty"`
	Reach    uint64      `json:"reach,omitempty"`
	Stores   []SinkStore `json:"stores"`
	Missed   uint64      `json:"missed,omitempty"`
	MissedAt int64       `json:"missed_at,omitempty"`
	Skipped  uint64      `json:"skipped,omitempty"`
	Refused  []uint64    `json:"refused,omitempty"`
	Left     []uint64    `json:"left,omitempty"`

	Checked        *uint64    `json:"checked,omitempty"` // absent before there were checks
	CheckedAt      int64      `json:"checked_at,omitempty"`
	CheckedSkipped uint64     `json:"checked_skipped,omitempty"`
	Wrong          *SinkWrong `json:"wrong,omitempty"`
}

// SinkKey is the key of the cursor of a sink.
func SinkKey(site uint32, sink string) []byte {
	return append(store.SiteKey(store.PrefixSinks, site), sink...)
}

// Put adds the write of a cursor to a batch.
func (c *SinkCursor) Put(b *pebble.Batch) error {
	j := sinkJSON{SiteName: c.SiteName, Begun: c.Begun, Since: c.Since, Cursor: c.Cursor, Reach: c.Reach, Stores: c.Stores, Missed: c.Missed, MissedAt: c.MissedAt, Skipped: c.Skipped, Refused: c.Refused, Left: c.Left}
	if c.Sending.Last != 0 {
		j.Sending = &c.Sending
	}
	j.Checked, j.CheckedAt, j.CheckedSkipped = &c.Checked, c.CheckedAt, c.CheckedSkipped
	if c.Wrong.Last != 0 {
		j.Wrong = &c.Wrong
	}
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("write the cursor of sink %s: %w", c.Sink, err)
	}
	value := append([]byte{sinkVersion}, text...)
	if err := b.Set(SinkKey(c.Site, c.Sink), binary.LittleEndian.AppendUint64(value, xxhash.Sum64(value)), nil); err != nil {
		return fmt.Errorf("write the cursor of sink %s: %w", c.Sink, err)
	}
	return nil
}

// ParseSink reads the record of a cursor. The error of bytes that are none says so.
func ParseSink(key, value []byte) (*SinkCursor, error) {
	prefix := len(store.SiteKey(store.PrefixSinks, 0))
	end := len(value) - 8
	if len(key) <= prefix || len(key) > prefix+SinkNameMax {
		return nil, errors.New("damaged key of the cursor of a sink")
	}
	c := &SinkCursor{Sink: string(key[prefix:]), Site: binary.BigEndian.Uint32(key[1:])}
	bad := fmt.Errorf("damaged cursor of sink %q for site %d", c.Sink, c.Site)
	if end < 1 || value[0] != sinkVersion || xxhash.Sum64(value[:end]) != binary.LittleEndian.Uint64(value[end:]) {
		return nil, bad
	}
	var j sinkJSON
	if err := json.Unmarshal(value[1:end], &j); err != nil || len(j.Stores) == 0 {
		return nil, bad
	}
	c.SiteName, c.Begun, c.Since, c.Cursor, c.Stores, c.Missed, c.MissedAt, c.Skipped = j.SiteName, j.Begun, j.Since, j.Cursor, j.Stores, j.Missed, j.MissedAt, j.Skipped
	c.Reach, c.Refused, c.Left = j.Reach, j.Refused, j.Left
	if c.CheckedAt, c.CheckedSkipped = j.CheckedAt, j.CheckedSkipped; j.Checked != nil {
		c.Checked = *j.Checked
	} else { // "cairn sink check" compares the rows from before there were nightly checks
		c.Checked, c.CheckedSkipped = c.Cursor, c.Skipped
	}
	if j.Wrong != nil {
		c.Wrong = *j.Wrong
	}
	if j.Sending != nil {
		c.Sending = *j.Sending
	}
	for i := range c.Stores {
		if i > 0 && c.Stores[i].First <= c.Stores[i-1].First {
			return nil, bad
		}
	}
	return c, nil
}

// SinkCursors returns the cursors of all sinks for all sites, by site and name. The error of a damaged
// one says so.
func SinkCursors(db pebble.Reader) (all []*SinkCursor, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixSinks}, UpperBound: []byte{store.PrefixSinks + 1}})
	if err != nil {
		return nil, fmt.Errorf("read the cursors of sinks: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		c, err := ParseSink(it.Key(), value)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// SiteSinks returns the names of the sinks that have a cursor for a site.
func SiteSinks(db pebble.Reader, site uint32) (names []string, err error) {
	end := store.SiteKey(store.PrefixSinks, site+1)
	if site+1 == 0 {
		end = []byte{store.PrefixSinks + 1}
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixSinks, site), UpperBound: end})
	if err != nil {
		return nil, fmt.Errorf("read the cursors of sinks: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		names = append(names, string(it.Key()[len(store.SiteKey(0, 0)):]))
	}
	return names, it.Close()
}
