// What is wrong with the log in a bucket is found, and a restore says so.

package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/zstd"
)

// summed puts the right checksum at the end of an object.
func summed(text []byte) []byte {
	end := len(text) - 8
	return binary.LittleEndian.AppendUint64(text[:end:end], xxhash.Sum64(text[:end]))
}

// packedAgain changes the items of an object.
func packedAgain(t testing.TB, text []byte, change func(items []byte)) []byte {
	z, err := zstd.NewReader(bytes.NewReader(text[9 : len(text)-8]))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	items, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	change(items)
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return summed(append(w.EncodeAll(items, text[:9:9]), make([]byte, 8)...))
}

// Whatever is wrong with the log, a restore says up to when it is and why not further.
func TestRestoreFromADamagedLog(t *testing.T) {
	build := func(t *testing.T) (*line, []string, []time.Time) {
		l := newLine(t, nil)
		l.ship()
		for range 4 {
			l.wait(10 * time.Second)
			l.send("a")
			l.ship()
		}
		names := l.bucket.names(backup.LogPrefix)
		var at []time.Time
		for i := range names {
			at = append(at, l.snapshots[0].Created.Add(time.Duration(i)*10*time.Second))
		}
		return l, names, at
	}
	for _, c := range []struct {
		name string
		harm func(l *line, names []string)
		want string // events
		upTo int    // index of the newest good object
		why  string
	}{
		{"sound", func(*line, []string) {}, "e1 e2 e3 e4", 4, ""},
		{"a hole", func(l *line, n []string) { delete(l.bucket.objects, n[2]) }, "e1", 1, "has a hole"},
		{"the first is gone", func(l *line, n []string) { delete(l.bucket.objects, n[1]) }, "", 0, "has a hole"},
		{"cut", func(l *line, n []string) { l.bucket.objects[n[3]] = l.bucket.objects[n[3]][:60] }, "e1 e2", 2, "it is damaged"},
		{"empty", func(l *line, n []string) { l.bucket.objects[n[3]] = nil }, "e1 e2", 2, "it is damaged"},
		{"a bit", func(l *line, n []string) { l.bucket.objects[n[4]][40] ^= 1 }, "e1 e2 e3", 3, "it is damaged"},
		{"swapped", func(l *line, n []string) {
			o := l.bucket.objects
			o[n[2]], o[n[3]] = o[n[3]], o[n[2]]
		}, "e1", 1, "another object than its name says"},
		{"a newer version", func(l *line, n []string) {
			l.bucket.objects[n[3]] = summed(append(l.bucket.objects[n[3]][:8:8], append([]byte{9}, l.bucket.objects[n[3]][9:]...)...))
		}, "e1 e2", 2, "use a newer cairn"},
		{"another of the name", func(l *line, n []string) {
			l.bucket.objects[n[2]] = packedAgain(l, l.bucket.objects[n[2]], func(items []byte) {
				i := bytes.Index(items, []byte(`"previous":"`)) + len(`"previous":"`)
				items[i] = "0123456789abcdef0"[strings.IndexByte("0123456789abcdef", items[i])+1]
			})
		}, "e1", 1, "does not follow the object before it"},
		{"no log at all", func(l *line, n []string) { clear(l.bucket.objects) }, "", 0, "no log that follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, names, at := build(t)
			c.harm(l, names)
			got, done := l.restored(l.snapshots[0], time.Time{})
			if got != c.want || !done.Until.Equal(at[c.upTo]) || (c.why == "") != (done.Why == "") || !strings.Contains(done.Why, c.why) {
				t.Errorf("%q up to %s: %s", got, done.Until, done.Why)
			}
		})
	}
}

