package openpanel

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file answers questions about all sessions and about people.

// metrics answers with totals and with a series of them.
func (x *reading) metrics() error {
	from, to, interval, err := x.span()
	if err != nil {
		return err
	}
	conds, rest, err := filtersOf(x.query.last("filters"))
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return dialect.Refuse("filters", "only the operators is, isNot, contains, doesNotContain, isNull and isNotNull can be used here, and on profileId the first two")
	}
	total, steps, err := x.store.Visits(x.ctx, query.Query{From: from, To: to, Where: append(acts(), conds...)}, interval)
	if err != nil {
		return err
	}
	x.out = append(x.out, `{"metrics":{`...)
	x.writeVisits(&total)
	x.out = append(x.out, `},"series":[`...)
	for i := range steps {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = append(x.out, `{"date":`...)
		x.out = time.UnixMilli(steps[i].Time).In(x.zone()).AppendFormat(x.out, `"`+time.RFC3339+`"`)
		x.out = append(x.out, ',')
		x.writeVisits(&steps[i])
		x.out = append(x.out, '}')
	}
	x.out = append(x.out, "]}"...)
	return nil
}

// writeVisits writes the vendor's seven numbers. The rate is in percent; the duration is in
// seconds, and the mean of the sessions that have one. Both have two digits.
func (x *reading) writeVisits(v *query.Visits) {
	ratio := func(a float64, b uint64) float64 {
		if b == 0 {
			return 0
		}
		return math.Round(a/float64(b)*100) / 100
	}
	for i, f := range []struct {
		name string
		n    float64
	}{
		{"bounce_rate", ratio(float64(v.Bounces)*100, v.Sessions)},
		{"unique_visitors", float64(v.Users)},
		{"total_sessions", float64(v.Sessions)},
		{"avg_session_duration", ratio(float64(v.Milliseconds)/1000, v.Timed)},
		{"total_screen_views", float64(v.Views)},
		{"views_per_session", ratio(float64(v.Views), v.Sessions)},
	} {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = append(append(append(x.out, '"'), f.name...), '"', ':')
		x.out = strconv.AppendFloat(x.out, f.n, 'f', -1, 64)
	}
	x.out = strconv.AppendInt(append(x.out, `,"total_revenue":`...), v.Revenue, 10) // a float has too few digits
}

var intervals = []string{"minute", "hour", "day", "week", "month"}

// span is the time that a question is about: startDate and endDate, or the name of a range.
func (x *reading) span() (from, to int64, interval string, err error) {
	name := x.query.last("range")
	now := x.now()
	year, month, day := calendar.Date(calendar.Day(x.req.ReceivedUnixMilli, x.zone())).Date()
	today, tomorrow := x.start(year, month, day), x.start(year, month, day+1)
	soon := now.Add(time.Millisecond)
	var a, b time.Time
	switch name {
	case "", "custom":
		if from, to, err = x.between("startDate", "endDate"); err != nil {
			return 0, 0, "", err
		}
		if a, b, interval = time.UnixMilli(from), time.UnixMilli(to), "day"; from == 0 && to == 0 {
			if name != "" {
				return 0, 0, "", dialect.Refuse("startDate", "and endDate are needed for a custom range")
			}
			a, b = x.start(year, month, day-6), tomorrow
		}
	case "30min":
		a, b, interval = now.Add(-30*time.Minute), soon, "minute"
	case "lastHour":
		a, b, interval = now.Add(-time.Hour), soon, "minute"
	case "last24h":
		a, b, interval = now.Add(-24*time.Hour), soon, "hour"
	case "today":
		a, b, interval = today, tomorrow, "hour"
	case "yesterday":
		a, b, interval = x.start(year, month, day-1), today, "hour"
	case "7d":
		a, b, interval = x.start(year, month, day-6), tomorrow, "day"
	case "30d":
		a, b, interval = x.start(year, month, day-29), tomorrow, "day"
	case "3m":
		a, b, interval = x.start(year, month-3, day+1), tomorrow, "day"
	case "6m":
		a, b, interval = x.start(year, month-6, day+1), tomorrow, "month"
	case "12m":
		a, b, interval = x.start(year-1, month, day+1), tomorrow, "month"
	case "monthToDate":
		a, b, interval = x.start(year, month, 1), tomorrow, "day"
	case "lastMonth":
		a, b, interval = x.start(year, month-1, 1), x.start(year, month, 1), "day"
	case "yearToDate":
		a, b, interval = x.start(year, 1, 1), tomorrow, "month"
	case "lastYear":
		a, b, interval = x.start(year-1, 1, 1), x.start(year, 1, 1), "month"
	default:
		return 0, 0, "", dialect.Refuse("range", "must be one of 30min, lastHour, last24h, today, yesterday, 7d, 30d, 3m, 6m, 12m, monthToDate, lastMonth, yearToDate, lastYear, custom")
	}
	if asked := x.query.last("interval"); asked != "" {
		if !slices.Contains(intervals, asked) {
			return 0, 0, "", dialect.Refuse("interval", "must be one of "+strings.Join(intervals, ", "))
		}
		interval = asked
	}
	return a.UnixMilli(), b.UnixMilli(), interval, nil
}

