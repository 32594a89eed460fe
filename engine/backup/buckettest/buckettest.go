// Package buckettest has the tests that every bucket passes.
package buckettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/backup"
)

// put stores text and returns what the bucket says of it.
func put(b backup.Bucket, name, text string, when backup.Condition) (backup.Info, error) {
	return b.Put(context.Background(), name, strings.NewReader(text), int64(len(text)), sha256.Sum256([]byte(text)), when)
}

// get reads an object whole.
func get(b backup.Bucket, name string) (string, backup.Info, error) {
	r, info, err := b.Get(context.Background(), name)
	if err != nil {
		return "", info, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	return string(text), info, err
}

// list returns the names of objects.
func list(t *testing.T, b backup.Bucket, prefix string) (names []string) {
	t.Helper()
	if err := b.List(context.Background(), prefix, func(i backup.Info) error {
		names = append(names, i.Name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// Test runs all tests. make returns an empty bucket.
func Test(t *testing.T, make func(t *testing.T) backup.Bucket) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, backup.Bucket)
	}{
		{"objects", testObjects}, {"conditions", testConditions}, {"list", testList}, {"whole or not", testWhole},
		{"clock", testClock}, {"race", func(t *testing.T, b backup.Bucket) { Race(t, b, b) }},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func testObjects(t *testing.T, b backup.Bucket) {
	ctx := context.Background()
	for _, text := range []string{"one", "another", strings.Repeat("large ", 100_000)} {
		info, err := put(b, "obj/a b+c", text, backup.Condition{})
		if err != nil {
			t.Fatal(err)
		}
		if info.Size != int64(len(text)) || info.Tag == "" {
			t.Errorf("put: %+v", info)
		}
		got, of, err := get(b, "obj/a b+c")
		if err != nil || got != text || of.Size != info.Size || of.Tag != info.Tag {
			t.Fatalf("get: %d bytes, %+v, %v", len(got), of, err)
		}
		head, err := b.Head(ctx, "obj/a b+c")
		if err != nil || head.Size != info.Size || head.Tag != info.Tag || head.Name != "obj/a b+c" || head.Modified.IsZero() {
			t.Errorf("head: %+v, %v", head, err)
		}
	}
	for range 2 {
		if err := b.Delete(ctx, "obj/a b+c"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if _, err := b.Head(ctx, "obj/a b+c"); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("head of a deleted object: %v", err)
	}
	if _, _, err := get(b, "obj/a b+c"); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("get of a deleted object: %v", err)
	}
	if _, _, err := get(b, "obj"); !errors.Is(err, backup.ErrNotFound) {
		t.Errorf("get of a directory: %v", err)
	}
}

func testConditions(t *testing.T, b backup.Bucket) {
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, backup.ErrCondition) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := put(b, "lease.json", "0", backup.Condition{Tag: "cafe"})
	refused("a tag of nothing", err)
	one, err := put(b, "lease.json", "1", backup.Condition{New: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(b, "lease.json", "2", backup.Condition{New: true})
	refused("new, but there", err)
	two, err := put(b, "lease.json", "2", backup.Condition{Tag: one.Tag})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(b, "lease.json", "3", backup.Condition{Tag: one.Tag})
	refused("an old tag", err)
	if got, info, err := get(b, "lease.json"); got != "2" || info.Tag != two.Tag || err != nil {
		t.Errorf("got %q, %+v, %v", got, info, err)
	}
}

func testList(t *testing.T, b backup.Bucket) {
	if names := list(t, b, ""); len(names) > 0 {
		t.Errorf("an empty bucket has %v", names)
	}
	all := []string{"a-b", "a/b", "a/b/c", "ab"}[:2]
	all = append(all, "ab", "snap/1.json", "snap/2.json", "snap2")
	for i := range 25 {
		all = append(all, fmt.Sprintf("obj/%02d", i))
	}
	for _, name := range all {
		if _, err := put(b, name, name, backup.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "a", "a/", "obj/", "obj/1", "snap", "snap/", "nothing/"} {
		var want []string
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if names := list(t, b, prefix); !slices.Equal(names, want) {
			t.Errorf("list %q: %v, want %v", prefix, names, want)
		}
	}
	stop, n := errors.New("stop"), 0
	if err := b.List(context.Background(), "obj/", func(i backup.Info) error {
		if n++; i.Size != int64(len(i.Name)) {
			t.Errorf("%+v", i)
		}
		return stop
	}); !errors.Is(err, stop) || n != 1 {
		t.Errorf("stopped after %d: %v", n, err)
	}
}

// testWhole: a body that ends early or is another one stores nothing.
func testWhole(t *testing.T, b backup.Bucket) {
	ctx := context.Background()
	text := strings.Repeat("x", 10_000)
	sum := sha256.Sum256([]byte(text))
	if _, err := b.Put(ctx, "obj/1", strings.NewReader(text[1:]), int64(len(text)), sum, backup.Condition{}); err == nil {
		t.Error("a short body is stored")
	}
	if _, err := b.Put(ctx, "obj/1", strings.NewReader(text), int64(len(text)), sha256.Sum256(nil), backup.Condition{}); err == nil {
		t.Error("a body with another sum is stored")
	}
	if _, err := b.Put(ctx, "obj/1", failing{strings.NewReader(text)}, int64(len(text)), sum, backup.Condition{}); err == nil {
		t.Error("a body that cannot be read is stored")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Put(gone, "obj/1", strings.NewReader(text), int64(len(text)), sum, backup.Condition{}); err == nil {
		t.Error("stored for a caller who is gone")
	}
	if names := list(t, b, ""); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
	half := bytes.NewReader([]byte(text))
	half.Seek(5000, io.SeekStart) // of an earlier attempt
	if _, err := b.Put(ctx, "obj/1", half, int64(len(text)), sum, backup.Condition{}); err != nil {
		t.Errorf("a body that was half read: %v", err)
	}
}

type failing struct{ io.ReadSeeker }

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk has failed") }

func testClock(t *testing.T, b backup.Bucket) {
	if _, err := put(b, "lease.json", "1", backup.Condition{}); err != nil {
		t.Fatal(err)
	}
	head, err := b.Head(context.Background(), "lease.json")
	if err != nil || head.Now.IsZero() || head.Now.Sub(head.Modified) > time.Hour || head.Modified.Sub(head.Now) > time.Minute {
		t.Errorf("%+v, %v", head, err)
	}
}

// Race has many goroutines put the same new object, and the same change of one, in two buckets over
// the same place. Exactly one of each wins.
func Race(t *testing.T, x, y backup.Bucket) {
	tag := ""
	for round := range 4 {
		when := backup.Condition{New: round == 0, Tag: tag}
		var mu sync.Mutex
		var wins []string
		var all sync.WaitGroup
		for i := range 8 {
			b, text := x, fmt.Sprintf("%d-%d", round, i)
			if i%2 == 1 {
				b = y
			}
			all.Go(func() {
				_, err := put(b, "lease.json", text, when)
				if err == nil {
					mu.Lock()
					wins = append(wins, text)
					mu.Unlock()
				} else if !errors.Is(err, backup.ErrCondition) {
					t.Errorf("%s: %v", text, err)
				}
			})
		}
		all.Wait()
		got, info, err := get(x, "lease.json")
		if len(wins) != 1 || err != nil || got != wins[0] {
			t.Fatalf("round %d: %v won, %q is there, %v", round, wins, got, err)
		}
		tag = info.Tag
	}
}
