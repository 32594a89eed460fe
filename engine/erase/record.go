// Records of deletions: how they lie in the store.

package erase

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// Record is a deletion and the rows that it took.
type Record struct {
	query.Receipt
	Seqs *roaring64.Bitmap // of its rows; nil once nobody needs them
}

// A record lies in pieces: 0x44 | site u32 | id u64 | piece u16. Piece 0 is the version, a JSON
// object (see recordJSON) and the xxhash64 of both, little endian. The others are the bitmap of
// the seqs, as roaring64 writes it. Damage must not hide other rows, nor show hidden ones, so
// all of it has checksums.
const recordVersion = 1

// pieceBytes is how many bytes of a bitmap a piece has at most.
const pieceBytes = 4 << 20

// recordJSON is piece 0. Names of fields never change.
type recordJSON struct {
	Kind      query.DeletionKind  `json:"kind"`
	Condition string              `json:"condition"`
	By        string              `json:"by"`
	Reason    string              `json:"reason,omitempty"`
	Now       bool                `json:"now,omitempty"`
	State     query.DeletionState `json:"state"`
	UpTo      uint64              `json:"up_to"`
	Rows      uint64              `json:"rows"`
	First     int64               `json:"first"`
	Last      int64               `json:"last"`
	HiddenAt  int64               `json:"hidden_at"`
	PurgeBy   int64               `json:"purge_by"`
	DoneAt    int64               `json:"done_at,omitempty"`
	Pieces    int                 `json:"pieces"`
	Sum       uint64              `json:"sum"` // xxhash64 of the bitmap
	Sinks     []sinkJSON          `json:"sinks,omitempty"`
}

type sinkJSON struct {
	Name   string   `json:"name"`
	At     int64    `json:"at,omitempty"`
	Beyond []uint64 `json:"beyond,omitempty"`
	Passed bool     `json:"passed,omitempty"`
}

// Carried reports whether no sink needs the seqs any more.
func (r *Record) Carried() bool {
	return !slices.ContainsFunc(r.Sinks, func(s query.SinkReceipt) bool { return s.At == 0 || !s.Passed })
}

// Key is the beginning of the keys of a deletion.
func Key(site uint32, id uint64) []byte {
	return binary.BigEndian.AppendUint64(store.SiteKey(store.PrefixDeletions, site), id)
}

func pieceKey(site uint32, id uint64, piece int) []byte {
	return binary.BigEndian.AppendUint16(Key(site, id), uint16(piece))
}

// Put adds the writes of a record to a batch, in place of the one with its id.
func (r *Record) Put(b *pebble.Batch, site uint32) error {
	if err := b.DeleteRange(Key(site, r.ID), Key(site, r.ID+1), nil); err != nil {
		return err
	}
	return r.Pieces(site, func(key, value []byte) error { return b.Set(key, value, nil) })
}

// Pieces calls set with the keys and values of a record. An error of set ends it.
func (r *Record) Pieces(site uint32, set func(key, value []byte) error) error {
	var seqs []byte
	if r.Seqs != nil {
		var err error
		if seqs, err = r.Seqs.ToBytes(); err != nil {
			return fmt.Errorf("write a deletion: %w", err)
		}
	}
	n := (len(seqs) + pieceBytes - 1) / pieceBytes
	var sinks []sinkJSON
	for _, s := range r.Sinks {
		sinks = append(sinks, sinkJSON(s))
	}
	text, err := json.Marshal(recordJSON{r.Kind, r.Condition, r.By, r.Reason, r.Now, r.State, r.UpTo, r.Rows, r.First, r.Last, r.HiddenAt, r.PurgeBy, r.DoneAt, n, xxhash.Sum64(seqs), sinks})
	if err != nil {
		return fmt.Errorf("write a deletion: %w", err)
	}
	head := append([]byte{recordVersion}, text...)
	if err := set(pieceKey(site, r.ID, 0), binary.LittleEndian.AppendUint64(head, xxhash.Sum64(head))); err != nil {
		return err
	}
	for i := range n {
		if err := set(pieceKey(site, r.ID, i+1), seqs[i*pieceBytes:min((i+1)*pieceBytes, len(seqs))]); err != nil {
			return err
		}
	}
	return nil
}

