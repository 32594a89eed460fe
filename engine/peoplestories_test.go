// Funnels, retention and paths of a few people, short enough to check by eye.

package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var storySite = &engine.Site{Site: query.Site{ID: 1, Name: "story"}}

// storyDay is a Monday.
var storyDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// tell opens an engine with the events of a story, in the order of receipt. Each line is who,
// when (after storyDay), the type, and a path of a page or a name.
func tell(t *testing.T, story string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(storySite), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	tellMore(t, e, story)
	return e
}

// tellMore adds the events of a story.
func tellMore(t *testing.T, e *engine.Engine, story string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(story)) {
		f := strings.Fields(line)
		ev := event.Event{Dialect: event.Native, Anonymous: f[0], Type: event.Type(f[2]), Time: storyDay.Add(after(t, f[1])).UnixMilli()}
		if len(f) > 3 && ev.Type == event.Page {
			ev.Context.Set("path", event.Str(f[3]))
		} else if len(f) > 3 {
			ev.Name = f[3]
		}
		if strings.HasPrefix(f[0], "user-") {
			ev.User, ev.Anonymous = f[0], ""
		}
		if before, user, both := strings.Cut(f[0], "="); both {
			ev.User, ev.Anonymous = user, before
		}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: storySite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// after reads a duration, which may begin with a number of days.
func after(t *testing.T, text string) time.Duration {
	t.Helper()
	var days time.Duration
	if n, rest, ok := strings.Cut(text, "d"); ok {
		number, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		days, text = time.Duration(number)*24*time.Hour, rest
	}
	if text == "" {
		return days
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return days + d
}

func storyReport(days int) query.Report {
	to := storyDay.AddDate(0, 0, days).UnixMilli()
	return query.Report{Site: &storySite.Site, Span: query.Span{From: storyDay.UnixMilli(), To: to}, Now: to}
}

func cond(field string, values ...string) []query.Cond {
	return []query.Cond{{Field: field, Values: values}}
}

func TestFunnelStories(t *testing.T) {
	view, cart, order := cond("path", "/shop"), cond("name", "cart"), cond("type", "order")
	for _, c := range []struct {
		name, story string
		q           query.Funnel
		want        string // count and median of each step, in seconds
	}{
		{"each does less", `
			ann 0m page /shop
			ann 1m track cart
			ann 3m order o1
			ben 0m page /shop
			ben 3m track cart
			cat 0m page /shop`,
			query.Funnel{Step: [][]query.Cond{view, cart, order}}, "3 2:60 1:120"},
		{"the order before the cart is none", `
			ann 0m page /shop
			ann 1m order o1
			ann 2m track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart, order}}, "1 1:120 0"},
		{"any order", `
			ann 0m track cart
			ann 1m order o1
			ann 2m page /shop`,
			query.Funnel{Step: [][]query.Cond{view, cart, order}, Mode: query.FunnelAny}, "1 1 1"},
		{"a page between", `
			ann 0m page /shop
			ann 1m page /help
			ann 2m track cart
			ben 0m page /shop
			ben 1m identify
			ben 2m track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart}, Mode: query.FunnelStrict}, "2 1:120"},
		{"one row serves one step", `
			ann 0m page /shop
			ben 0m page /shop
			ben 5m page /shop`,
			query.Funnel{Step: [][]query.Cond{view, view}}, "2 1:300"},
		{"the second attempt is within the window", `
			ann 0m page /shop
			ann 50m page /shop
			ann 70m track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart}, Window: 30 * 60_000}, "1 1:1200"},
		{"the window ends with its last millisecond", `
			ann 0m page /shop
			ann 30m track cart
			ben 0m page /shop
			ben 30m0.001s track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart}, Window: 30 * 60_000}, "2 1:1800"},
		{"of equal times the one received later is later", `
			ann 1m page /shop
			ann 1m track cart
			ben 1m track cart
			ben 1m page /shop`,
			query.Funnel{Step: [][]query.Cond{view, cart}}, "2 1:0"},
		{"who logs in stays one person", `
			ann 0m page /shop
			ann=user-1 1m track hello
			user-1 2m track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart}}, "1 1:120"},
		{"two visits of a person", `
			ann 0m page /shop
			ann 3h track cart
			ben 0m page /shop
			ben 1m track cart`,
			query.Funnel{Step: [][]query.Cond{view, cart}, Visits: true}, "2 1:60"},
		{"a row received late", `
			ann 5m track cart
			ann 2m page /shop`,
			query.Funnel{Step: [][]query.Cond{view, cart}}, "1 1:180"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := tell(t, c.story)
			c.q.Report = storyReport(7)
			a, _, err := e.Funnel(t.Context(), &c.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range a.Steps {
				text := fmt.Sprint(s.Count)
				if s.Timed {
					text += fmt.Sprint(":", s.Median/10)
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestFunnelEntityStories(t *testing.T) {
	e := tell(t, `
		ann 0m page /shop
		ann 1m track cart
		ben 0m page /shop
		cat=user-3 0m page /shop
		dan 0m track cart`)
	q := query.FunnelEntities{Funnel: query.Funnel{Report: storyReport(7), Step: [][]query.Cond{cond("path", "/shop"), cond("name", "cart")}}, EntityPage: query.EntityPage{Limit: 2}}
	for _, c := range []struct {
		at      int
		dropped bool
		want    string
	}{{1, false, "user-3 ben | ann"}, {1, true, "user-3 ben"}, {2, false, "ann"}, {2, true, ""}} {
		q.At, q.Dropped, q.EntityPage.After = c.at, c.dropped, ""
		var pages []string
		for {
			p, _, err := e.FunnelEntities(t.Context(), &q)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, strings.Join(p.IDs, " "))
			if q.EntityPage.After = p.Next; p.Next == "" {
				break
			}
		}
		if got := strings.Join(pages, " | "); got != c.want {
			t.Errorf("step %d, dropped %v: %q, want %q", c.at, c.dropped, got, c.want)
		}
	}
}

func TestRetentionStories(t *testing.T) {
	const story = `
		ann 0d1h page /
		ann 1d page /
		ann 3d track back
		ben 0d2h page /
		ben 2d page /
		cat 1d1h page /
		cat 1d2h page /
		dan 1d track sleep
		dan 2d page /`
	for _, c := range []struct {
		name string
		q    query.Retention
		want string // of each cohort its size and cells; then the averages
	}{
		{"first event", query.Retention{}, "2: 1 1 1~, 2: 1 0~, 0: 0~, 0:; 2/4 1/2 0/0"},
		{"first page", query.Retention{Start: cond("type", "page")}, "2: 1 1 1~, 1: 0 0~, 1: 0~, 0:; 1/3 1/2 0/0"},
		{"back later", query.Retention{After: true}, "2: 2 2 1~, 2: 1 0~, 0: 0~, 0:; 3/4 2/2 0/0"},
		{"back by a page", query.Retention{Return: cond("type", "page")}, "2: 1 1 0~, 2: 1 0~, 0: 0~, 0:; 2/4 1/2 0/0"},
		{"each day with a page", query.Retention{Cohort: query.CohortEach, Start: cond("type", "page")}, "2: 1 1 1~, 2: 0 1~, 2: 0~, 0:; 1/4 1/2 0/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := tell(t, story)
			c.q.Report, c.q.Period = storyReport(4), "day"
			c.q.Now -= 3600_000 // the fourth day is not over
			a, _, err := e.Retention(t.Context(), &c.q)
			if err != nil {
				t.Fatal(err)
			}
			var cohorts, average []string
			for _, cohort := range a.Cohorts {
				text := fmt.Sprint(cohort.Size, ":")
				for _, cell := range cohort.Cells {
					text += fmt.Sprint(" ", cell.Users) + map[bool]string{false: "~"}[cell.Complete]
				}
				cohorts = append(cohorts, text)
			}
			for _, r := range a.Average {
				average = append(average, fmt.Sprint(r.Returned, "/", r.Size))
			}
			if got := strings.Join(cohorts, ", ") + "; " + strings.Join(average, " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// Whose first event lies before the range is in no cohort, unless cohorts are those of the range.
func TestRetentionLooksBack(t *testing.T) {
	e := tell(t, `
		ann 0d page /
		ann 2d page /
		ben 0d track other
		ben 2d page /`)
	for cohort, want := range map[query.Cohort]uint64{query.CohortFirst: 1, query.CohortRange: 2} {
		q := &query.Retention{Report: storyReport(4), Period: "day", Cohort: cohort, Start: cond("type", "page")}
		q.From = storyDay.AddDate(0, 0, 1).UnixMilli()
		a, _, err := e.Retention(t.Context(), q)
		if err != nil || a.Cohorts[1].Size != want {
			t.Errorf("%s: %+v, %v", cohort, a, err)
		}
	}
}

func TestPathStories(t *testing.T) {
	const story = `
		ann 0m page /home
		ann 1m page /shop
		ann 2m page /shop
		ann 3m track play
		ann 4m page /cart
		ann 5m order o1
		ben 0m page /home
		ben 1m page /blog/a
		ben 2m page /home
		ben 3m page /blog/b
		cat 0m page /home`
	for _, c := range []struct {
		name string
		q    query.Paths
		want string // of each column its labels, other labels and stops; then the links of the first
	}{
		{"from the begin", query.Paths{Depth: 2, Limit: 9}, "3: /home=3 | /blog/a=1 /shop=1 stop=1; null>/home=3"},
		{"few labels", query.Paths{Depth: 2, Limit: 1}, "3: /home=3 | /blog/a=1 other=1 stop=1; null>/home=3"},
		{"from home", query.Paths{Depth: 2, Limit: 9, Start: cond("path", "/home")}, "3: /blog/a=1 /shop=1 stop=1 | /cart=1 /home=1; /home>/blog/a=1 /home>/shop=1"},
		{"each home", query.Paths{Depth: 1, Limit: 9, Start: cond("path", "/home"), Each: true}, "4: /blog/a=1 /blog/b=1 /shop=1 stop=1; /home>/blog/a=1 /home>/blog/b=1 /home>/shop=1"},
		{"blogs are one", query.Paths{Depth: 1, Limit: 9, Start: cond("path", "/home"), Each: true, Fold: []string{"/blog/*"}}, "4: /blog/*=2 /shop=1 stop=1; /home>/blog/*=2 /home>/shop=1"},
		{"to the order, which has no label", query.Paths{Depth: 2, Limit: 9, End: cond("type", "order")}, "1: /cart=1 | /shop=1; o1>/cart=1"},
		{"to the order, with events", query.Paths{Depth: 3, Limit: 9, End: cond("type", "order"), Of: query.PathsBoth}, "1: /cart=1 | play=1 | /shop=1; o1>/cart=1"},
		{"events alone", query.Paths{Depth: 2, Limit: 9, Of: query.PathsEvents}, "1: play=1 | o1=1; null>play=1"},
		{"then the shop", query.Paths{Depth: 3, Limit: 9, Then: []string{"/home", "/shop"}}, "3: /home=3 | /blog/a=1 /shop=1 stop=1 | /cart=1; null>/home=3"},
		{"a play between two views of a page", query.Paths{Depth: 2, Limit: 9, Start: cond("name", "stop")}, "1: /same=1 | /end=1; stop>/same=1"},
		{"the same backwards", query.Paths{Depth: 2, Limit: 9, End: cond("name", "stop")}, "1: /same=1 | stop=1; stop>/same=1"},
		{"visits with an order", query.Paths{Depth: 1, Limit: 9, Report: query.Report{Where: cond("type", "order")}}, "1: /home=1; null>/home=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := story
			if strings.Contains(c.want, "/same") {
				told = "dan 0m page /same\ndan 1m track stop\ndan 2m page /same\ndan 3m page /end"
			}
			e := tell(t, told)
			where := c.q.Where
			c.q.Report = storyReport(7)
			c.q.Where = where
			a, _, err := e.Paths(t.Context(), &c.q)
			if err != nil {
				t.Fatal(err)
			}
			var columns, links []string
			for _, column := range a.Columns {
				var rows []string
				for _, r := range column.Rows {
					rows = append(rows, fmt.Sprint(r.Label, "=", r.Count))
				}
				if column.Other > 0 {
					rows = append(rows, fmt.Sprint("other=", column.Other))
				}
				if column.Stopped > 0 {
					rows = append(rows, fmt.Sprint("stop=", column.Stopped))
				}
				columns = append(columns, strings.Join(rows, " "))
			}
			for _, l := range a.Links {
				if l.Column == 0 {
					from := l.From.Text
					if l.From.Null {
						from = "null"
					}
					links = append(links, fmt.Sprint(from, ">", l.To, "=", l.Count))
				}
			}
			if got := fmt.Sprint(a.Anchored, ": ") + strings.Join(columns, " | ") + "; " + strings.Join(links, " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// A visit is followed for 512 labels.
func TestLongPaths(t *testing.T) {
	var story strings.Builder
	for i := range 600 {
		fmt.Fprintf(&story, "ann %ds page /%d\n", i, i)
	}
	e := tell(t, story.String())
	for end, want := range map[string]string{"/511": "/510", "/512": "/511", "/599": "/511"} {
		q := &query.Paths{Report: storyReport(1), Depth: 1, Limit: 9, End: cond("path", end)}
		if a, _, err := e.Paths(t.Context(), q); err != nil || a.Anchored != 1 || a.Columns[0].Rows[0].Label != want {
			t.Errorf("before %s: %+v, %v", end, a, err)
		}
	}
	q := &query.Paths{Report: storyReport(1), Depth: 1, Limit: 9, Start: cond("path", "/511")}
	if a, _, err := e.Paths(t.Context(), q); err != nil || a.Anchored != 1 || a.Columns[0].Stopped != 1 {
		t.Errorf("after the last label: %+v, %v", a, err)
	}
}

// A person with more events than fit in memory is refused, and the answer names the step.
func TestCrowdedFunnel(t *testing.T) {
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(storySite), Reserve: -1, Tuples: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var records []engine.Record
	for i := range 200 {
		name := "many"
		if i%10 == 0 {
			name = "few"
		}
		records = append(records, engine.Record{Site: storySite, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: name, Anonymous: "ann", Time: storyDay.UnixMilli() + int64(i)}}})
	}
	if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
		t.Fatal(err)
	}
	q := &query.Funnel{Report: storyReport(1), Step: [][]query.Cond{cond("name", "few"), cond("name", "many")}}
	if _, _, err := e.Funnel(t.Context(), q); err == nil || !strings.Contains(err.Error(), "step 2") || !strings.Contains(err.Error(), "bad query") {
		t.Errorf("error %v", err)
	}
	q.Step[1] = cond("name", "none")
	if a, _, err := e.Funnel(t.Context(), q); err != nil || a.Entered() != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// Two regions of one name are two values of a split: each lies in its country. That holds of the
// row's own value, and of its visit's.
func TestFunnelSplitByRegion(t *testing.T) {
	e := tell(t, "")
	for i, country := range []string{"US", "CA", "US"} {
		for k, name := range []string{"a", "b"} {
			ev := event.Event{Dialect: event.Native, Anonymous: fmt.Sprint("p", i), Type: event.Track, Name: name, Time: storyDay.Add(time.Duration(k) * time.Minute).UnixMilli()}
			ev.Context.Set("country", event.Str(country))
			ev.Context.Set("region", event.Str("ON"))
			if _, err := e.Ingest(t.Context(), []engine.Record{{Site: storySite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, split := range []string{"region", "visit.region"} {
		q := storyReport(1)
		got, _, err := e.Funnel(t.Context(), &query.Funnel{Report: q, Split: split, Limit: 5,
			Step: [][]query.Cond{cond("name", "a"), cond("name", "b")}})
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, row := range got.Split {
			text += fmt.Sprint(row.Value.Text, row.In, row.Entered(), " ")
		}
		if want := "ON[{country US}] 2 ON[{country CA}] 1 "; text != want {
			t.Errorf("split by %s: %s, want %s", split, text, want)
		}
	}
}
