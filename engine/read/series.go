// Series: the events, users and sessions of each step of time.

package read

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// checkInterval returns an error that wraps query.ErrBadQuery for an unknown interval.
func checkInterval(interval string) error {
	switch interval {
	case "minute", "hour", "day", "week", "month":
		return nil
	}
	return query.Bad("interval", "must be one of minute, hour, day, week, month")
}

// seriesSteps is how many steps a series without a beginning has at most. It is below
// BucketsMax, because some steps are shorter than stepMillis.
const seriesSteps = calendar.BucketsMax - calendar.BucketsMax/50

// stepMillis is about how long the steps of an interval are.
var stepMillis = map[string]int64{
	"minute": 60_000, "hour": 3_600_000, "day": calendar.DayMillis, "week": 7 * calendar.DayMillis, "month": 30 * calendar.DayMillis,
}

// Series returns the totals of the events that q selects for each minute, hour, day, week or
// month in loc; nil is UTC. Without From or To the series begins with the first event or
// ends with the last one. The caller owns the result.
func (rd *Reader) Series(ctx context.Context, q query.Query, interval string, loc *time.Location) ([]query.Bucket, error) {
	if err := checkInterval(interval); err != nil {
		return nil, err
	}
	v := rd.view(ctx, q.Site)
	defer v.Close()
	size := func(b []query.Bucket) int { return 32 * len(b) }
	ask := rd.ask(&q, "series "+interval+" "+zoneName(loc))
	again := rd.results.has(ask.key)
	buckets, err := keep(rd.results, v, ask, q.Fresh, size, func() ([]query.Bucket, error) { return rd.series(v, q, interval, loc, again) })
	return slices.Clone(buckets), err
}

// series computes an answer of Series. again says that the question was asked before.
func (rd *Reader) series(v *view, q query.Query, interval string, loc *time.Location, again bool) ([]query.Bucket, error) {
	pred, err := plan(v, q.Where, q.From, q.To)
	if err != nil {
		return nil, err
	}
	from, to := q.From, q.To
	if from == 0 || to == 0 {
		first, last, any, err := v.span(pred, from == 0, to == 0, rd.keptRuns(v, q.Where, "span", again))
		if err != nil || !any {
			return nil, err
		}
		if to == 0 {
			to = last + 1
		}
		if from == 0 {
			// One event of long ago must not make a series without a range impossible.
			from = max(first, to-seriesSteps*stepMillis[interval])
			pred = pred.between(from, to)
		}
	}
	starts, ok := calendar.BucketTimes(from, to, interval, loc)
	if !ok {
		return nil, query.Bad("interval", "more than %d intervals; ask about a shorter time, with from and to", calendar.BucketsMax)
	}
	if len(starts) == 0 {
		return nil, nil
	}
	buckets := make([]query.Bucket, len(starts))
	for i := range buckets {
		buckets[i].Time = starts[i]
	}
	if !q.Metrics.Has(query.MetricUsers) && !q.Metrics.Has(query.MetricSessions) {
		return buckets, v.countBuckets(pred, starts, buckets, rd.keptRuns(v, q.Where, "quarters", again))
	}
	what := fmt.Sprintf("steps %s %s %d", interval, zoneName(loc), q.Metrics)
	return buckets, v.countSteps(pred, starts, buckets, q.Metrics, what, rd.keptRuns(v, q.Where, what, again))
}

// bucketAt returns a function that returns the index of the bucket a time is in, or -1.
func bucketAt(starts []int64) func(at int64) int {
	last := 0 // most times are in the same bucket as the time before
	return func(at int64) int {
		if at < starts[last] || last+1 < len(starts) && at >= starts[last+1] {
			i := sort.Search(len(starts), func(i int) bool { return starts[i] > at }) - 1
			if i < 0 {
				return -1
			}
			last = i
		}
		return last
	}
}
