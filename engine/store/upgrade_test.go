package store

import (
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// linkless is a file system without hard links.
type linkless struct{ vfs.FS }

func (linkless) Link(string, string) error { return syscall.ENOTSUP }

// An upgrade looks for room before it makes its snapshot. Logs are copied; tables only where there
// are no links. Without room nothing is made.
func TestUpgradeNeedsRoom(t *testing.T) {
	mem := vfs.NewMem()
	for _, dir := range []string{"data/store", "data/" + TmpName} {
		if err := mem.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string]int{"000004.log": 1000, "MANIFEST-000001": 20, "000005.sst": 5000, "000006.sst": 300} {
		if err := WriteFile(mem, "data/store/"+name, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for want, fs := range map[int64]vfs.FS{1020: mem, 6320: linkless{mem}} {
		asked := int64(0)
		s := &Snapshots{FS: fs, Dir: "data"}
		dir, err := s.Upgrade(1, 7, func(bytes int64) bool { asked = bytes; return false }, nil)
		if err == nil || !strings.Contains(err.Error(), "the store is unchanged: it takes") {
			t.Errorf("%s %v", dir, err)
		}
		if asked != want {
			t.Errorf("room for %d bytes was asked for, want %d", asked, want)
		}
		if names, _ := mem.List("data"); len(names) != 2 {
			t.Errorf("%v", names)
		}
		if names, _ := mem.List("data/" + TmpName); len(names) != 0 {
			t.Errorf("%v", names)
		}
	}
}
