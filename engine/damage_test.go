// Damaged files: a flipped bit, a missing end, zeroed bytes or a missing file, anywhere in a
// store that was closed cleanly. Then the store must not open, or check must find the damage,
// or all events must be unharmed. It must never open and silently show other events than were
// sent.
//
//	go test ./engine -run DamagedFiles -damage.trials=20000

package engine_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	damageTrials = flag.Int("damage.trials", 40, "damaged stores to try")
	damageTears  = flag.Int("damage.tears", 384, "tear the log at every so many bytes")
	damageSeed   = flag.Uint64("damage.seed", 1, "where the trials begin")
)

// closedStore is a store with sealed and unsealed events, closed.
func closedStore(t *testing.T) (w *workload, store files, lines []string) {
	t.Helper()
	w = newWorkload(rand.New(rand.NewPCG(8, 1)))
	fs := vfs.NewMem()
	options := w.options(fs, rand.New(rand.NewPCG(8, 2)))
	options.SealRows, options.HotEvents = 40, 200
	for life := range 3 { // so that there are flushed tables, a manifest with a history, and a log
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 40+5*life, never)
		if life == 2 {
			if lines, err = visibleLines(e, w.sites); err != nil {
				t.Fatal(err)
			}
			if s := e.Stats(); s.Runs < 2 || s.Runs+int64(s.Merges) < 4 { // some must be merged
				t.Fatal("too few runs")
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := check.Store(context.Background(), fs, "data"); err != nil || len(report.Problems) > 0 || report.Unsealed == 0 {
		t.Fatalf("check of the good store: %+v, %v", report, err)
	}
	return w, readFiles(t, fs, "data"), lines
}

// harm damages one file in one way.
func harm(rng *rand.Rand, store files) (what string, name string, data []byte) {
	names := store.names()
	for {
		name = names[rng.IntN(len(names))]
		good := store[name]
		kind := rng.IntN(6)
		if kind == 0 {
			return "deleted", name, nil
		}
		if len(good) == 0 {
			continue
		}
		at := rng.IntN(len(good))
		data = slices.Clone(good)
		switch kind {
		case 1:
			bit := rng.IntN(8)
			data[at] ^= 1 << bit
			what = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
		case 2:
			data[at] = byte(rng.IntN(256))
			what = fmt.Sprintf("byte %d is %#x", at, data[at])
		case 3:
			at = at / 4096 * 4096
			clear(data[at:min(at+4096, len(data))])
			what = fmt.Sprintf("4 KiB zeroed at %d", at)
		case 4:
			data = data[:at]
			what = fmt.Sprintf("cut to %d bytes", at)
		case 5: // two sectors change places
			from, to := at/512*512, rng.IntN(len(good))/512*512
			if from+512 > len(good) || to+512 > len(good) {
				continue
			}
			copy(data[from:], good[to:to+512])
			copy(data[to:], good[from:from+512])
			what = fmt.Sprintf("512 bytes at %d and %d swapped", from, to)
		}
		if string(data) == string(good) {
			continue
		}
		return fmt.Sprintf("%s, of %d", what, len(good)), name, data
	}
}

// named matches an error that tells the operator which file is damaged, what is lost at most, and
// what to do next.
var named = regexp.MustCompile(`(?s)(store/(\d{6,}\.(sst|log)|MANIFEST-\d+|marker\.)|log of site|ids of site|run \d+ of site|list of|the log).*(No event is|At most.* are) lost.*(cairn check|cairn repair|cairn restore)`)

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	w, store, want := closedStore(t)
	trials := *damageTrials
	if testing.Short() {
		trials = min(trials, 60)
	}
	outcomes := map[string]int{}
	for i := range trials {
		seed := *damageSeed + uint64(i)
		what, name, data := harm(rand.New(rand.NewPCG(seed, 77)), store)
		outcome := verdict(t, w, store, name, data, want)
		outcomes[outcome]++
		if strings.ToUpper(outcome[:4]) == outcome[:4] {
			t.Errorf("%s, %s: %s\nagain: go test ./engine -run DamagedFiles -damage.trials=1 -damage.seed=%d", name, what, outcome, seed)
		}
	}
	t.Logf("%d damaged stores:", trials)
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%6d %s", outcomes[outcome], outcome)
	}
}