// say so until a snapshot has them, and a restore from before the gap stops there.
func TestGapInTheLog(t *testing.T) {
	l := newLine(t, func(o *engine.Options) { o.SealRows = 10 })
	l.ship()
	m := l.snapshots[0]
	l.wait(time.Minute)
	l.send("a")
	l.ship()
	for range 12 {
		l.send("a", "b")
	}
	for l.engine.Stats().Runs == 0 {
		time.Sleep(time.Millisecond)
	}
	l.wait(time.Minute)
	if err := l.shipper.Ship(t.Context()); !errors.Is(err, backup.ErrGap) {
		t.Fatalf("%v", err)
	}
	if err := l.shipper.Ship(t.Context()); !errors.Is(err, backup.ErrGap) || len(l.shipper.Troubles()) != 1 {
		t.Errorf("the gap is forgotten: %v, %v", err, l.shipper.Troubles())
	}
	names, done := l.restored(m, time.Time{})
	if names != "e1" || !strings.Contains(done.Why, "neither in the snapshot nor in the log") {
		t.Errorf("%q: %s", names, done.Why)
	}
	later := l.snapshot()
	if err := l.shipper.Ship(t.Context()); err != nil || len(l.shipper.Troubles()) != 0 {
		t.Errorf("after a snapshot: %v, %v", err, l.shipper.Troubles())
	}
	l.wait(time.Minute)
	l.send("z")
	l.ship()
	spans, err := backup.Spans(t.Context(), l.vault, []*backup.Manifest{m, later})
	if err != nil {
		t.Fatal(err)
	}
	if first := l.at.Add(-2 * time.Minute); !spans[0].To.Equal(first) || !spans[1].To.Equal(l.at) {
		t.Errorf("the list promises moments up to %s and %s, but the gap begins at %s and it is %s", spans[0].To, spans[1].To, first, l.at)
	}
	if names, done := l.restored(later, time.Time{}); len(strings.Fields(names)) != 26 || done.Why != "" {
		t.Errorf("%q: %s", names, done.Why)
	}
}

// bucket leave a log that restores everything.
func TestShippingThroughFaults(t *testing.T) {
	for at := 1; ; at++ {
		for _, method := range []string{"PUT", "PUT answer", "GET"} {
			l := newLine(t, nil)
			l.ship()
			m := l.snapshots[0]
			n, failed := 0, false
			l.bucket.fail = func(is, name string) error {
				if is != method || !strings.HasPrefix(name, backup.LogPrefix) {
					return nil
				}
				if n++; n == at {
					failed = true
					return errors.New("the bucket is away")
				}
				return nil
			}
			for i := range 4 {
				l.wait(10 * time.Second)
				l.send("a", "b")
				err := l.shipper.Ship(t.Context())
				if err != nil && i%2 == 0 {
					l.reopen() // the process ends
				}
			}
			l.bucket.fail = nil
			l.ship()
			if names, done := l.restored(m, time.Time{}); len(strings.Fields(names)) != 8 || done.Why != "" {
				t.Errorf("%s %d: %q %s", method, at, names, done.Why)
			}
			if !failed && method == "PUT" {
				return
			}
		}
	}
}

