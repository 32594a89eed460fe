package identity

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
	"reflect"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// storeInMemory returns an empty store in memory.
func storeInMemory(t *testing.T) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.Custom(func(t *rapid.T) *idEntry {
			k := &idEntry{ord: rapid.Uint64().Draw(t, "ord"), linked: rapid.Bool().Draw(t, "linked")}
			for range rapid.IntRange(0, 3).Draw(t, "sessions") {
				last := rapid.Int64().Draw(t, "last")
				first := last - rapid.SampledFrom([]int64{0, 0, 1, 1 << 40}).Draw(t, "length")
				k.sessions = append(k.sessions, sessionRef{rapid.Byte().Draw(t, "dialect"), rapid.String().Draw(t, "id"), rapid.Uint64().Draw(t, "ord"), last, first})
			}
			for range rapid.IntRange(0, 2).Draw(t, "sightings") {
				k.tied().seenWith = append(k.tied().seenWith, sighting{rapid.Byte().Draw(t, "dialect"), rapid.String().Draw(t, "id"), rapid.Int64().Draw(t, "time")})
			}
			for range rapid.IntRange(0, 2).Draw(t, "named") {
				k.tied().named = append(k.tied().named, namedTie{rapid.Byte().Draw(t, "dialect"), rapid.Uint64().Draw(t, "ord")})
			}
			return k
		}).Draw(t, "entry")
		isReadBack(t, k)
	})
}

// isReadBack checks that an entry is read back as it was written. A form that is cut short or
// has one more byte must be damaged.
func isReadBack(t *rapid.T, k *idEntry) {
	b := k.append(nil)
	got, err := parseEntry(b)
	if err != nil || !reflect.DeepEqual(got, k) {
		t.Fatalf("got %+v, %v; want %+v", got, err, k)
	}
	for i := range b {
		if got, err := parseEntry(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes parse as %+v", i, len(b), got)
		}
	}
	if _, err := parseEntry(append(b, 0)); err == nil {
		t.Fatal("a form with one more byte parses")
	}
}

