// The checksums beside the store are those of its own tables, even when Pebble gives the number
// of a table that was lost to another table.

package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/store"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// noNotes is a file system on which nothing can be written to store.spare from the moment on in
// which Pebble begins to write the store, as if the power failed before that.
type noNotes struct {
	vfs.FS
	begun *atomic.Bool
}

func (fs noNotes) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.Contains(name, "store/MANIFEST-") {
		fs.begun.Store(true)
	}
	if fs.begun.Load() && strings.Contains(name, store.SpareName+"/") {
		return nil, &os.PathError{Op: "create", Path: name, Err: os.ErrPermission}
	}
	return fs.FS.Create(name, category)
}

func (fs noNotes) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if fs.begun.Load() && strings.Contains(name, store.SpareName+"/") {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	return fs.FS.OpenReadWrite(name, category, opts...)
}

func (fs noNotes) Unwrap() vfs.FS { return fs.FS }

func TestSumsOfTablesThatWereLost(t *testing.T) {
	t.Parallel()
	w, good, _ := closedStore(t)
	// The sums of tables that a power cut has taken away, with the numbers that come next.
	name := store.SpareName + "/tables"
	text := good[name][:len(good[name])-8]
	newest := 0
	for _, file := range good.names() {
		var n int
		if _, err := fmt.Sscanf(file[strings.LastIndexAny(file, "/-")+1:], "%06d", &n); err == nil {
			newest = max(newest, n)
		}
	}
	text = append([]byte{}, text...)
	for n := newest + 1; n < newest+30; n++ {
		text = fmt.Appendf(text, "%06d.sst 1234 %064x\n", n, n)
	}
	bad := good.with(name, binary.LittleEndian.AppendUint64(text, xxhash.Sum64(text)))
	fs := bad.mem(t)
	options := w.options(noNotes{fs, new(atomic.Bool)}, rand.New(rand.NewPCG(8, 3)))
	options.SealRows, options.HotEvents = 40, 200
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 40, never)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	tables := 0
	list, err := fs.List("data/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range list {
		if strings.HasSuffix(file, ".sst") && file > fmt.Sprintf("%06d", newest) {
			tables++
		}
	}
	if tables == 0 {
		t.Fatal("no table has got one of the numbers")
	}
	report, err := check.Store(t.Context(), fs, "data")
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v, %q", err, report.Problems)
	}
	options.FS = fs
	if e, err = engine.Open(options); err != nil {
		t.Fatal(err)
	}
	info, err := e.Snapshot(t.Context(), "snap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.VerifySnapshot(fs, info.Path); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
