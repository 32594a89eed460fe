package dashboard

import (
	"bytes"
	"compress/gzip"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var updateCharts = flag.Bool("charts.update", false, "write the golden drawings; look at them in a browser before they are committed")

func drawn(t testing.TB, name string, view any) string {
	t.Helper()
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, view); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The golden files hold what a browser gets, in testdata/charts.
func TestDrawings(t *testing.T) {
	month, week := days(t, 30), days(t, 7)
	week.Title, week.Unit, week.Before, week.BeforeName = "Visit duration", UnitDuration, week.Before[:4], ""
	for i := range week.Now {
		week.Now[i] /= 180
	}
	for i := range week.Before {
		week.Before[i] /= 170
	}
	l := viewer(month)
	cohorts, average := weeks(t)
	none := days(t, 3)
	none.Now, none.Before, none.Notes = []float64{math.NaN(), math.NaN(), math.NaN()}, nil, nil
	for _, d := range []struct {
		file, template string
		view           any
	}{
		{"month", "chart", month.View(l)},
		{"month-table", "chart-table", month.View(l)},
		{"durations", "chart", week.View(l)},
		{"rates-with-gaps", "chart", gaps(t).View(l)},
		{"losses", "chart", losses(t).View(l)},
		{"minutes", "chart", minutes(t).View(l)},
		{"no-numbers", "chart", none.View(l)},
		{"one-day", "chart", days(t, 1).View(l)},
		{"curve", "chart", Curve("week", average).View(l)},
		{"curve-table", "chart-table", Curve("week", average).View(l)},
		{"spark", "spark", Spark([]float64{3, 1, math.NaN(), 4, math.NaN(), 5, 9}, "7 days")},
		{"hours", "hours", Hours(l, "Visits", busy(), nil)},
		{"hours-table", "hours-table", Hours(l, "Visits", busy(), nil)},
		{"cohorts", "cohorts", Cohorts(l, "week", cohorts, average)},
		{"funnel", "funnel", Funnel(l, "people", steps())},
		{"paths", "paths", Paths(l, ways(), "Left")},
	} {
		got := drawn(t, d.template, d.view)
		if found := forbidden.FindString(got); found != "" {
			t.Errorf("%s: the policy of the page forbids %q", d.file, found)
		}
		file := filepath.Join("testdata", "charts", d.file+".html")
		if *updateCharts {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is drawn differently; see it with -charts.update and git diff", d.file)
		}
	}
}

// forbidden is what a strict Content-Security-Policy does not let through, and numbers that are none.
var forbidden = regexp.MustCompile(`(?i)\sstyle=|<style|<script|\son\w+=|ZgotmplZ|NaN|\bInf\b`)

func TestDrawingsOfHostileTexts(t *testing.T) {
	const text = `</title><script>alert(1)</script>" onload="x` + "\u202e\n"
	c := days(t, 3)
	c.Title, c.BeforeName, c.Notes = text, text, []Note{{At: c.Times[1], Text: text}}
	l := viewer(c)
	numbers := busy()
	for _, got := range []string{
		drawn(t, "chart", c.View(l)), drawn(t, "chart-table", c.View(l)),
		drawn(t, "hours", Hours(l, text, numbers, func(int, int) string { return "javascript:" + text })),
		drawn(t, "funnel", Funnel(l, text, []FunnelBar{{Name: text, Count: 2, Href: text}, {Name: text}})),
		drawn(t, "paths", Paths(l, []PathColumn{{Title: text, Rows: []PathRow{{Label: text, Count: 1, Href: text}}}}, text)),
		drawn(t, "spark", Spark(nil, text)),
	} {
		if strings.Contains(got, "<script") || strings.Contains(got, `" onload`) || strings.Contains(got, "javascript:") {
			t.Errorf("not escaped: %s", got)
		}
	}
}

// A chart of nothing, and numbers that are none, are drawn as nothing.
func TestDrawingsOfNothing(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	drawn(t, "chart", (&Chart{Title: "Visitors", Interval: "day", Notes: []Note{{At: time.Now(), Text: "here"}}}).View(l))
	drawn(t, "hours", Hours(l, "Visits", &[7][24]uint64{}, nil))
	drawn(t, "cohorts", Cohorts(l, "day", nil, nil))
	drawn(t, "funnel", Funnel(l, "people", nil))
	drawn(t, "paths", Paths(l, nil, "Left"))

	for _, unit := range []Unit{UnitCount, UnitNumber, UnitShare, UnitDuration} {
		c := days(t, 4)
		c.Unit, c.Running = unit, 4
		c.Now = []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.Inf(1)}
		c.Before = []float64{1, math.Inf(1), 0, 0}
		got := drawn(t, "chart", c.View(viewer(c)))
		if found := regexp.MustCompile(`NaN|Inf|new|▲|▼`).FindString(got); found != "" {
			t.Errorf("%s: %q in %s", unit, found, got)
		}
	}
}

