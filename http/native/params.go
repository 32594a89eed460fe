package native

import (
	"strconv"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// These are the parameters that several calls have, but for the filters: those are in filterparams.go. A
// row of the table of calls has its other ones itself.

var (
	paramSite       = &param{name: "site", kind: singleKind, component: "site", about: "The site's name. The admin token needs it when there is more than one site."}
	paramRange      = &param{name: "range", kind: singleKind, component: "range", about: "A range by name, in whole days of the site's time zone up to the end of today; `30m` and `24h` end at the last whole minute. Weeks begin on Monday. `7d` is today and the 6 days before, `12mo` is this month and the 11 before. Not together with `from` or `to`; without all three the last 30 days.", ref: "Range", values: calendar.RangeNames}
	paramRangeOfAll = &param{name: "range", kind: singleKind, component: "rangeOfAll", about: "A range by name, in whole days of the site's time zone up to the end of today; `30m` and `24h` end at the last whole minute. Weeks begin on Monday. `7d` is today and the 6 days before, `12mo` is this month and the 11 before. Not together with `from` or `to`; without all three everything.", ref: "Range", values: calendar.RangeNames}
	paramFrom       = &param{name: "from", kind: singleKind, component: "from", about: "Events that happened then or later: a date (a day of the site's time zone), an RFC 3339 time, or Unix time in seconds, milliseconds, microseconds or nanoseconds.", ref: "Moment"}
	paramTo         = &param{name: "to", kind: singleKind, component: "to", about: "Events that happened earlier, in the notation of `from`. With a bare date, events of that day are included. Must be later than `from`.", ref: "Moment"}
	paramMaxAge     = &param{name: "max_age", kind: singleKind, component: "max_age", about: "An answer that was computed at most so many seconds ago will do.", absent: "0", unit: "of seconds ", number: true, least: 0, most: 3600}
	paramCompare    = &param{name: "compare", kind: singleKind, component: "compare", about: "Compare with the period before (`previous`), the same dates a year earlier (`year`), 364 days earlier, so that weekdays match (`year52`), or a range that is given: `FROM..TO`, in the notation of `from` and `to`. While the range goes on, the compared range ends as far into its period as now is into the range. Not with `range=all`.", examples: with(calendar.Comparisons, "2026-10-01..2026-10-31")}
	paramSteps      = &param{name: "interval", kind: singleKind, component: "steps", about: "The steps of the series, at most 1,000. There is a series only when it is given.", values: with(calendar.Intervals, "none"), absent: "none"}
	paramSeries     = &param{name: "interval", kind: singleKind, component: "series", about: "The steps of the series, at most 1,000. By the length of the range when absent; `none` leaves the series out.", values: with(calendar.Intervals, "none")}
	paramRows       = &param{name: "limit", kind: singleKind, component: "rows", about: "Rows of a table. With `format=csv` all rows are given.", number: true, least: 1, most: pageMax, absent: strconv.Itoa(reportLimit)}
	paramCursor     = &param{name: "after", kind: singleKind, component: "cursor", about: "The `next` of the previous page of the same query."}
	paramSearch     = &param{name: "search", kind: singleKind, component: "search", about: "Only rows whose value matches this pattern: `*` is any text, `\\*` a star, case does not count. A text without `*` is looked for anywhere in the value.", bytesMax: searchBytesMax}
	paramRowOrder   = &param{name: "order", kind: singleKind, component: "rowOrder", about: "`desc` when absent, with `sort=value` `asc`.", values: []string{"desc", "asc"}}
	paramAtLeast    = &param{name: "at_least", kind: singleKind, component: "at_least", about: "Rows with fewer visits (`pages`: views; `breakdown`, `aggregate`: events; `shop`: orders) are left out.", number: true, most: countMost, must: countMust}
	paramFormat     = &param{name: "format", kind: singleKind, component: "format", about: "`csv` gives one table as RFC 4180: all of its rows, at most 1,048,576. A text that a spreadsheet would take for a formula begins with an apostrophe. `null` is an empty cell.", values: []string{"json", "csv"}, absent: "json"}
	paramOrder      = &param{name: "order", kind: singleKind, component: "order", about: "`desc`: the newest first.", values: []string{"desc", "asc"}, absent: "desc"}
	paramLimit      = &param{name: "limit", kind: singleKind, component: "limit", about: "How many are on a page.", number: true, least: 1, most: pageMax, absent: strconv.Itoa(pageDefault)}
	paramAfter      = &param{name: "after", kind: singleKind, component: "after", about: "The `next` of the previous page.", ref: "EventID", must: notACursor, valid: publicID}
	paramID         = &param{name: "id", kind: singleKind, component: "id", required: true, about: "Percent-encoded; it may hold any character.", bytesMax: pathIDBytesMax}
	paramMetrics    = inContract("metrics", metricsOf("The numbers to return, separated by commas. All of them when absent. `events` alone costs the least, because most of the work is to count distinct users and sessions.", false, metricNames...))
)

// What two calls of a report share: the numbers, and the people behind them; and what deletions do.
var (
	paramMany   = &param{name: "limit", kind: singleKind, about: "How many are listed.", number: true, least: 1, most: pageMax, absent: strconv.Itoa(pageMax)}
	paramStep   = &param{name: "step", kind: listKind, about: "One step: a percent-encoded query string of plain filters, such as `name%3Dadd_to_cart%26prop.plan%3Dpro`. Given 2 to 10 times, in order.", countMin: query.FunnelStepsMin, countMax: query.FunnelStepsMax, required: true, filter: true}
	paramEntity = &param{name: "entity", kind: singleKind, about: "Whether people or visits go through the steps. Events of nobody are left out.", values: []string{"user", "visit"}, absent: "user"}
	paramMode   = &param{name: "mode", kind: singleKind, about: "`ordered`: each step takes the first later event that satisfies it. `strict`: the same, and between two of them lies no other action, order, goal or cart. `any`: the steps come in any order.", values: funnelModes, absent: funnelModes[0]}
	paramWindow = &param{name: "window", kind: singleKind, about: "How long after the first event of an attempt the last one may lie: a number with `s`, `m`, `h` or `d`, from `30s` to `365d`. `14d` when absent, for visits any time.", pattern: "^[0-9]+[smhd]$", must: "must be a number with s, m, h or d after it, from 30s to 365d", valid: isWindow}
	paramSplit  = &param{name: "split", kind: singleKind, about: "A field, as `by` of `breakdown`. Tells apart by the value in the event that begins the attempt, or in its visit.", field: true}
	paramStart  = &param{name: "start", kind: singleKind, about: "Events that put a person into a cohort; any event when absent. A percent-encoded query string of plain filters.", filter: true}
	paramReturn = &param{name: "return", kind: singleKind, about: "Events that count as a return; any event when absent. A percent-encoded query string of plain filters.", filter: true}
	paramPeriod = &param{name: "period", kind: singleKind, about: "Calendar periods of the site's time zone; weeks begin on Monday. At most 60 in the range.", values: []string{"week", "day", "month"}, absent: "week"}
	paramCohort = &param{name: "cohort", kind: singleKind, about: "`first`: a person belongs to the period of the first start event ever; events before the range are looked at. Without `start` and filters it is the first event that was received. `range`: of the first one in the range. `each`: of every period with a start event.", values: cohorts, absent: cohorts[0]}
	paramCount  = &param{name: "count", kind: singleKind, about: "`on`: who returned in that period. `after`: in that period or a later one.", values: []string{"on", "after"}, absent: "on"}
	paramDryRun = &param{name: "dry_run", kind: singleKind, about: "1 counts what would be deleted, and deletes nothing.", values: []string{"0", "1"}, absent: "0"}
	paramNow    = &param{name: "now", kind: singleKind, about: "1 purges at once: the bytes are gone within about a minute, and so are message ids.", values: []string{"0", "1"}, absent: "0"}
	paramReason = &param{name: "reason", kind: singleKind, about: "A text that stays in the receipt, at most 256 bytes. It should not name the person.", bytesMax: reasonMax, must: reasonMust}
)

// paramCohortAt names a cohort.
var paramCohortAt = &param{name: "at", kind: singleKind, about: "The date of the cohort's period.", format: "date", required: true, must: "must be the date of a cohort's period", valid: isDate}

// paramSiteName and paramKey stand in paths.
var (
	paramSiteName = &param{name: "name", kind: singleKind, required: true, about: "The name of the site."}
	paramKey      = &param{name: "id", kind: singleKind, required: true, about: "The `id` of a key: for one of the configuration or of keys.toml its kind."}
)

// sortBy is the parameter sort of a call whose rows have some numbers, the default first. narrow says that
// the call does not always have all of them.
func sortBy(narrow bool, numbers ...string) *param {
	return &param{name: "sort", kind: singleKind, about: "A number of the rows, or `value`.", values: with(numbers, "value"), absent: numbers[0], narrow: narrow, field: true}
}

// metricsOf is the parameter metrics of a call that has some numbers.
func metricsOf(about string, narrow bool, numbers ...string) *param {
	return &param{name: "metrics", kind: singleKind, about: about, values: numbers, some: true, narrow: narrow}
}

// inContract names the place that a parameter has of its own in the contract.
func inContract(component string, p *param) *param {
	p.component = component
	return p
}

// Sentences about what a parameter must be, and what some must be able to say.
const (
	notACursor = "not a cursor"
	countMust  = "must be a number from 0 to 2^53-1"
	countMost  = 1<<53 - 1
)

var reasonMust = "must be at most " + strconv.Itoa(reasonMax) + " bytes of text"

// savedKinds are the kinds of saved things.
var savedKinds = textsOf(query.SavedKinds)

func textsOf[T ~string](values []T) []string {
	var texts []string
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return texts
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
