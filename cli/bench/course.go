package bench

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// This file measures the speed of each tenth of a fill. It shows whether a store gets slower
// as it grows.

const courseParts = 10

// leg is one part of a fill.
type leg struct {
	Events          int64   `json:"events"` // sent by this fill before this part
	EventsPerSecond float64 `json:"events_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_event"` // of the server
	RSS             int64   `json:"rss_bytes"`        // at the end of this part
}

// courseTick is the time between two looks at a running fill.
const courseTick = 50 * time.Millisecond

// watchCourse looks at a fill of this many events at every tick until stop is called. stop
// returns the legs, or none if the fill was too short to be divided.
func watchCourse(pid int, events int64, sent *quota, tick <-chan time.Time) (stop func() []leg) {
	type point struct {
		at     time.Time
		events int64
		Usage
	}
	look := func() point { return point{time.Now(), min(sent.taken.Load(), events), ReadUsage(pid)} }
	quit, done := make(chan struct{}), make(chan []point)
	go func() {
		points := []point{look()}
		for {
			select {
			case <-quit:
				done <- append(points, look())
				return
			case <-tick:
				if sent.taken.Load()*courseParts/events >= int64(len(points)) && len(points) < courseParts {
					points = append(points, look())
				}
			}
		}
	}()
	return func() (legs []leg) {
		close(quit)
		points := <-done
		if len(points) != courseParts+1 {
			return nil
		}
		for i, p := range points[1:] {
			before := points[i]
			n := max(1, float64(p.events-before.events))
			legs = append(legs, leg{
				before.events, n / p.at.Sub(before.at).Seconds(), float64((p.CPU - before.CPU).Microseconds()) / n, p.RSS,
			})
		}
		return legs
	}
}

// writeCourse prints the legs of a fill.
func (r *Report) writeCourse(t *tabwriter.Writer, left func(string) string, legs []leg) {
	fmt.Fprintf(t, "\n%s\tevents/s\tCPU µs/event\tRSS\t\n", left("the fill, from"))
	for _, l := range legs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", left(humanize.Comma(l.Events)+" events"), humanize.Comma(int64(l.EventsPerSecond)), r.cpu(l.CPUMicros), humanize.IBytesN(uint64(l.RSS), 3))
	}
	t.Flush()
}
