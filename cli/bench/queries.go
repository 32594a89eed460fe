package bench

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// This file is the phases "list", "count" and "counters": one kind of read at a time.

const (
	queryLists = 20                 // events in a listing
	hoursSpan  = 7 * 24 * time.Hour // of the query by hours
)

// benchQuery is one kind of read. path makes the path of query number n. It draws the values
// from s, so that they have the same distribution as those of the events.
type benchQuery struct {
	phase, name string
	path        func(s *stream, n int) string
}

var benchQueries = []benchQuery{
	{"list", "newest 20 by name", func(s *stream, _ int) string {
		return listPath("name=" + escape(eventName(zipf(s.rng, benchNames))))
	}},
	{"list", "newest 20 by user", func(s *stream, _ int) string {
		return listPath("user=" + userName(zipf(s.rng, s.users)))
	}},
	{"list", "newest 20 by a rare user", func(s *stream, _ int) string {
		return listPath("user=" + userName(s.rng.IntN(s.users)))
	}},
	{"list", "newest 20 of a rare product", func(s *stream, _ int) string {
		return listPath("prop.product=" + productName(s.products/2+s.rng.IntN((s.products+1)/2)))
	}},
	{"list", "newest 20 by name and 2 properties", func(s *stream, _ int) string {
		return listPath("name=" + escape(eventName(zipf(s.rng, benchNames))) +
			"&prop.plan=" + planNames[zipf(s.rng, benchPlans)] + "&prop.country=" + countryCodes[zipf(s.rng, benchCountries)])
	}},
	{"list", "newest 20 in an hour", func(s *stream, _ int) string {
		from := time.Now().Add(-time.Duration(s.rng.Int64N(int64(hoursSpan))))
		return listPath("from=" + strconv.FormatInt(from.UnixMilli(), 10) + "&to=" + strconv.FormatInt(from.Add(time.Hour).UnixMilli(), 10))
	}},
	{"count", "count by name", func(s *stream, n int) string {
		return "/api/v1/count?metrics=events&name=" + escape(eventName(zipf(s.rng, benchNames))) + later(n)
	}},
	{"count", "count by name and country", func(s *stream, n int) string {
		return "/api/v1/count?metrics=events&name=" + escape(eventName(zipf(s.rng, benchNames))) + "&prop.country=" + countryCodes[zipf(s.rng, benchCountries)] + later(n)
	}},
	{"count", "users of one name", func(s *stream, n int) string {
		return "/api/v1/count?metrics=users&name=" + escape(eventName(zipf(s.rng, benchNames))) + later(n)
	}},
	{"count", "users and sessions of one name", func(s *stream, n int) string {
		return "/api/v1/count?name=" + escape(eventName(zipf(s.rng, benchNames))) + later(n)
	}},
	{"count", "events by day", func(_ *stream, n int) string {
		return "/api/v1/series?interval=day&metrics=events&from=" + strconv.FormatInt(time.Now().Add(-hoursSpan).UnixMilli()+int64(n), 10)
	}},
	{"count", "events by day with users", func(_ *stream, n int) string {
		return "/api/v1/series?interval=day&metrics=events,users&from=" + strconv.FormatInt(time.Now().Add(-hoursSpan).UnixMilli()+int64(n), 10)
	}},
	{"count", "events by hour, one product", func(s *stream, _ int) string {
		return "/api/v1/series?interval=hour&prop.product=" + productName(zipf(s.rng, s.products)) + "&from=" + strconv.FormatInt(time.Now().Add(-hoursSpan).UnixMilli(), 10)
	}},
	{"counters", "top 20 products", func(_ *stream, n int) string {
		return "/api/v1/counters?property=product" + again(n)
	}},
	{"counters", "top products with users", func(_ *stream, n int) string {
		return "/api/v1/counters?metrics=events,users&property=product" + again(n)
	}},
	{"counters", "plan by country", func(_ *stream, n int) string {
		return "/api/v1/counters?metrics=events&property=plan&segment=country" + again(n)
	}},
	{"counters", "plan by country, users and sessions", func(_ *stream, n int) string {
		return "/api/v1/counters?property=plan&segment=country" + again(n)
	}},
	{"counters", "product by country, with users", func(_ *stream, n int) string {
		return "/api/v1/counters?metrics=events,users&property=product&segment=country" + again(n)
	}},
	{"counters", "all properties", func(_ *stream, n int) string {
		return "/api/v1/counters?limit=" + strconv.Itoa(20+n%980)
	}},
}

// later makes query number n differ from the others without changing its work or its answer: it
// begins n milliseconds later, in 2001, long before the first event.
func later(n int) string { return "&from=" + strconv.FormatInt(1_000_000_000_000+int64(n), 10) }

// again makes query number n differ from the others without changing its work: its page has
// another length, so the server has no cached answer for it.
func again(n int) string { return "&limit=" + strconv.Itoa(20+n%980) }

func listPath(filter string) string {
	return "/api/v1/events?limit=" + strconv.Itoa(queryLists) + "&" + filter
}

func escape(s string) string { return strings.ReplaceAll(s, " ", "%20") }

// query runs one kind of read on one connection. It asks each query twice, because the
// server may have cached the answer the second time. Listings are asked once.
func (b *benchRun) query(ctx context.Context, q benchQuery) (readResult, error) {
	res := readResult{Name: q.name}
	phase, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := Dial(phase, b.URL, b.Key)
	if err != nil {
		return res, err
	}
	s := newStream(b.Seed, b.run, -1, b.crowd()) // the same queries in every run
	cold, kept := newLatencies(), newLatencies()
	asked := make(map[string]bool)
	before, start := ReadUsage(b.PID), time.Now()
	ask := func(path string, lat *latencies) error {
		from := time.Now()
		answer, err := c.Get(path)
		if errors.Is(err, errQueryTimeout) {
			res.TimedOut = true
		}
		if err != nil {
			return err
		}
		took := time.Since(from)
		if lat == cold && lat.n() == 0 {
			res.First = millis(took)
		}
		lat.add(took)
		res.AnswerBytes += float64(len(answer))
		return nil
	}
	for n := 0; time.Since(start) < b.Duration && ctx.Err() == nil && err == nil; n++ {
		path := q.path(s, n)
		if q.phase == "list" || !asked[path] {
			err = ask(path, cold)
			asked[path] = true
		}
		if q.phase != "list" && err == nil {
			err = ask(path, kept)
		}
	}
	if err != nil && !res.TimedOut {
		return res, err
	}
	res.fill(cold, kept, time.Since(start), ReadUsage(b.PID).CPU-before.CPU)
	return res, ctx.Err()
}
