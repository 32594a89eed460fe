package native

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/native/nativetest"
)

const rowsDay = "&from=2026-11-21&to=2026-11-21"

const rowsFrameBefore = `{"site":"shop","zone":"UTC","from":"2026-11-20T00:00:00.000Z","to":"2026-11-21T00:00:00.000Z","until":"2026-11-21T00:00:00.000Z","as_of":{"time":"2026-11-21T00:00:00.005Z","seq":42}`

const rowsFrame = `{"site":"shop","zone":"UTC","from":"2026-11-21T00:00:00.000Z","to":"2026-11-22T00:00:00.000Z","until":"2026-11-21T00:00:00.005Z","as_of":{"time":"2026-11-21T00:00:00.005Z","seq":42}`

// rowsBefore is a range that is over, so that all of the compared range counts.
const rowsBefore = "&from=2026-11-20&to=2026-11-20"

var rowsSpan = fmt.Sprintf("[%d,%d)", nativetest.SomeDay, nativetest.SomeDay+86_400_000)

// Each row is a target and what the engine is asked.
func TestRowQuestions(t *testing.T) {
	for _, c := range []struct{ target, asked string }{
		{"breakdown?by=prop.plan", "breakdown shop " + rowsSpan + ` steps 0 by ["prop.plan"] metrics 0 sort events limit 10`},
		{"breakdown?by=visit.source&by=timezone&metrics=users&country!=DE", `breakdown shop country not ["DE"] ` + rowsSpan + ` steps 0 by ["visit.source" "timezone"] metrics 10 sort users limit 10`},
		{"breakdown?by=context.country&by=prop.a!&sort=share&order=asc&limit=3&search=x&at_least=2&interval=day&compare=previous" + rowsBefore, fmt.Sprintf(`breakdown shop [%d,%d) steps 1 before [%d,%d) steps 1 by ["country" "prop.a!"] metrics 0 sort share asc limit 3 search x at least 2 offset 0`, nativetest.SomeDay-86_400_000, nativetest.SomeDay, nativetest.SomeDay-2*86_400_000, nativetest.SomeDay-86_400_000)},
		{"aggregate?of=value", "aggregate shop " + rowsSpan + ` steps 0 of value by "" ranks true sort count limit 10`},
		{"aggregate?of=prop.amount&by=visit.country&metrics=sum,avg&interval=day&limit=20", "aggregate shop " + rowsSpan + ` steps 1 of prop.amount by "visit.country" ranks false sort sum limit 20`},
		{"fields?search=amo", "fields shop " + rowsSpan + ` steps 0 search "amo" limit 1000`},
		{"values?field=context.country&search=d&limit=5&type=page", `values of breakdown shop type=["page"] ` + rowsSpan + ` steps 0 by ["country"] metrics 1 sort  limit 5 search d at least 0 offset 0`},
	} {
		n := nativetest.Full()
		if res := call(t, n, "UTC", "GET", "/api/v1/"+withDay(c.target)); res.Status != 200 || n.Asked != c.asked {
			t.Errorf("%s: %d %.200s\nasked %s\nwant  %s", c.target, res.Status, res.Body, n.Asked, c.asked)
		}
	}
	n := nativetest.Full()
	sheet(t, n, "/api/v1/breakdown?by=weekhour&format=csv&interval=day"+rowsDay)
	if want := "breakdown my shop/1 " + rowsSpan + ` steps 0 by ["weekhour"] metrics 0 sort events limit 1048576`; n.Asked != want {
		t.Errorf("a table: asked %s", n.Asked)
	}
}

// withDay adds a range to a target that names none.
func withDay(target string) string {
	if strings.Contains(target, "from=") {
		return target
	}
	return target + rowsDay
}