// The page as a whole has a budget; these are the charts' parts of it.
func TestSizesOfCharts(t *testing.T) {
	c := days(t, 30)
	l := viewer(c)
	for _, part := range []struct {
		name string
		text string
		most int
	}{
		{"chart of 30 points with its table", drawn(t, "chart", c.View(l)) + drawn(t, "chart-table", c.View(l)), 3 << 10},
		{"style", read(t, "assets/60-chart.css"), 2 << 10},
		{"script", read(t, "assets/60-chart.js"), 3 << 10},
	} {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		z.Write([]byte(part.text))
		z.Close()
		if b.Len() > part.most {
			t.Errorf("%s: %d bytes, at most %d", part.name, b.Len(), part.most)
		}
		t.Logf("%s: %d bytes of %d", part.name, b.Len(), part.most)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Colours belong to the page: a chart has none of its own.
func TestStyleOfChartsHasNoColours(t *testing.T) {
	known := map[string]bool{}
	for name := range strings.FieldsSeq("bg panel text muted line accent accent-soft before up down focus n") {
		known[name] = true
	}
	style := read(t, "assets/60-chart.css")
	for _, use := range regexp.MustCompile(`var\(--([\w-]+)`).FindAllStringSubmatch(style, -1) {
		if !known[use[1]] {
			t.Errorf("--%s is no variable of the page", use[1])
		}
	}
	if found := regexp.MustCompile(`#[0-9a-f]{3}|\brgb|\bhsl`).FindString(style); found != "" {
		t.Errorf("a colour: %s", found)
	}
}

func TestSentences(t *testing.T) {
	month := days(t, 30)
	l := viewer(month)
	month.Now[8] = 61_020
	one := days(t, 1)
	one.Change, one.Running = Change{}, 1
	none := days(t, 2)
	none.Now = []float64{math.NaN(), math.NaN()}
	for _, test := range []struct {
		chart *Chart
		want  string
	}{
		{month, "Visitors by day over 30 days: first 38,693, last 14,120 so far, highest 61,020 on Sunday 8 November; against before: up 4.1 %"},
		{one, "Visitors by day over 1 day: first 38,693, last 38,693, highest 38,693 on Saturday 31 October"},
		{none, "Visitors by day over 2 days: no numbers"},
		{minutes(t), "People by minute over 30 minutes: first 20, last 9 so far, highest 36 at 02:10 CEST on Sunday 25 October"},
		{Curve("week", []float64{0.47, 0.31}), "Came back by week over 2 weeks: first 47 %, last 31 %, highest 47 % in week 1"},
	} {
		expect(t, "sentence", test.chart.View(l).Alt, test.want)
	}
}

func TestTooltips(t *testing.T) {
	c := days(t, 30)
	v := c.View(viewer(c))
	expect(t, "a note", v.Steps[12].Text, "Thu 12 Nov\nVisitors: 35,179 ▲ 5.6 %\nBefore: 33,329 · Tue 13 Oct\n◆ Release 2.0")
	expect(t, "still running", v.Steps[29].Text, "Sun 29 Nov\nVisitors: 14,120 so far\nBefore: 37,620 · Fri 30 Oct")
}

// A pick of steps is a range of the address: whole days by date, the last one included.
func TestAddressesOfSteps(t *testing.T) {
	c := days(t, 30)
	l := viewer(c)
	from, to := c.address(8, l)
	expect(t, "a day", from+" "+to, "2026-11-08 2026-11-08")

	c = &Chart{Interval: "week", Now: make([]float64, 2), From: c.From, To: c.From.AddDate(0, 0, 6),
		Times: []time.Time{c.From.AddDate(0, 0, -5), c.From.AddDate(0, 0, 2)}}
	from, to = c.address(0, l)
	expect(t, "a week that is cut", from+" "+to, "2026-10-31 2026-11-01")
	from, to = c.address(1, l)
	expect(t, "the last week", from+" "+to, "2026-11-02 2026-11-05")

	c = gaps(t)
	from, to = c.address(2, l)
	expect(t, "an hour", from+" "+to, "2026-10-25T02:00:00+02:00 2026-10-25T02:00:00+01:00")
}

func TestNotesFindTheirStep(t *testing.T) {
	c := days(t, 3)
	c.Notes = []Note{
		{At: c.From.Add(-time.Second), Text: "before"}, {At: c.From, Text: "first"},
		{At: c.To.Add(-time.Second), Text: "last"}, {At: c.To, Text: "after"}, {At: c.Times[2], Text: "last, too"},
	}
	var got []string
	for _, note := range c.View(viewer(c)).Notes {
		got = append(got, note.X+" "+note.Text)
	}
	expect(t, "notes", strings.Join(got, ", "), "0% first, 100% last; last, too")
}

// WCAG 2.2: a text has a contrast of 4.5 to what it stands on, a line of 3. Lines also run over the
// tinted area below them.
func TestContrast(t *testing.T) {
	roots := regexp.MustCompile(`{(--bg:[^}]*)}`).FindAllStringSubmatch(read(t, "assets/10-base.css"), -1)
	if len(roots) < 2 {
		t.Fatal("the variables of light and dark are not found")
	}
	for _, root := range roots {
		colour := map[string][3]float64{}
		for _, def := range regexp.MustCompile(`--([\w-]+):#(\w+)`).FindAllStringSubmatch(root[1], -1) {
			colour[def[1]] = colourOf(t, def[2])
		}
		area, cell := mixed(colour["accent"], colour["panel"], 0.1), mixed(colour["accent"], colour["panel"], 0.45)
		for _, pair := range []struct {
			name  string
			a, b  [3]float64
			least float64
		}{
			{"text", colour["text"], colour["panel"], 4.5},
			{"labels", colour["muted"], colour["panel"], 4.5},
			{"labels on a bar", colour["muted"], colour["line"], 4.5},
			{"text on a bar", colour["text"], colour["accent-soft"], 4.5},
			{"text on the darkest cohort", colour["text"], cell, 4.5},
			{"tooltip", colour["bg"], colour["text"], 4.5},
			{"line", colour["accent"], area, 3},
			{"line before", colour["before"], area, 3},
			{"focus", colour["focus"], colour["panel"], 3},
		} {
			if got := contrast(pair.a, pair.b); got < pair.least {
				t.Errorf("%s: %.2f, at least %.1f, of %s", pair.name, got, pair.least, root[1])
			}
		}
	}
}

func colourOf(t testing.TB, text string) (c [3]float64) {
	t.Helper()
	if len(text) == 3 {
		text = strings.Join([]string{text[:1], text[:1], text[1:2], text[1:2], text[2:], text[2:]}, "")
	}
	n, err := strconv.ParseUint(text, 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	return [3]float64{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}
}

func mixed(a, b [3]float64, share float64) (c [3]float64) {
	for i := range c {
		c[i] = a[i]*share + b[i]*(1-share)
	}
	return c
}

// contrast is that of WCAG 2.2, of colours in sRGB.
func contrast(a, b [3]float64) float64 {
	light := func(c [3]float64) (sum float64) {
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			x := c[i] / 12.92
			if c[i] > 0.04045 {
				x = math.Pow((c[i]+0.055)/1.055, 2.4)
			}
			sum += weight * x
		}
		return sum + 0.05
	}
	return max(light(a)/light(b), light(b)/light(a))
}