// Two processes that write one chain notice it: the second begins a chain of its own.
func TestTwoWritersOfOneChain(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	l.wait(time.Second)
	l.send("a")
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := vfs.Clone(l.fs, l.fs, "data", "copy"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	l.open()
	first := l.shipper
	o := l.opts
	o.Dir = "copy"
	other, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	before := l.engine
	l.opened(other)
	second := l.shipper
	l.engine, l.shipper = before, first
	if err := first.Ship(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.engine, l.shipper = other, second
	l.wait(time.Second)
	l.send("x")
	if err := second.Ship(t.Context()); err != nil { // it goes on behind the first
		t.Fatal(err)
	}
	l.engine, l.shipper = before, first
	l.send("y")
	if err := first.Ship(t.Context()); !errors.Is(err, backup.ErrGap) {
		t.Fatalf("the first goes on in the chain of both: %v", err)
	}
	m := l.snapshot()
	l.wait(time.Second)
	l.send("z")
	l.ship()
	if names, done := l.restored(m, time.Time{}); names != "e1 e3 e4" || done.Why != "" {
		t.Errorf("%q %s", names, done.Why)
	}
}

// that the store does not know of any more. All that was acknowledged is restored.
func TestShippingAfterAPowerCut(t *testing.T) {
	for cut := range 12 {
		mem := vfs.NewCrashableMem()
		l := newLine(t, func(o *engine.Options) { o.FS = mem })
		l.ship()
		if _, err := l.engine.Save(t.Context(), &l.site.Site, query.Saved{Kind: query.SavedFilter, Name: "f", Query: "country=DE"}); err != nil {
			t.Fatal(err)
		}
		for step := range cut {
			l.wait(10 * time.Second)
			if step%3 == 0 {
				l.send("a")
			} else if err := l.shipper.Ship(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		after := mem.CrashClone(vfs.CrashCloneCfg{})
		m := l.snapshots[0] // is in the bucket, not on the disk that lost power
		if ok, err := vfs.Clone(mem, after, l.dirs[m], "in-the-bucket"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		l.dirs[m] = "in-the-bucket"
		if err := l.engine.Close(); err != nil {
			t.Fatal(err)
		}
		l.fs, l.opts.FS = after, after
		l.open()
		l.wait(10 * time.Second)
		l.send("b")
		if err := l.shipper.Ship(t.Context()); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		l.send("c")
		l.ship()
		names, done := l.restored(m, time.Time{})
		if len(strings.Fields(names)) != l.sent || done.Why != "" {
			t.Errorf("cut %d: %d events of %d: %s", cut, len(strings.Fields(names)), l.sent, done.Why)
		}
	}
}

// A copy of the data directory that ships as well is noticed, also when no two objects have the same
// name.
func TestCopyOfTheStoreShipsToo(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := vfs.Clone(l.fs, l.fs, "data", "copy"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	l.open()
	one, shipOne := l.engine, l.shipper
	o := l.opts
	o.Dir = "copy"
	other, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l.opened(other)
	shipOther := l.shipper
	for i := range 20 {
		l.engine, l.shipper = one, shipOne
		l.wait(time.Second)
		l.send("a")
		err := shipOne.Ship(t.Context())
		l.engine, l.shipper = other, shipOther
		l.wait(time.Second)
		l.send("b")
		if err := errors.Join(err, shipOther.Ship(t.Context())); err != nil {
			if !errors.Is(err, backup.ErrGap) {
				t.Fatal(err)
			}
			t.Logf("noticed after %d objects", i+1)
			return
		}
	}
	t.Error("nobody notices")
}

// A store that was put back to an older state, as with an image of the machine's disk, does not go on in the
// log of the time that it has lost: no moment is made of both.
func TestStoreThatWasPutBack(t *testing.T) {
	l := newLine(t, nil)
	l.ship()
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := vfs.Clone(l.fs, l.fs, "data", "image"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	l.open()
	for range 3 {
		l.wait(10 * time.Second)
		l.send("lost")
		l.ship()
	}
	lost := l.snapshot()
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	l.opts.Dir = "image"
	l.open()
	for range 5 {
		l.wait(10 * time.Second)
		l.send("new")
		l.ship()
	}
	if names, done := l.restored(lost, l.at); names != "e1 e2 e3" || done.Why == "" {
		t.Errorf("a snapshot of the lost time: %q up to %s: %q", names, done.Until, done.Why)
	}
	if names, done := l.restored(l.snapshots[len(l.snapshots)-1], l.at); names != "e4 e5 e6 e7 e8" || done.Why != "" {
		t.Errorf("a snapshot of the new time: %q up to %s: %q", names, done.Until, done.Why)
	}
}

// A part that is complete because of its values, long before it has many rows, is shipped before it is
// sealed as well.
func TestManyValuesAreShippedInTime(t *testing.T) {
	l := newLine(t, func(o *engine.Options) { o.Memory = 64 << 20 })
	l.ship()
	due := false
	for i := 0; i < 100 && !due; i++ {
		var records []event.Record
		for range 200 {
			l.sent++
			properties := event.Object{}
			for p := range 16 {
				properties = append(properties, event.Member{Key: fmt.Sprintf("p%d", p), Value: event.Str(fmt.Sprintf("v%d", l.sent))})
			}
			records = append(records, event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", User: "u", Time: l.at.UnixMilli(), Properties: properties}})
		}
		l.sendRecords(records...)
		select {
		case <-l.shipper.Due():
			due = true
		default:
		}
	}
	if !due {
		t.Fatal("nothing is due")
	}
	if err := l.shipper.Ship(t.Context()); errors.Is(err, backup.ErrGap) {
		t.Errorf("after %d events: %v", l.sent, err)
	}
}