// The largest entries that events can make are read back.
func TestLargestEntries(t *testing.T) {
	long := strings.Repeat("x", 2*event.MaxEventBytes)
	visit := &Visit{id: long, visitor: long, user: long, Arrival: Arrival{long, long, true}, actions: 1<<64 - 1}
	for range visitGoalsMax {
		visit.goals = append(visit.goals, -1<<63)
	}
	k := &idEntry{ord: 1<<64 - 1, linked: true}
	for d := range event.Dialects {
		k.sessions = append(k.sessions, sessionRef{byte(d), strings.Repeat("x", event.MaxIDBytes), 1<<64 - 1, -1 << 63, -1 << 62})
	}
	p := newIDPack(1 << 20)
	named := &namedSession{name: strings.Repeat("x", event.MaxIDBytes), first: -1 << 63}
	for i := range int64(stretchesMax) {
		named.stretches = append(named.stretches, stretch{i << 59, 1<<63 - 1})
	}
	for name, k := range map[string]*idEntry{"an id": k, "a visit": {ord: 1, visit: visit}, "a named session": {ord: 1, session: named}} {
		k.key = name
		p.put(1, k)
		got, err := parseEntry(p.get(1, []byte(name)))
		if got != nil {
			got.key = name // which the form does not have
		}
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := newIDPack(math.MaxInt); int64(p.max) > 1<<32-8*int64(len(long)) {
		t.Errorf("a half of %d bytes has offsets of more than 32 bits", p.max)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add((&idEntry{ord: 5, linked: true, sessions: []sessionRef{{1, "abc", 7, -3, -3}}}).append(nil))
	f.Add((&idEntry{ord: 5, visit: &Visit{id: "abc", user: "ada", last: 7, goals: []int64{1, -2}}}).append(nil))
	f.Add((&idEntry{ord: 5, sessions: []sessionRef{{1, "abc", 7, -3, -5}}, ties: &ties{[]sighting{{1, "a", 7}}, []namedTie{{1, 9}}}}).append(nil))
	f.Add((&idEntry{ord: 5, session: &namedSession{"abc", 7, []stretch{{7, 9}, {100, 100}}}}).append(nil))
	f.Add([]byte{1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseEntry(b)
		if err != nil {
			return
		}
		again, err := parseEntry(k.append(nil))
		if err != nil || !reflect.DeepEqual(again, k) {
			t.Fatalf("%+v becomes %+v, %v", k, again, err)
		}
	})
}

// The table reads back entries that it has packed or dropped.
func TestIDsAreEvictedAndReadBack(t *testing.T) {
	db := storeInMemory(t)
	small, large := NewIDs(db, 1024), NewIDs(nil, math.MaxInt)
	session := 0
	next := func(event.Dialect) string { session++; return string(rune('a' + session%26)) }
	for seq := uint64(1); seq <= 3000; seq++ {
		n := seq * 2654435761 % 97
		e := &event.Event{Dialect: event.Native, Type: event.Track, Time: int64(seq) * 60_000, Anonymous: string(rune('A' + n%50))}
		if n%5 == 0 {
			e.User = string(rune('0' + n%9))
		}
		if n%31 == 0 {
			e.Type, e.Previous = event.Alias, string(rune('A'+n%7))
		}
		kept := session
		if seq%3 > 0 { // whatever was touched, the same is assigned
			small.Touch(1, e)
			small.Touch(2, &event.Event{User: "nobody", Anonymous: e.Anonymous})
			small.Touched()
		}
		got, err := small.Assign(1, seq, e, new(Question), next)
		if err != nil {
			t.Fatal(err)
		}
		session = kept
		want, err := large.Assign(1, seq, e, new(Question), next)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d: %+v, %v; with everything in memory %+v", seq, got, err, want)
		}
		if seq%40 != 0 {
			continue
		}
		b := db.NewBatch()
		if err := small.Flush(b); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if upTo, err := store.IDsUpTo(db, 1); err != nil || upTo != seq {
			t.Fatalf("the ids are written up to %d, %v; want %d", upTo, err, seq)
		}
		small.Evict()
		if held := small.held(); held > 3*small.max {
			t.Fatalf("%d bytes are in memory after eviction, want at most %d", held, 3*small.max)
		}
	}
	if packed := len(small.pack.new.at) + len(small.pack.old.at); packed == 0 || packed >= large.hot.n {
		t.Errorf("%d of %d ids are packed, want some but not all", packed, large.hot.n)
	}
	for k := range large.hot.all {
		key := k.key
		v, closer, err := db.Get([]byte(key))
		if err != nil || !bytes.Equal(v, k.append(nil)) {
			t.Errorf("id %q: stored %x, %v; want %x", key, v, err, k.append(nil))
		}
		if err == nil {
			_ = closer.Close()
		}
	}
}

// Those that were used last stay in memory, and those that are not written yet. A session that is
// read again is the one that its id and its name know.
func TestEvictedAreTheOldest(t *testing.T) {
	db := storeInMemory(t)
	ids, all := NewIDs(db, 64<<10), NewIDs(nil, math.MaxInt)
	seq := uint64(0)
	take := func(e *event.Event) {
		t.Helper()
		seq++
		e.Dialect, e.Time = event.Native, int64(seq)
		ids.Touch(1, e)
		ids.Touched()
		got, err := ids.Assign(1, seq, e, new(Question), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := all.Assign(1, seq, e, new(Question), nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d: %+v, %v; with everything in memory %+v", seq, got, err, want)
		}
	}
	visit := func(n, session int) {
		t.Helper()
		take(&event.Event{Type: event.Track, User: fmt.Sprint("user", n), Session: fmt.Sprint("session", session), SessionSent: true})
	}
	flush := func() {
		b := db.NewBatch()
		if err := ids.Flush(b); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	held := func(key string) *idEntry { return ids.hot.get(maphash.String(ids.seed, key), key) }
	hot := func(n int) bool { return held(string(appendKey(nil, 1, KindUser, 0, fmt.Sprint("user", n)))) != nil }
	visit(5000, 5000)
	evictions, n := 0, 10
	for ; evictions < 20; n++ {
		visit(n, n)
		visit(n%10, n%10)                                          // used all the time
		visit(n-5, n)                                              // leaves with another session in mind
		take(&event.Event{Type: event.Identify, User: "user5000"}) // stays, but its session leaves
		if ids.Due() {
			flush()
		}
		if !ids.Over() {
			continue
		}
		before := ids.hot.n
		ids.Evict()
		evictions++
		if held := ids.held(); held > 3*ids.max || ids.hot.n < before/2 {
			t.Fatalf("%d of %d entries stay, which take %d bytes; want at most %d", ids.hot.n, before, held, 3*ids.max)
		}
		for k := range 10 {
			if !hot(k) {
				t.Fatalf("user %d, who was used last, has left memory", k)
			}
		}
		for _, k := range ids.changed {
			if held(k.key) != k.idEntry {
				t.Fatalf("%q has left memory before it was written", k.key)
			}
		}
		for k := range ids.hot.all {
			if k.recent != nil && k.recent.gone != (held(k.recent.key) != k.recent) {
				t.Fatalf("%q knows %q, which has left memory", k.key, k.recent.key)
			}
			if k.recent != nil && k.recent.gone && k.recent.recent != nil {
				t.Fatalf("%q keeps more than one entry that has left memory", k.key)
			}
		}
	}
	visit(5000, 5000)
	if hot(10) {
		t.Error("the user who was used first is still in memory")
	}
	flush()
	for k := range all.hot.all {
		key := k.key
		v, closer, err := db.Get([]byte(key))
		if err != nil || !bytes.Equal(v, k.append(nil)) {
			t.Fatalf("id %q: stored %x, %v; want %x", key, v, err, k.append(nil))
		}
		_ = closer.Close()
	}
}

// Steps of ages ascend with the ages.
func TestAgeStep(t *testing.T) {
	last := -1
	for age := uint64(0); age < 1<<12; age++ {
		step := ageStep(age)
		if step != last && step != last+1 {
			t.Fatalf("step %d follows step %d", step, last)
		}
		last = step
	}
	if step := ageStep(math.MaxUint64); step != ageSteps-1 {
		t.Errorf("the last step is %d, want %d", step, ageSteps-1)
	}
}

// A pack returns the newest form of an entry or nothing. It does not exceed its size.
func TestIDPack(t *testing.T) {
	seed := maphash.MakeSeed()
	rapid.Check(t, func(t *rapid.T) {
		p := newIDPack(rapid.IntRange(0, 2000).Draw(t, "bytes"))
		newest := map[string]*idEntry{}
		hash := func(key string) uint64 { return maphash.String(seed, key) }
		for i := range rapid.IntRange(0, 300).Draw(t, "puts") {
			key := fmt.Sprint("id", rapid.IntRange(0, 60).Draw(t, "id"))
			k := &idEntry{key: key, ord: uint64(i)}
			for range rapid.IntRange(0, 3).Draw(t, "sessions") {
				k.sessions = append(k.sessions, sessionRef{id: strings.Repeat("x", rapid.IntRange(0, 90).Draw(t, "length"))})
			}
			p.put(hash(key), k)
			newest[key] = k
			if got := p.get(hash(key), []byte(key)); !bytes.Equal(got, k.append(nil)) {
				t.Fatalf("%s was put as %x and is read as %x", key, k.append(nil), got)
			}
			if most := p.max + 400; len(p.new.bytes) > most || len(p.old.bytes) > most {
				t.Fatalf("the halves have %d and %d bytes, want at most about %d", len(p.new.bytes), len(p.old.bytes), p.max)
			}
		}
		for n := range 70 {
			key := fmt.Sprint("id", n)
			if got := p.get(hash(key), []byte(key)); got != nil && (newest[key] == nil || !bytes.Equal(got, newest[key].append(nil))) {
				t.Fatalf("%s is %x", key, got)
			}
		}
	})
}

// Stored links are read in order, each with the event that made it.
func TestLinksStored(t *testing.T) {
	db := storeInMemory(t)
	b := db.NewBatch()
	for _, l := range []struct {
		site  uint32
		seq   uint64
		links []Link
	}{{2, 1, []Link{{9, 9}}}, {1, 300, []Link{{1, 2}}}, {1, 5, []Link{{3, 4}, {1, 4}}}, {3, 1, []Link{{8, 8}}}} {
		if err := PutLinks(b, l.site, l.seq, l.links); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	type stored struct {
		seq uint64
		Link
	}
	var got []stored
	if err := ScanLinks(db, 1, func(seq uint64, l Link) bool { got = append(got, stored{seq, l}); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []stored{{5, Link{3, 4}}, {5, Link{1, 4}}, {300, Link{1, 2}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := db.Set(store.LinkKey(1, 7), make([]byte, 15), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if err := ScanLinks(db, 1, func(uint64, Link) bool { return true }); err == nil {
		t.Error("a damaged value is read")
	}
}