// iter iterates over the records of a site. The caller closes the result.
func iter(db pebble.Reader, site uint32) (*pebble.Iterator, error) {
	end := store.SiteKey(store.PrefixDeletions, site+1)
	if site+1 == 0 {
		end = []byte{store.PrefixDeletions + 1}
	}
	return db.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixDeletions, site), UpperBound: end})
}

// Receipts calls fn with the receipt of every deletion of a site, by id. It does not read the
// bitmaps, which may have megabytes.
func Receipts(db pebble.Reader, site uint32, fn func(query.Receipt)) error {
	it, err := iter(db, site)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		r, _, _, err := parseHead(it.Key(), value)
		if err != nil {
			return err
		}
		fn(r.Receipt)
		ok = it.SeekGE(Key(site, r.ID+1))
	}
	return it.Error()
}

// Each calls fn with every deletion of a site, by id. An error of fn ends it.
func Each(db pebble.Reader, site uint32, fn func(*Record) error) error {
	it, err := iter(db, site)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		r, left, sum, err := parseHead(it.Key(), value)
		if err != nil {
			return err
		}
		var seqs []byte
		for ok = it.Next(); ok && left > 0 && bytes.HasPrefix(it.Key(), Key(site, r.ID)); ok = it.Next() {
			piece, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			seqs, left = append(seqs, piece...), left-1
		}
		if left > 0 {
			return errDamaged
		}
		if err := r.parseSeqs(seqs, sum); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return it.Error()
}

// Parse reads the record whose piece 0 has a key, from keys and values that are read already.
// Pieces that it does not have any more may be among them. used has the keys of the others.
func Parse(key string, all map[string][]byte) (r *Record, used []string, err error) {
	r, pieces, sum, err := parseHead([]byte(key), all[key])
	if err != nil {
		return nil, nil, err
	}
	used = append(used, key)
	var seqs []byte
	for i := range pieces {
		k := string(binary.BigEndian.AppendUint16([]byte(key[:len(key)-2]), uint16(i+1)))
		piece, is := all[k]
		if !is {
			return nil, nil, errDamaged
		}
		used, seqs = append(used, k), append(seqs, piece...)
	}
	return r, used, r.parseSeqs(seqs, sum)
}

// parseSeqs reads the bitmap of a record.
func (r *Record) parseSeqs(seqs []byte, sum uint64) error {
	if xxhash.Sum64(seqs) != sum {
		return errDamaged
	}
	if len(seqs) == 0 {
		return nil
	}
	r.Seqs = roaring64.New()
	if _, err := r.Seqs.ReadFrom(bytes.NewReader(seqs)); err != nil {
		return errDamaged
	}
	return nil
}

// parseHead reads piece 0 of a record. It returns how many others there are, and their checksum.
func parseHead(key, value []byte) (r *Record, pieces int, sum uint64, err error) {
	prefix := len(Key(0, 0)) - 8
	end := len(value) - 8
	if len(key) != prefix+10 || binary.BigEndian.Uint16(key[prefix+8:]) != 0 || end < 1 || value[0] != recordVersion || xxhash.Sum64(value[:end]) != binary.LittleEndian.Uint64(value[end:]) {
		return nil, 0, 0, errDamaged
	}
	var j recordJSON
	if err := json.Unmarshal(value[1:end], &j); err != nil {
		return nil, 0, 0, errDamaged
	}
	var sinks []query.SinkReceipt
	for _, s := range j.Sinks {
		sinks = append(sinks, query.SinkReceipt(s))
	}
	return &Record{Receipt: query.Receipt{Sinks: sinks, ID: binary.BigEndian.Uint64(key[prefix:]), Kind: j.Kind, Condition: j.Condition, By: j.By, Reason: j.Reason, Now: j.Now,
		State: j.State, UpTo: j.UpTo, Rows: j.Rows, First: j.First, Last: j.Last, HiddenAt: j.HiddenAt, PurgeBy: j.PurgeBy, DoneAt: j.DoneAt}}, j.Pieces, j.Sum, nil
}

var errDamaged = errors.New("damaged record of a deletion")