// verdict opens and checks a store in which one file is damaged. It returns what has happened;
// a word in capitals at the beginning says what must not happen.
func verdict(t *testing.T, w *workload, good files, name string, data []byte, want []string) (outcome string) {
	ctx := context.Background()
	bad := good.with(name, data)
	var report check.Report
	var checkErr error
	if !inTime(func() { report, checkErr = check.Store(ctx, bad.mem(t), "data") }) {
		return "HUNG in check"
	}
	found := checkErr != nil || len(report.Problems) > 0
	fs := bad.mem(t)
	options := w.options(fs, rand.New(rand.NewPCG(8, 3)))
	options.SealRows, options.HotEvents = 40, 200
	fatal := make(chan error, 8)
	options.Fatal = func(err error) { fatal <- err }
	var e *engine.Engine
	var openErr error
	if !inTime(func() { e, openErr = engine.Open(options) }) {
		if len(fatal) > 0 {
			return "FATAL at open"
		}
		return "HUNG at open"
	}
	if openErr != nil {
		if !named.MatchString(openErr.Error()) {
			return fmt.Sprintf("NAMELESS refusal: %v", openErr)
		}
		for _, n := range bad.differ(readFiles(t, fs, "data")) {
			if n != "store/LOCK" {
				return fmt.Sprintf("CHANGED %s, though the store is refused: %v", n, openErr)
			}
		}
		return "refused at open"
	}
	var lines []string
	var readErr error
	if !inTime(func() { lines, readErr = visibleLines(e, w.sites) }) {
		return "HUNG at a query"
	}
	damaged := e.Stats().Damaged
	if !inTime(func() { _ = e.Close() }) && len(fatal) == 0 {
		return "HUNG at close"
	}
	right := slices.Equal(lines, want)
	switch {
	case readErr == nil && right && found:
		return "opened and all is right, but check finds a fault"
	case readErr == nil && right:
		return "opened and all is right"
	case readErr == nil:
		return fmt.Sprintf("SILENT: %d lines are visible, %d of them as before", len(lines), same(lines, want))
	case store.Damaged(readErr) == nil || len(damaged) == 0:
		return fmt.Sprintf("NAMELESS: a query ends with %v, which says nothing of damage", readErr)
	case !found:
		return fmt.Sprintf("UNTOLD: a query ends with %v, but check finds nothing", readErr)
	}
	// With the file as it was, everything is there: the start has removed nothing.
	left := readFiles(t, fs, "data").with(name, good[name]).mem(t)
	options.FS = left
	if e, openErr = engine.Open(options); openErr != nil {
		return fmt.Sprintf("REMOVED: the file is as it was, but %v", openErr)
	}
	defer e.Close()
	if lines, readErr = visibleLines(e, w.sites); readErr != nil || !slices.Equal(lines, want) {
		return fmt.Sprintf("REMOVED: the file is as it was, but %d of %d lines are visible, %v", same(lines, want), len(want), readErr)
	}
	return "opened, a query says it is damaged, and so does check"
}

func same(got, want []string) (n int) {
	for _, l := range got {
		if slices.Contains(want, l) {
			n++
		}
	}
	return n
}

