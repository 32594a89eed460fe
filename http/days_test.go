package httpd

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

var (
	daysSeed   = flag.Uint64("days.seed", 1, "seed of the test of days")
	daysEvents = flag.Int("days.events", 130, "events that the test of days sends before each change of the zone")
	daysAsked  = flag.Int("days.asked", 12, "intervals that the test of days asks about after each change of the zone")
)

// dayZones are the zones that the test of days changes to, one after the other. In the second
// half of the list, zones come back.
var dayZones = []string{
	"UTC", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe", "Europe/Berlin", "America/Havana", "UTC",
}

// dayNow is ten years after some unusual days: the Pacific/Apia of its zone has no 2011-12-30.
var dayNow = time.Date(2021, 6, 1, 12, 0, 0, 0, time.UTC)

// Whatever call asks about an interval, and however the interval is written, the answer is the
// same: the number of events whose time is in it. That holds for events of any age, in every
// zone, after the zone has changed, and while rows are sealed and merged.
//
//	go test ./http -run DaysAgree -days.seed 7 -days.events 2000 -days.asked 200
func TestDaysAgree(t *testing.T) {
	t.Logf("-days.seed %d", *daysSeed)
	rng := rand.New(rand.NewPCG(*daysSeed, 16))
	dir := t.TempDir()
	var times []int64
	for round, name := range dayZones {
		t.Run(fmt.Sprintf("%d %s", round, name), func(t *testing.T) {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			site := testSite(1, "shop")
			site.Location = zone
			var e *engine.Engine
			s := onStore(t, engine.Options{Dir: dir, SealRows: 50, MergeRuns: 3, Now: func() time.Time { return dayNow }},
				func(o *Options) { e = o.Engine.(*engine.Engine) }, site)
			d := &dayTest{T: t, Rand: rng, s: s, zone: zone, site: site.Site, times: times}
			d.ask(2) // before anything new is written
			for n := 0; n < *daysEvents; n += 26 {
				d.tell(e, 26)
			}
			d.ask(*daysAsked)
			times = d.times
		})
	}
}

// dayTest compares the answers of one server with the times of all events.
type dayTest struct {
	*testing.T
	*rand.Rand
	s     *testServer
	zone  *time.Location
	site  *engine.Site
	times []int64 // of all events
}

// tell stores some events.
func (d *dayTest) tell(e *engine.Engine, n int) {
	d.Helper()
	records := make([]engine.Record, n)
	for i := range records {
		at := d.instant()
		d.times = append(d.times, at)
		records[i] = engine.Record{Site: d.site, Record: &event.Record{Event: event.Event{
			Dialect: event.OpenPanel, Type: event.Page, Name: "screen_view", Time: at, Anonymous: "device-" + strconv.Itoa(d.IntN(20)), Segments: []string{"path"},
			Properties: event.Object{{Key: "path", Value: event.Str("/" + strconv.Itoa(d.IntN(5)))}},
		}}}
	}
	if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
		d.Fatal(err)
	}
}

// instant is a time of the last ten years. Many are around midnight or a change of the clock.
func (d *dayTest) instant() int64 {
	at := dayNow.Add(-time.Duration(d.Int64N(int64(10 * 365 * 24 * time.Hour))))
	zone := d.zone
	if d.IntN(3) == 0 {
		zone, _ = time.LoadLocation(dayZones[d.IntN(len(dayZones))])
	}
	local := at.In(zone)
	switch d.IntN(5) {
	case 0:
		at = time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, d.IntN(3)*1e6-1e6, zone)
	case 1:
		if start, _ := local.ZoneBounds(); !start.IsZero() && start.Year() >= 2011 {
			at = start.Add(time.Duration(d.Int64N(int64(4*time.Hour))) - 2*time.Hour)
		}
	case 2:
		at = dayNow.Add(-time.Duration(d.Int64N(int64(50 * 24 * time.Hour)))).In(zone)
	}
	return min(at.UnixMilli(), dayNow.UnixMilli())
}

// ask asks about n intervals of whole days, and n others.
func (d *dayTest) ask(n int) {
	d.Helper()
	for range n {
		from := time.UnixMilli(d.instant()).In(d.zone).Format(time.DateOnly)
		date, _ := time.Parse(time.DateOnly, from)
		to := date.AddDate(0, 0, d.IntN(1<<d.IntN(10))).Format(time.DateOnly)
		d.days(from, to)
		a := d.instant()
		d.instants(a, a+1+d.Int64N(int64(1)<<(10+d.IntN(28))))
	}
}

