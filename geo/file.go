package geo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/oschwald/maxminddb-golang/v2"
)

// FileBytesMax bounds a decompressed database in memory, in bytes. A larger file is
// refused. The largest free one (DB-IP City) has about 130 MB.
const FileBytesMax = 1 << 30

// placesMax is how many decoded records of one file are cached. A country file has 250
// records; of a city file the busy ones stay.
const (
	placesBits = 12
	placesMax  = 1 << placesBits
)

// file is one database, checked and whole in memory, or that of the binary. It never changes,
// except for places, a cache of decoded records. It is safe for concurrent use.
type file struct {
	reader   *maxminddb.Reader
	ranges   *ranges // of the embedded one, which has no reader
	kind     string  // the type that the file states
	built    time.Time
	bytes    int
	has      Has  // over all records
	embedded bool // it is the embedded one
	places   [placesMax]atomic.Pointer[cachedPlace]
}

type cachedPlace struct {
	offset uintptr // of the record in the file
	place  Place
}

// readFile loads and checks the database at path. If FILE.sha256 lies beside it, it
// must match.
func readFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAllAtMost(f, FileBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	switch sum, err := os.ReadFile(path + ".sha256"); {
	case err == nil:
		want, _, _ := strings.Cut(strings.TrimSpace(string(sum)), " ")
		if got := sha256.Sum256(data); !strings.EqualFold(want, hex.EncodeToString(got[:])) {
			return nil, fmt.Errorf("%s does not agree with %s.sha256", path, path)
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read the checksum: %w", err)
	}
	if data, err = inflate(data); err != nil {
		return nil, fmt.Errorf("inflate %s: %w", path, err)
	}
	db, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

func readAllAtMost(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() < limit {
			b.Grow(int(info.Size()) + bytes.MinRead)
		}
	}
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return b.Bytes(), nil
}

// inflate decompresses gzip and zstd, which it recognises by their first bytes. It
// returns anything else as it is.
func inflate(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return readAllAtMost(r, FileBytesMax)
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(FileBytesMax))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(data, nil)
	}
	return data, nil
}

// parse opens a database and walks it completely: every node of the tree and every
// record that the tree leads to. It never panics.
func parse(data []byte) (db *file, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("not a sound database: %v", r)
		}
	}()
	if db, err = open(data); err != nil {
		return nil, err
	}
	// A tree has one leaf more than it has nodes. Nodes that share children would make
	// the walk endless, so every leaf is counted, empty ones too.
	leaves, leavesMax := uint(0), db.reader.Metadata.NodeCount*2+1024
	seen := make(map[uintptr]struct{})
	for result := range db.reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if err := result.Err(); err != nil {
			return nil, fmt.Errorf("walk the tree: %w", err)
		}
		if leaves++; leaves > leavesMax {
			return nil, errors.New("the search tree is not a tree")
		}
		if !result.Found() {
			continue
		}
		offset := result.Offset()
		if _, ok := seen[offset]; ok {
			continue
		}
		seen[offset] = struct{}{}
		place, err := decode(result)
		if err != nil {
			return nil, fmt.Errorf("record of %s: %w", result.Prefix(), err)
		}
		db.has = db.has.or(place.Has())
	}
	if db.has == (Has{}) {
		return nil, fmt.Errorf("no record of this %s database tells a place or a network", db.kind)
	}
	return db, nil
}

// open does not check the bytes. It is for files with a checksum.
func open(data []byte) (*file, error) {
	// The file caches decoded places; the reader's own cache would store them twice.
	reader, err := maxminddb.OpenBytes(data, maxminddb.DisableStringCache())
	if err != nil {
		return nil, err
	}
	m := &reader.Metadata
	if m.NodeCount == 0 || (m.IPVersion != 4 && m.IPVersion != 6) {
		return nil, errors.New("no search tree")
	}
	return &file{reader: reader, kind: clean(m.DatabaseType), built: m.BuildTime().UTC(), bytes: len(data)}, nil
}

func decode(result maxminddb.Result) (Place, error) {
	var record map[string]any
	if err := result.Decode(&record); err != nil {
		return Place{}, err
	}
	return placeOf(record), nil
}

// lookup finds addr, which is unmapped and without a zone. It fails only for a damaged
// file that open did not check.
func (db *file) lookup(addr netip.Addr) (place *Place, err error) {
	defer func() {
		if r := recover(); r != nil {
			place, err = nil, fmt.Errorf("lookup: %v", r)
		}
	}()
	if db.ranges != nil {
		return db.ranges.lookup(addr), nil
	}
	if addr.Is6() && db.reader.Metadata.IPVersion == 4 {
		return nil, nil
	}
	result := db.reader.Lookup(addr)
	if !result.Found() {
		return nil, result.Err()
	}
	offset := result.Offset()
	slot := &db.places[hash(offset)]
	if c := slot.Load(); c != nil && c.offset == offset {
		return &c.place, nil
	}
	c := &cachedPlace{offset: offset}
	if c.place, err = decode(result); err != nil {
		return nil, err
	}
	slot.Store(c)
	return &c.place, nil
}

// hash spreads offsets over the slots (Fibonacci hashing).
func hash(offset uintptr) uint64 { return uint64(offset) * 0x9e3779b97f4a7c15 >> (64 - placesBits) }