// The file of the log is torn at many places, as a disk may leave it. Everything acknowledged
// before the tear is there, or the store does not open.
func TestTornLog(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(9, 1)))
	fs := newCrashable()
	options := w.options(fs, rand.New(rand.NewPCG(9, 2)))
	options.SealRows, options.HotEvents, options.Memory = 1<<16, 1<<16, 256<<20 // one log, nothing sealed
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	logName := func() string {
		var found string
		list, err := fs.List("data/store")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range list {
			if strings.HasSuffix(name, ".log") && name > found {
				found = name
			}
		}
		return "store/" + found
	}
	type ack struct {
		end    int // length of the log when the request was answered
		events int // number of events of all sites at that time
	}
	var acks []ack
	events := 0
	name := logName()
	for range 24 {
		w.run(e, 1, 1, never)
		if logName() != name {
			t.Fatal("the log was rotated")
		}
		info, err := fs.Stat("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		requests := w.acked()
		events += len(requests[len(requests)-1].records)
		acks = append(acks, ack{int(info.Size()), events})
	}
	lines, err := visibleLines(e, w.sites)
	if err != nil {
		t.Fatal(err)
	}
	store := readFiles(t, fs.clone(vfs.CrashCloneCfg{}), "data") // a power cut: the log has no end marker
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	full := store[name]
	if len(full) < acks[len(acks)-1].end {
		t.Fatalf("%d bytes of log were synced, %d acknowledged", len(full), acks[len(acks)-1].end)
	}
	full = full[:acks[len(acks)-1].end]
	rng := rand.New(rand.NewPCG(9, 3))
	type tear struct {
		at  int
		how string
	}
	var tears []tear
	for at := 0; at <= len(full); at += *damageTears {
		for _, how := range []string{"cut", "zeroed", "garbage"} {
			tears = append(tears, tear{at, how})
		}
	}
	if testing.Short() {
		rng.Shuffle(len(tears), func(i, j int) { tears[i], tears[j] = tears[j], tears[i] })
		tears = tears[:min(len(tears), 60)]
	}
	opened, refused := 0, 0
	for i, c := range tears {
		at, how := c.at, c.how
		torn := full[:at:at]
		switch how {
		case "zeroed": // up to the length of the file
			torn = append(slices.Clone(torn), make([]byte, len(full)-at)...)
		case "garbage":
			torn = slices.Clone(torn)
			for len(torn) < len(full) {
				torn = append(torn, byte(rng.IntN(256)))
			}
		}
		surely := 0
		for _, a := range acks {
			if a.end <= at {
				surely = a.events
			}
		}
		left := store.with(name, torn).mem(t)
		options := w.options(left, rand.New(rand.NewPCG(9, 4)))
		e, err := engine.Open(options)
		if err != nil {
			if refused++; !named.MatchString(err.Error()) {
				t.Errorf("%s at %d: %v names no file", how, at, err)
			}
			continue
		}
		opened++
		got, err := visibleLines(e, w.sites)
		if err != nil {
			t.Fatalf("%s at %d: %v", how, at, err)
		}
		have := 0
		for _, l := range got {
			if strings.Contains(l, "MessageID=") {
				if have++; !slices.Contains(lines, l) {
					t.Fatalf("%s at %d: an event that was never sent like this: %s", how, at, l)
				}
			}
		}
		if have < surely {
			t.Errorf("%s at %d: the store has %d events, but %d were acknowledged before the tear", how, at, have, surely)
		}
		if i%7 == 0 { // it takes events again, and opens again
			w.run(e, 1, 1, never)
		}
		if err := e.Close(); err != nil {
			t.Fatalf("%s at %d: close: %v", how, at, err)
		}
		if i%7 == 0 {
			again, err := engine.Open(options)
			if err != nil {
				t.Fatalf("%s at %d: open again: %v", how, at, err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if report, err := check.Store(context.Background(), left, "data"); err != nil || len(report.Problems) > 0 {
			t.Fatalf("%s at %d: check: %v %v", how, at, err, report.Problems)
		}
	}
	t.Logf("%d tears: %d stores opened, %d refused", len(tears), opened, refused)
	if opened == 0 {
		t.Error("no store opened; each power cut may leave a torn end of the log")
	}
}