// days asks about the days from…to, both included. An event is on the day that the clock of the
// site shows.
func (d *dayTest) days(from, to string) {
	d.Helper()
	want := int64(0)
	for _, at := range d.times {
		if day := time.UnixMilli(at).In(d.zone).Format(time.DateOnly); from <= day && day <= to {
			want++
		}
	}
	d.native("from="+from+"&to="+to, want)
	d.tracker("from="+from+"&to="+to, want)
	d.tracker("from="+from+"&to="+to+"&timeZone="+d.zone.String(), want)
	d.tracker("from="+from+"&to="+to+"&interval=day", want)
	if from > "2011-12-31" { // an interval of days that no clock has shown is no question here
		answer := d.get("/insights/shop/metrics?startDate="+from+"&endDate="+to, "openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret")
		if got := number(d, answer, "metrics", "total_screen_views"); got != want {
			d.Errorf("metrics from %s to %s: %d, want %d", from, to, got, want)
		}
	}
}

// instants asks about the times [from, to).
func (d *dayTest) instants(from, to int64) {
	d.Helper()
	want := int64(0)
	for _, at := range d.times {
		if from <= at && at < to {
			want++
		}
	}
	d.native(fmt.Sprintf("from=%d&to=%d", from, to), want)
	d.tracker(fmt.Sprintf("startTime=%d&endTime=%d", from, to), want)
}

// native asks all native calls about a range.
func (d *dayTest) native(span string, want int64) {
	d.Helper()
	expect := func(call string, got int64) {
		d.Helper()
		if got != want {
			d.Errorf("%s %s: %d, want %d", call, span, got, want)
		}
	}
	key := "Authorization: Bearer shop-read"
	expect("count", number(d, d.get("/api/v1/count?"+span, key), "events"))
	expect("count of events", number(d, d.get("/api/v1/count?metrics=events&"+span, key), "events"))
	for _, metrics := range []string{"events", "events,users"} {
		series, sum := d.get("/api/v1/series?interval=day&metrics="+metrics+"&"+span, key), int64(0)
		for i := range series["buckets"].([]any) {
			sum += number(d, series, "buckets", i, "events")
		}
		expect("series with "+metrics, sum)
		expect("counters with "+metrics, number(d, d.get("/api/v1/counters?property=name&metrics="+metrics+"&"+span, key), "total", "events"))
		list := d.get("/api/v1/counters?metrics="+metrics+"&"+span, key)
		expect("list of properties with "+metrics, number(d, list, "total", "events"))
		named := int64(0)
		for i, row := range list["rows"].([]any) {
			if row.(map[string]any)["value"] == "path" {
				named = number(d, list, "rows", i, "events")
			}
		}
		expect("path in the list of properties with "+metrics, named)
	}
	if len(d.times) > 0 { // a property that nobody has ever had is refused
		expect("counters of a segment", number(d, d.get("/api/v1/counters?property=name&segment=path&metrics=events&"+span, key), "total", "events"))
	}
	listed, after := int64(0), ""
	for {
		page := d.get("/api/v1/events?limit=1000&"+span+after, key)
		listed += int64(len(page["events"].([]any)))
		next, _ := page["next"].(string)
		if next == "" {
			break
		}
		after = "&after=" + next
	}
	expect("listing", listed)
}

// tracker asks Opentracker's counts about a range.
func (d *dayTest) tracker(span string, want int64) {
	d.Helper()
	sum := int64(0)
	for after := 0; ; after += 10_000 {
		answer := d.get(fmt.Sprintf("/api/counts?site=shop&property=name&limit=10000&offset=%d&%s", after, span), "Authorization: Bearer shop-read")
		rows := answer["data"].([]any)
		for i := range rows {
			sum += number(d, answer, "data", i, "event")
		}
		if len(rows) < 10_000 {
			break
		}
	}
	if sum != want {
		d.Errorf("counts %s: %d, want %d", span, sum, want)
	}
}

func (d *dayTest) get(target string, headers ...string) (answer map[string]any) {
	d.Helper()
	a := d.s.send("GET", target, "", headers...)
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.status != 200 {
		d.Fatalf("%s: %d %s", target, a.status, a.body)
	}
	return answer
}

// number is the number at a path of keys and indexes.
func number(t *dayTest, answer any, path ...any) int64 {
	t.Helper()
	for _, step := range path {
		switch key := step.(type) {
		case string:
			answer = answer.(map[string]any)[key]
		case int:
			answer = answer.([]any)[key]
		}
	}
	n, ok := answer.(float64)
	if !ok {
		t.Fatalf("%v is %v", path, answer)
	}
	return int64(n)
}