// start is the first instant of a day in the site's zone. Days and months may be out of
// range, as in time.Date.
func (x *reading) start(year int, month time.Month, day int) time.Time {
	return calendar.DayStart(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), x.zone())
}

// profiles lists people by their first event, newest first. "next" is the cursor of the next
// page, null on the last.
func (x *reading) profiles() error {
	limit, err := x.query.number("limit", pageDefault, 1, pageMax)
	if err != nil {
		return err
	}
	users, next, err := x.store.Users(x.ctx, query.Query{Limit: limit, After: x.query.last("cursor")})
	if err != nil {
		return err
	}
	x.out = append(x.out, `{"data":[`...)
	for i := range users {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		if err := x.writeProfile(&users[i]); err != nil {
			return err
		}
	}
	x.out = append(x.out, `],"next":`...)
	if next == "" {
		x.out = append(x.out, "null}"...)
		return nil
	}
	x.out = append(event.AppendString(x.out, next), '}')
	return nil
}

// profile is one person.
func (x *reading) profile(id string) error {
	u, err := x.store.User(x.ctx, id)
	if err != nil {
		return err
	}
	return x.writeProfile(&u)
}

// sessions lists the sessions of a person, newest first.
func (x *reading) sessions(id string) error {
	limit, err := x.query.number("limit", pageDefault, 1, pageMax)
	if err != nil {
		return err
	}
	if _, err := x.store.User(x.ctx, id); err != nil {
		return err
	}
	sessions, next, err := x.store.Sessions(x.ctx, query.Query{Limit: limit, After: x.query.last("cursor"),
		Where: []query.Cond{{Field: "user", Values: []string{id}}}})
	if err != nil {
		return err
	}
	x.out = append(x.out, `{"data":[`...)
	for i := range sessions {
		s := &sessions[i]
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.open("id", s.ID)
		x.text("profileId", s.User)
		x.text("deviceId", s.Anonymous)
		x.moments("createdAt", s.Start)
		x.moments("endedAt", s.End)
		x.value("duration", event.Num(strconv.FormatInt(s.End-s.Start, 10)))
		x.value("events", event.Num(strconv.FormatUint(s.Events, 10)))
		x.value("isBounce", event.Boolean(s.Bounce))
		x.text("entryPath", pathOf(s.Entry))
		x.text("exitPath", pathOf(s.Exit))
		x.text("referrer", s.Referrer)
		x.list("groups", s.Groups)
		x.text("key", s.Cursor)
		x.out = append(x.out, '}')
	}
	x.out = append(x.out, `],"next":`...)
	if next == "" {
		x.out = append(x.out, "null}"...)
	} else {
		x.out = append(event.AppendString(x.out, next), '}')
	}
	return nil
}

// profileOf is the profile of an event as JSON. It is read once for each page.
func (x *reading) profileOf(known map[string][]byte, e *event.Event) ([]byte, error) {
	id := profileID(e)
	if id == "" {
		return []byte("null"), nil
	}
	if p, ok := known[id]; ok {
		return p, nil
	}
	u, err := x.store.User(x.ctx, id)
	if err != nil {
		return nil, err
	}
	at := len(x.out)
	if err := x.writeProfile(&u); err != nil {
		return nil, err
	}
	known[id] = append([]byte(nil), x.out[at:]...)
	x.out = x.out[:at]
	return known[id], nil
}

// fromRequest are the fields that a profile takes from the newest event of one of the
// person's devices, unless identify set them. A server's events have no browser, system or
// kind of device, so they change none of these.
var fromRequest = []string{"country", "region", "city", "longitude", "latitude", "os", "os_version", "browser", "browser_version", "device", "brand", "model"}

// writeProfile writes a person: the fields that identify knows by name, and the others in
// properties.
func (x *reading) writeProfile(u *query.User) error {
	properties := append(event.Object(nil), u.Properties...)
	x.open("id", u.ID)
	for _, key := range []string{"firstName", "lastName", "email", "avatar"} {
		v := properties.Get(key)
		properties.Delete(key)
		if key == "avatar" && !isURL(v.Text) {
			v = event.Value{} // from properties, or from another dialect: readers link it
		}
		x.text(key, stringOf(v))
	}
	page, err := x.store.List(x.ctx, query.Query{Limit: 1, Where: []query.Cond{
		{Field: "user", Values: []string{u.ID}},
		{Field: "device", Values: []string{"desktop", "smartphone", "tablet", "tv", "console", "wearable", "car"}},
	}})
	if err != nil {
		return err
	}
	for _, e := range page.Events {
		for _, key := range fromRequest {
			if v := e.Context.Get(key); v.Kind != event.Absent && properties.Get(key).Kind == event.Absent {
				properties = append(properties, event.Member{Key: key, Value: v})
			}
		}
	}
	slices.SortFunc(properties, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	x.object("properties", properties)
	x.list("groups", u.Groups)
	x.list("devices", u.Anonymous)
	x.value("isExternal", event.Boolean(!slices.Contains(u.Anonymous, u.ID)))
	x.moments("createdAt", u.FirstSeen)
	x.moments("lastSeenAt", u.LastSeen)
	x.out = append(x.out, '}')
	return nil
}