func TestRowAnswers(t *testing.T) {
	rows := `"rows":[{"value":"IL","in":{"country":"US"},"events":6,"users":3,"sessions":4,"share":0.6667},{"value":null,"events":2,"users":0,"sessions":0,"share":0.2222}],"total":{"events":9,"users":4,"sessions":5},"count":3`
	for _, c := range []struct{ target, want string }{
		{"breakdown?by=region", rowsFrame + "," + rows + `,"next":"NEXT"}`},
		{"breakdown?by=region&by=prop.plan&metrics=events&interval=day&compare=previous" + rowsBefore, rowsFrameBefore +
			`,"rows":[{"value":"IL","with":"a\u003cb","in":{"country":"US"},"events":6,"share":0.6667,"was":{"events":1,"share":0.5}},{"value":null,"with":null,"events":2,"share":0.2222,"was":{"events":0,"share":0}}],"total":{"events":9},"count":3,"next":"NEXT"` +
			`,"interval":"day","series":[{"value":"IL","with":"a\u003cb","in":{"country":"US"},"steps":[{"time":"2026-11-20T00:00:00.000Z","events":6,"partial":false}]},{"value":null,"with":null,"steps":[{"time":"2026-11-20T00:00:00.000Z","events":0,"partial":false}]},{"other":true,"steps":[{"time":"2026-11-20T00:00:00.000Z","events":1,"partial":false}]}]` +
			`,"compare":{"from":"2026-11-19T00:00:00.000Z","to":"2026-11-20T00:00:00.000Z","total":{"events":2},"series":[{"value":"IL","with":"a\u003cb","in":{"country":"US"},"steps":[{"time":"2026-11-19T00:00:00.000Z","events":1,"partial":false}]},{"value":null,"with":null,"steps":[{"time":"2026-11-19T00:00:00.000Z","events":0,"partial":false}]},{"other":true,"steps":[{"time":"2026-11-19T00:00:00.000Z","events":0,"partial":false}]}]}}`},
		{"aggregate?of=value", rowsFrame + `,"total":{` + allNumbers + `},"rows":[],"count":3,"next":null,"exact":{"sum":true,"percentiles":true}}`},
		{"aggregate?of=value&metrics=sum,distinct&interval=day", rowsFrame + `,"total":{"sum":100.25,"distinct":2,"not_numbers":1},"rows":[],"count":3,"next":null,"exact":{"sum":true,"percentiles":true},"interval":"day","series":[{"time":"2026-11-21T00:00:00.000Z","sum":100,"distinct":2,"not_numbers":1,"partial":true}]}`},
		{"aggregate?of=value&by=region&interval=day&metrics=count&compare=previous" + rowsBefore, rowsFrameBefore + `,"total":{"count":3,"not_numbers":1},"rows":[{"value":"IL","in":{"country":null},"count":3,"not_numbers":1,"was":{"count":0,"not_numbers":0}},{"value":null,"count":0,"not_numbers":0,"was":{"count":0,"not_numbers":0}}],"count":3,"next":"NEXT","exact":{"sum":true,"percentiles":true}` +
			`,"interval":"day","series":[{"value":"IL","in":{"country":null},"steps":[{"time":"2026-11-20T00:00:00.000Z","count":3,"not_numbers":1,"partial":false}]},{"value":null,"steps":[{"time":"2026-11-20T00:00:00.000Z","count":0,"not_numbers":0,"partial":false}]},{"other":true,"steps":[{"time":"2026-11-20T00:00:00.000Z","count":3,"not_numbers":1,"partial":false}]}]` +
			`,"compare":{"from":"2026-11-19T00:00:00.000Z","to":"2026-11-20T00:00:00.000Z","total":{"count":0,"not_numbers":0},"series":[{"value":"IL","in":{"country":null},"steps":[{"time":"2026-11-19T00:00:00.000Z","count":0,"not_numbers":0,"partial":false}]},{"value":null,"steps":[{"time":"2026-11-19T00:00:00.000Z","count":0,"not_numbers":0,"partial":false}]},{"other":true,"steps":[{"time":"2026-11-19T00:00:00.000Z","count":0,"not_numbers":0,"partial":false}]}]}}`},
		{"fields?limit=5", rowsFrame + `,"fields":[{"field":"name","kind":"core","values_about":2,"numbers":false,"examples":["a\u003cb","c"]},{"field":"prop.amount","kind":"property","values_about":300,"numbers":true,"examples":[]}],"more":true}`},
		{"values?field=region", rowsFrame + `,"rows":[{"value":"IL","in":{"country":"US"},"events":6},{"value":null,"events":2}],"count":3,"next":"NEXT"}`},
	} {
		n := nativetest.Full()
		n.AsOf = query.AsOf{Time: nativetest.SomeDay + 5, Seq: 42}
		res := call(t, n, "UTC", "GET", "/api/v1/"+withDay(c.target))
		got := string(res.Body)
		if _, rest, ok := strings.Cut(got, `"next":"`); ok {
			cursor, _, _ := strings.Cut(rest, `"`)
			got = strings.Replace(got, cursor, "NEXT", 1)
		}
		if res.Status != 200 || got != c.want+"\n" {
			t.Errorf("%s: %d\n got %s\nwant %s", c.target, res.Status, got, c.want)
		}
	}
	n := nativetest.Full()
	n.BreakdownAnswer.Whole = true
	if res := call(t, n, "UTC", "GET", "/api/v1/breakdown?by=hour&limit=1"); !strings.Contains(string(res.Body), `"count":3,"next":null}`) {
		t.Errorf("a dimension that comes whole has no next page: %s", res.Body)
	}
}

// allNumbers are all numbers of the total of nativetest's aggregate.
const allNumbers = `"count":3,"sum":100.25,"avg":33.416667,"min":-0.5,"max":100,"p50":7,"p90":100,"p95":100,"p99":100,"distinct":2,"not_numbers":1`

