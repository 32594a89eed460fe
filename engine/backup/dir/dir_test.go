package dir_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine/backup"
	"cairn/engine/backup/buckettest"
	"cairn/engine/backup/dir"
)

func open(t *testing.T, root string) *dir.Bucket {
	t.Helper()
	b, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBucket(t *testing.T) {
	buckettest.Test(t, func(t *testing.T) backup.Bucket { return open(t, filepath.Join(t.TempDir(), "bucket")) })
}

// Two processes have a Bucket each over the same directory.
func TestTwoOverOneDirectory(t *testing.T) {
	root := t.TempDir()
	buckettest.Race(t, open(t, root), open(t, root))
}

// A disk that is not mounted is no new bucket.
func TestMissingParent(t *testing.T) {
	root := filepath.Join(t.TempDir(), "mnt", "bucket")
	b := open(t, root)
	if _, err := b.Put(context.Background(), "x", strings.NewReader(""), 0, sha256.Sum256(nil), backup.Condition{}); err == nil {
		t.Error("an object was stored below a missing directory")
	}
	if err := b.List(context.Background(), "", func(backup.Info) error { return nil }); err != nil {
		t.Errorf("list: %v", err)
	}
}

// What a crash has left aside is never listed, and goes after a day.
func TestAside(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	old, young := filepath.Join(root, ".aside-1"), filepath.Join(root, ".aside-2")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.List(context.Background(), "", func(i backup.Info) error { t.Errorf("%s is listed", i.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the old file is there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the young file is gone")
	}
}

func TestNames(t *testing.T) {
	b := open(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "../x", "a/../b", "/x", "a//b", "a/", `a\b`, ".lock", "a/.b", "c:x", "a\x00"} {
		if _, err := b.Put(context.Background(), name, strings.NewReader(""), 0, sha256.Sum256(nil), backup.Condition{}); err == nil {
			t.Errorf("%q is taken", name)
		}
		if _, _, err := b.Get(context.Background(), name); err == nil {
			t.Errorf("%q is read", name)
		}
	}
}
