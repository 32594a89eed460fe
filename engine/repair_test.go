// A repair saves every event that is not damaged, says which seqs it could not save, and
// changes nothing in the damaged store. The new store opens, and its counters are a recount.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/repair"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// seqOf matches the seq in a line of show.
var seqOf = regexp.MustCompile(`Seq=(\d+)`)

func TestRepair(t *testing.T) {
	t.Parallel()
	w, good, want := closedStore(t)
	trials := *damageTrials / 3
	if testing.Short() {
		trials = min(trials, 40)
	}
	var events []string // lines of events alone
	for _, l := range want {
		if strings.Contains(l, "MessageID=") {
			events = append(events, l)
		}
	}
	whole, none := 0, 0
	lostEvents := 0
	for i := range trials {
		seed := *damageSeed + uint64(i)
		what, name, data := harm(rand.New(rand.NewPCG(seed, 77)), good)
		lost, err := tryRepair(t, w, good.with(name, data), want, events)
		if err != nil {
			t.Errorf("%s, %s: %v\nagain: go test ./engine -run TestRepair -damage.trials=3 -damage.seed=%d", name, what, err, seed)
			none++
			continue
		}
		lostEvents += lost
		if lost == 0 {
			whole++
		}
	}
	t.Logf("%d repairs: %d saved everything, %d failed; %d of %d events each were lost in the others", trials, whole, none, lostEvents, len(events))
}

// tryRepair repairs a damaged store and compares the new one with the good one. It returns how
// many events are lost.
func tryRepair(t *testing.T, w *workload, bad files, want, events []string) (lost int, err error) {
	ctx := context.Background()
	fs := bad.mem(t)
	survey, err := repair.Survey(ctx, fs, "data")
	if err != nil {
		return 0, err
	}
	report, err := repair.Store(ctx, fs, "data", "new")
	if err != nil {
		return 0, err
	}
	if survey.Events != report.Events || fmt.Sprint(survey.Lost) != fmt.Sprint(report.Lost) {
		return 0, fmt.Errorf("the survey says %d events and %v, the repair %d and %v", survey.Events, survey.Lost, report.Events, report.Lost)
	}
	if changed := bad.differ(readFiles(t, fs, "data")); len(changed) > 0 {
		return 0, fmt.Errorf("the repair has changed %v", changed)
	}
	if r, err := check.Store(ctx, fs, "new"); err != nil || len(r.Problems) > 0 || r.Events != report.Events {
		return 0, fmt.Errorf("check of the new store: %+v, %v", r, err)
	}
	options := w.options(fs, rand.New(rand.NewPCG(8, 3)))
	options.Dir, options.SealRows, options.HotEvents = "new", 40, 200
	e, err := engine.Open(options)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	lines, err := visibleLines(e, w.sites)
	if err != nil {
		return 0, err
	}
	gone := map[string]bool{} // "site seq"
	for site, ranges := range report.Lost {
		for _, r := range ranges {
			for seq := r.First; seq <= r.Last; seq++ {
				gone[fmt.Sprint(w.sites[site-1].Name, " ", seq)] = true
			}
		}
	}
	have := map[string]bool{}
	for _, l := range lines {
		have[l] = true
	}
	last := map[string]int{}
	for _, l := range events {
		site, _, _ := strings.Cut(l, " ")
		seq, _ := strconv.Atoi(seqOf.FindStringSubmatch(l)[1])
		last[site] = max(last[site], seq)
		if !have[l] {
			lost++
			// What is lost at the end is not known to the store.
			if !gone[fmt.Sprint(site, " ", seq)] && slices.ContainsFunc(lines, func(o string) bool {
				s, _ := strconv.Atoi(append(seqOf.FindStringSubmatch(o), "", "")[1])
				return strings.HasPrefix(o, site+" ") && s > seq
			}) {
				return 0, fmt.Errorf("event %d of %s is missing, and not in the list", seq, site)
			}
		} else if gone[fmt.Sprint(site, " ", seq)] {
			return 0, fmt.Errorf("event %d of %s is in the list of lost ones", seq, site)
		}
	}
	if lost == 0 && !slices.Equal(lines, want) {
		return 0, fmt.Errorf("all events are there, but %d of %d lines are as before", same(lines, want), len(want))
	}
	for _, site := range w.sites {
		recount := newModel(w.now)
		recount.namesPerDay = crashNames
		found, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			return 0, err
		}
		for _, ev := range found {
			again := &event.Record{Event: *copyEvent(ev)}
			if !ev.SessionSent {
				again.Event.Session = ""
			}
			recount.of(&site.Site).append(again)
		}
		if lost == 0 {
			if err := sameAsRecount(ctx, e, recount, site); err != nil {
				return 0, err
			}
		}
		// A new event gets an id that no event has had.
		out, err := e.Ingest(ctx, []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "after", User: "new"}}}}, true, nil)
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(events, func(l string) bool { return strings.Contains(l, out[0].ID) }) {
			return 0, fmt.Errorf("the id %s is given out again", out[0].ID)
		}
	}
	return lost, nil
}

// A repair of a store of an older version that is whole loses nothing: neither before nor
// after a start has raised the version, when its old rows are still judged by older rules.
func TestRepairKeepsRules(t *testing.T) {
	t.Parallel()
	for version := 1; version < goldenVersion; version++ {
		for _, raised := range []bool{false, true} {
			fs := readFiles(t, vfs.Default, goldenStore(version)).mem(t)
			if raised {
				e, err := engine.Open(goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now))
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			}
			before, err := check.Store(t.Context(), fs, "data")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := repair.Store(t.Context(), fs, "data", "new"); err != nil {
				t.Fatal(err)
			}
			if report, err := check.Store(t.Context(), fs, "new"); err != nil || len(report.Problems) > 0 || report.Events != before.Events {
				t.Errorf("version %d, raised: %t: %+v, %v", version, raised, report, err)
			}
			options := goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now)
			options.Dir = "new"
			e, err := engine.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
