package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// This file is the phase "dashboard": what the first screen of the dashboard takes over the visits
// of a web shop, whole, with all its panels: asked for the first time, again, and every few
// seconds while events come in.

const (
	dashboardPhase = "dashboard"
	dashboardRate  = 5000 // events a second that come in while the screen is refreshed
	dashboardAgain = 5    // times the screen is asked again
	dashboardFresh = 3    // refreshes under that load

	// refreshEvery is longer than an answer may be old that the screen takes.
	refreshEvery = 11 * time.Second
)

// The targets, in milliseconds.
const (
	screenColdMax    = 1000.0 // over all days
	screenAgainMax   = 150.0
	screenRefreshMax = 700.0
)

// screenResult is what the first screen takes over a range. Times are milliseconds.
type screenResult struct {
	Days    int     `json:"days"`
	Compare bool    `json:"compare"`
	Cold    float64 `json:"cold_ms"` // asked for the first time
	ColdCPU float64 `json:"cold_cpu_ms"`
	Again   float64 `json:"again_ms"` // the median
	CPU     float64 `json:"again_cpu_ms"`
	Refresh float64 `json:"refresh_ms"` // under load; the median
	Bytes   int     `json:"bytes"`      // of the page, in gzip
}

// Dashboard are the measurements of the phase.
type Dashboard struct {
	Screens []screenResult `json:"screens"`
	Events  int64          `json:"events"` // written by the phase
	Rate    float64        `json:"events_per_second"`
}

// browser is a client that has logged in.
type browser struct {
	http.Client
	base, cookie string
}

// login logs in with a key.
func login(ctx context.Context, base, key string) (*browser, error) {
	b := &browser{base: base}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	form := url.Values{"key": {key}}.Encode()
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/dashboard/login", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	res, err := b.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != 303 || len(res.Cookies()) == 0 {
		return nil, fmt.Errorf("log in to the dashboard: status %d", res.StatusCode)
	}
	b.cookie = res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	return b, nil
}

// get asks for a page, which must be whole.
func (b *browser) get(ctx context.Context, path string) (bytes int, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", b.base+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Cookie", b.cookie)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := b.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("%s: status %d", path, res.StatusCode)
	}
	return len(body), err
}

// dashboard runs the phase. site is the name of the site.
func (b *benchRun) dashboard(ctx context.Context, site string) (*Dashboard, error) {
	client, err := login(ctx, b.URL, b.Key)
	if err != nil {
		return nil, err
	}
	ask := func(path string) (ms, cpu float64, bytes int, err error) {
		before, start := ReadUsage(b.PID).CPU, time.Now()
		bytes, err = client.get(ctx, path)
		return millis(time.Since(start)), millis(ReadUsage(b.PID).CPU - before), bytes, err
	}
	d := new(Dashboard)
	path := func(days int, compare bool) string {
		today := time.Now().UTC().Truncate(24 * time.Hour)
		path := fmt.Sprintf("/dashboard/site/%s?from=%s&to=%s&_wait=1", url.PathEscape(site), today.AddDate(0, 0, 1-days).Format(time.DateOnly), today.Format(time.DateOnly))
		if compare {
			path += "&compare=previous"
		}
		return path
	}
	ranges := []screenResult{{Days: min(7, b.Days)}, {Days: b.Days}, {Days: max(1, b.Days/2), Compare: true}}
	for _, r := range ranges {
		if r.Cold, r.ColdCPU, r.Bytes, err = ask(path(r.Days, r.Compare)); err != nil {
			return d, err
		}
		var again []float64
		for range dashboardAgain {
			ms, cpu, _, err := ask(path(r.Days, r.Compare))
			if err != nil {
				return d, err
			}
			again = append(again, ms)
			r.CPU += cpu / dashboardAgain
		}
		slices.Sort(again)
		r.Again = again[len(again)/2]
		d.Screens = append(d.Screens, r)
	}
	return d, b.refresh(ctx, d, func(i int) (float64, error) {
		ms, _, _, err := ask(path(d.Screens[i].Days, d.Screens[i].Compare))
		return ms, err
	})
}

// refresh asks for the screens while events come in.
func (b *benchRun) refresh(ctx context.Context, d *Dashboard, ask func(screen int) (float64, error)) error {
	c, err := Dial(ctx, b.URL, b.Key)
	if err != nil {
		return err
	}
	load := newShopLoad(b.Seed, b.run, b.streams, nil)
	b.streams++
	writing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer c.Close()
		const batch = 500
		began := time.Now()
		for writing.Err() == nil {
			var body []byte
			for i := range batch {
				if body = append(body, "[,"[min(i, 1)]); true {
					body = load.appendEvent(body, time.Now())
				}
			}
			if _, err := c.Post("/api/v1/events", "application/json", append(body, ']')); err != nil {
				ended <- err
				return
			}
			d.Events += batch
			b.sleep(writing, began.Add(time.Duration(float64(d.Events)/dashboardRate*float64(time.Second))))
		}
		d.Rate = float64(d.Events) / time.Since(began).Seconds()
		ended <- nil
	}()
	times := make([][]float64, len(d.Screens))
	for range dashboardFresh {
		b.sleep(ctx, time.Now().Add(refreshEvery))
		for i := range d.Screens {
			ms, err := ask(i)
			if err != nil {
				stop()
				return errors.Join(err, <-ended)
			}
			times[i] = append(times[i], ms)
		}
	}
	stop()
	for i := range times {
		slices.Sort(times[i])
		d.Screens[i].Refresh = times[i][len(times[i])/2]
	}
	return <-ended
}

// writeTable prints the measurements for people.
func (d *Dashboard) writeTable(t *tabwriter.Writer, left func(string) string) {
	fmt.Fprintf(t, "\n%s\tcold ms\tCPU ms\tagain ms\tCPU ms\trefresh ms\tgzip\t\n", left("first screen of the dashboard"))
	note := func(ms, most float64) string {
		if ms > most {
			return short(ms) + "!"
		}
		return short(ms)
	}
	for _, s := range d.Screens {
		name := fmt.Sprintf("%d days", s.Days)
		cold := screenColdMax
		if s.Compare {
			name, cold = name+", compared", 2*cold
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t\n", left(name), note(s.Cold, cold), short(s.ColdCPU), note(s.Again, screenAgainMax), short(s.CPU), note(s.Refresh, screenRefreshMax), s.Bytes)
	}
	fmt.Fprintf(t, "%s\t\t\t\t\t\t\t\n", left(fmt.Sprintf("refresh: with %.0f events/s; ! misses %.0f, %.0f, %.0f ms", d.Rate, screenColdMax, screenAgainMax, screenRefreshMax)))
}