// What is not exact says so.
func TestAggregateExact(t *testing.T) {
	n := nativetest.Full()
	n.AggregateAnswer.Error = 0.005
	n.AggregateAnswer.Total.Sum.Add("1000000000000000000")
	res := call(t, n, "UTC", "GET", "/api/v1/aggregate?of=value&metrics=sum,distinct"+rowsDay)
	if got := string(res.Body); !strings.Contains(got, `,"distinct":null,"not_numbers":1}`) || !strings.Contains(got, `"exact":{"sum":false,"percentiles":false,"error":0.005}`) {
		t.Error(got)
	}
	n.AggregateAnswer = nil
	res = call(t, n, "UTC", "GET", "/api/v1/aggregate?of=value"+rowsDay)
	if got := string(res.Body); !strings.Contains(got, `"total":{"count":0,"sum":0,"avg":null,"min":null,"max":null,"p50":null,"p90":null,"p95":null,"p99":null,"distinct":0,"not_numbers":0}`) {
		t.Error(got)
	}
}

func TestRowTables(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"breakdown?by=region", "value,in_country,events,users,sessions,share\r\nIL,US,6,3,4,0.6667\r\n,,2,0,0,0.2222\r\n"},
		{"breakdown?by=region&by=name&metrics=users&compare=previous&interval=day", "value,with,in_country,users,was_users\r\nIL,a<b,US,3,1\r\n,,,0,0\r\n"},
		{"aggregate?of=value&by=region&metrics=sum,p50&interval=day", "value,in_country,sum,p50,not_numbers\r\nIL,,1,7,1\r\n,,0,,0\r\n"},
		{"aggregate?of=value&metrics=sum&interval=day", "time,sum,not_numbers,partial\r\n2026-11-21T00:00:00.000Z,100,1,false\r\n"},
	} {
		if got := sheet(t, nativetest.Full(), "/api/v1/"+withDay(c.target)+"&format=csv"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.target, got, c.want)
		}
	}
}

// Each wrong parameter is refused by its name.
func TestRowRefusals(t *testing.T) {
	for _, c := range []struct{ target, field string }{
		{"breakdown", "by"}, {"breakdown?by=name&by=type&by=user", "by"}, {"breakdown?by=name&by=name", "by"}, {"breakdown?by=country&by=context.country", "by"},
		{"breakdown?by=colour", "by"}, {"breakdown?by=prop.", "by"}, {"breakdown?by=visit.colour", "by"}, {"breakdown?by=has", "by"}, {"breakdown?by=context.colour", "by"}, {"breakdown?by=visit.visit.source", "by"},
		{"breakdown?by=name&metrics=visits", "metrics"}, {"breakdown?by=name&sort=visits", "sort"}, {"breakdown?by=name&metrics=users&sort=events", "sort"},
		{"breakdown?by=name&interval=day&limit=21", "limit"}, {"breakdown?by=name&range=all&compare=previous", "compare"}, {"breakdown?by=name&after=x", "after"},
		{"fields?limit=1001", "limit"}, {"fields?country=DE", "country"}, {"values", "field"}, {"values?field=colour", "field"}, {"values?field=name&sort=value", "sort"}, {"values?field=name&after=x", "after"},
		{"aggregate", "of"}, {"aggregate?of=name", "of"}, {"aggregate?of=prop.", "of"}, {"aggregate?of=country", "of"}, {"aggregate?of=context.country", "of"}, {"aggregate?of=visit.value", "of"},
		{"aggregate?of=value&by=name&by=type", "by"}, {"aggregate?of=value&metrics=p51", "metrics"}, {"aggregate?of=value&sort=events", "sort"}, {"aggregate?of=value&by=name&interval=day&limit=21", "limit"}, {"aggregate?of=value&format=csv", "format"},
	} {
		res := call(t, nativetest.Full(), "UTC", "GET", "/api/v1/"+c.target)
		if got := errorOf(t, res); res.Status != 400 || got.Field != c.field {
			t.Errorf("%.80s: %d %s", c.target, res.Status, res.Body)
		}
	}
}

// Who has the answer already is not sent it again.
func TestRowTags(t *testing.T) {
	for _, target := range []string{"breakdown?by=name", "aggregate?of=value", "fields?limit=1", "values?field=name"} {
		n := nativetest.Full()
		n.AsOf.Tag = "t1"
		tag := ""
		for _, h := range call(t, n, "UTC", "GET", "/api/v1/"+target).Header {
			if h[0] == "ETag" {
				tag = h[1]
			}
		}
		n.AsOf.Same = true
		res, err := ask(t, n, "/api/v1/"+target, map[string]string{"If-None-Match": tag})
		if err != nil || tag == "" || res.Status != 304 || len(res.Body) > 0 {
			t.Errorf("%s: %q, then %d %s, %v", target, tag, res.Status, res.Body, err)
		}
	}
}
