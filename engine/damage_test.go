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
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	damageTrials = flag.Int("damage.trials", 300, "damaged stores to try")
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
		if rng.IntN(8) == 0 {
			return "gone", name, nil
		}
		if len(good) == 0 {
			continue
		}
		at := rng.IntN(len(good))
		switch rng.IntN(4) {
		case 0:
			return fmt.Sprintf("cut to %d of %d bytes", at, len(good)), name, append([]byte{}, good[:at]...)
		case 1:
			n := min(1+rng.IntN(600), len(good)-at)
			data = slices.Clone(good)
			clear(data[at : at+n])
			if string(data) == string(good) {
				continue
			}
			return fmt.Sprintf("%d of %d bytes zeroed at %d", n, len(good), at), name, data
		default:
			data = slices.Clone(good)
			bit := rng.IntN(8)
			data[at] ^= 1 << bit
			return fmt.Sprintf("bit %d of byte %d of %d flipped", bit, at, len(good)), name, data
		}
	}
}

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
		bad := store.with(name, data)
		outcome := verdict(t, w, bad, want)
		outcomes[outcome]++
		if strings.HasPrefix(outcome, "LOST") || strings.HasPrefix(outcome, "HUNG") || strings.HasPrefix(outcome, "UNTOLD") {
			t.Errorf("%s, %s: %s\nagain: go test ./engine -run DamagedFiles -damage.trials=1 -damage.seed=%d", name, what, outcome, seed)
		}
	}
	t.Logf("%d damaged stores: %v", trials, outcomes)
}

// verdict opens and checks a damaged store.
func verdict(t *testing.T, w *workload, bad files, want []string) (outcome string) {
	ctx := context.Background()
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
			return "refused at open, with Fatal"
		}
		return "HUNG at open"
	}
	if openErr != nil {
		return "refused at open"
	}
	var lines []string
	var readErr error
	if !inTime(func() { lines, readErr = visibleLines(e, w.sites) }) {
		return "HUNG at a query"
	}
	if !inTime(func() { _ = e.Close() }) && len(fatal) == 0 {
		return "HUNG at close"
	}
	right := slices.Equal(lines, want)
	switch {
	case readErr != nil && (store.Damaged(readErr) == nil || len(e.Stats().Damaged) == 0):
		return fmt.Sprintf("UNTOLD: a query ends with %v, which says nothing of damage", readErr)
	case readErr != nil && found:
		return "opened, a query says it is damaged, so does check"
	case readErr != nil:
		return "opened, a query says it is damaged"
	case right && found:
		return "opened and all is right, but check finds a fault"
	case right:
		return "opened and all is right"
	}
	return fmt.Sprintf("LOST: %d lines are visible, %d of them as before", len(lines), same(lines, want))
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
	fs := vfs.NewCrashableMem()
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
	for range 120 {
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
	store := readFiles(t, fs.CrashClone(vfs.CrashCloneCfg{}), "data") // a power cut: the log has no end marker
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	full := store[name]
	if len(full) < acks[len(acks)-1].end {
		t.Fatalf("%d bytes of log were synced, %d acknowledged", len(full), acks[len(acks)-1].end)
	}
	full = full[:acks[len(acks)-1].end]
	rng := rand.New(rand.NewPCG(9, 3))
	var tears []int
	for _, a := range acks {
		tears = append(tears, a.end, a.end-1, a.end+1)
	}
	for range 200 {
		tears = append(tears, rng.IntN(len(full)))
	}
	if most := *damageTrials / 3; most < len(tears) {
		if testing.Short() {
			most = min(most, 40)
		}
		rng.Shuffle(len(tears), func(i, j int) { tears[i], tears[j] = tears[j], tears[i] })
		tears = tears[:most]
	}
	opened, refused := 0, 0
	for i, at := range tears {
		at = min(at, len(full))
		torn, how := full[:at:at], "cut"
		if i%2 == 1 { // zeros up to the length of the file
			torn, how = append(slices.Clone(torn), make([]byte, len(full)-at)...), "zeroed"
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
			refused++
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
		if err := e.Close(); err != nil {
			t.Fatalf("%s at %d: close: %v", how, at, err)
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
