// Copies of deletions: files outside of the store, for a restore of an older snapshot.

package erase

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// CopiesName is the directory of the copies, beside the snapshots.
const CopiesName = "deletions"

// CopyBytesMax bounds how much of a file is read. A bitmap takes at most a sixteenth of the memory.
const CopyBytesMax = 1 << 30

// copyJSON is a deletion in a file of its own: which rows it took, and of which line of stores. A seq
// names one row for ever, as long as the store is in the same life, so a snapshot of the same line
// is cleaned by seq. Nothing in it tells what was asked for.
type copyJSON struct {
	Version  int                `json:"version"`
	Line     string             `json:"line"` // see store.PublicIDs.Line
	Site     uint32             `json:"site"`
	ID       uint64             `json:"id"`
	Kind     query.DeletionKind `json:"kind"`
	By       string             `json:"by"`
	HiddenAt int64              `json:"hidden_at"` // Unix milliseconds
	UpTo     uint64             `json:"up_to"`
	Rows     uint64             `json:"rows"`
	Lives    []store.Life       `json:"lives"` // of the site, up to UpTo
	Seqs     []byte             `json:"seqs"`  // as roaring64 writes it
	Sum      string             `json:"sum"`   // hex digits of the SHA-256 of the object with an empty sum
}

const copyVersion = 1

// CopyName is the name of the file of a deletion. It differs from that of every other deletion of
// the line: after a restore numbers are given again, but not at the same time.
func CopyName(site uint32, r *Record) string {
	return fmt.Sprintf("%d-%d-%d.json", site, r.ID, r.HiddenAt)
}

// WriteCopy writes the copy of a deletion to dir, unless it is there. The file is complete and
// synced, or not there.
func WriteCopy(fs vfs.FS, dir string, ids *store.PublicIDs, site uint32, r *Record) error {
	path := fs.PathJoin(dir, CopyName(site, r))
	if _, err := fs.Stat(path); err == nil || r.Seqs == nil {
		return nil
	}
	text, err := CopyText(ids, site, r)
	if err != nil {
		return err
	}
	if err := store.MakeDir(fs, dir); err != nil {
		return err
	}
	return store.WriteFile(fs, path, text)
}

// CopyText returns the copy of a deletion that has its Seqs.
func CopyText(ids *store.PublicIDs, site uint32, r *Record) ([]byte, error) {
	seqs, err := r.Seqs.ToBytes()
	if err != nil {
		return nil, err
	}
	c := copyJSON{Version: copyVersion, Line: ids.Line(), Site: site, ID: r.ID, Kind: r.Kind, By: r.By, HiddenAt: r.HiddenAt,
		UpTo: r.UpTo, Rows: r.Rows, Lives: ids.Lives(site, r.UpTo), Seqs: seqs}
	if c.Sum, err = c.sum(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	return append(text, '\n'), err
}

func (c copyJSON) sum() (string, error) {
	c.Sum = ""
	text, err := json.Marshal(c)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// readCopy reads a copy. The error of a damaged one says so.
func readCopy(fs vfs.FS, path string) (*copyJSON, *roaring64.Bitmap, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, CopyBytesMax))
	if err != nil {
		return nil, nil, err
	}
	var c copyJSON
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, nil, errors.New("the file is damaged")
	}
	if c.Version != copyVersion {
		return nil, nil, fmt.Errorf("it has version %d, this cairn knows version %d", c.Version, copyVersion)
	}
	if sum, err := c.sum(); err != nil || sum != c.Sum {
		return nil, nil, errors.New("the file is damaged: its checksum differs")
	}
	seqs := roaring64.New()
	if err := seqs.UnmarshalBinary(c.Seqs); err != nil {
		return nil, nil, errors.New("the file is damaged")
	}
	return &c, seqs, nil
}

// Applied says what Apply has done.
type Applied struct {
	Copies    int    // of this line of stores
	Deletions int    // that the store did not have
	Rows      uint64 // rows of it that these took
}

// Apply writes the deletions in dir that a restored store lacks, so that it hides their rows from
// its first start on. It is called before anybody opens the store. A dir that is not there has no
// deletions. now is in Unix milliseconds. A damaged copy is an error: without it, deleted events
// would come back.
func Apply(db *pebble.DB, fs vfs.FS, dir string, now int64) (done Applied, err error) {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	records, err := store.Read(db)
	if err != nil {
		return done, err
	}
	ids, err := store.NewPublicIDs(records.Key, records.Incarnations)
	if err != nil {
		return done, err
	}
	last, err := store.LastSeqs(db)
	if err != nil {
		return done, err
	}
	slices.Sort(names)
	b := db.NewBatch()
	defer b.Close()
	next := make(map[uint32]uint64) // number of the next deletion, by site
	for _, name := range names {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		c, seqs, err := readCopy(fs, fs.PathJoin(dir, name))
		if err != nil {
			return done, fmt.Errorf("%s: %w", fs.PathJoin(dir, name), err)
		}
		if c.Line != ids.Line() {
			continue
		}
		done.Copies++
		had := false
		if next[c.Site] == 0 {
			next[c.Site] = 1
		}
		if err := Each(db, c.Site, func(r *Record) error {
			had = had || r.HiddenAt == c.HiddenAt && r.Rows == c.Rows && r.UpTo == c.UpTo
			next[c.Site] = max(next[c.Site], r.ID+1)
			return nil
		}); err != nil {
			return done, err
		}
		if had {
			continue
		}
		common(seqs, c.Lives, ids.Lives(c.Site, last[c.Site]), last[c.Site])
		if seqs.IsEmpty() {
			continue
		}
		seqs.RunOptimize()
		r := Record{Seqs: seqs, Receipt: query.Receipt{ID: next[c.Site], Kind: c.Kind, By: c.By, Reason: "applied to a restored snapshot", State: query.DeletionHidden,
			UpTo: seqs.Maximum(), Rows: seqs.GetCardinality(), HiddenAt: c.HiddenAt, PurgeBy: now}}
		if err := r.Put(b, c.Site); err != nil {
			return done, err
		}
		next[c.Site]++
		done.Deletions, done.Rows = done.Deletions+1, done.Rows+r.Rows
	}
	if done.Deletions == 0 {
		return done, nil
	}
	if err := store.Raise(db, store.VersionDeletions); err != nil {
		return done, err
	}
	return done, b.Commit(pebble.Sync)
}

// common removes the seqs that do not name the same row in both stores: those that another life
// has written, and those after the last row.
func common(seqs *roaring64.Bitmap, one, other []store.Life, last uint64) {
	seqs.RemoveRange(last+1, 1<<63)
	for i, life := range one {
		end := uint64(1 << 63)
		if i+1 < len(one) {
			end = one[i+1].From
		}
		// The lives of two stores of a line are the same up to the restore that parted them.
		if i >= len(other) || other[i] != life {
			seqs.RemoveRange(life.From, end)
		} else if i+1 < len(other) && other[i+1].From < end {
			seqs.RemoveRange(other[i+1].From, end)
		}
	}
}
