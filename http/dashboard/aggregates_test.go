package dashboard

import (
	"net/url"
	"strings"
	"testing"
)

const madeNumbers = `{"from":"2026-10-31T00:00:00.000Z","to":"2026-11-30T00:00:00.000Z","as_of":{"time":"2026-11-29T13:59:00.000Z"},
"total":{"count":54842,"not_numbers":12,"sum":3295762.13,"avg":60.095586,"min":-0.0125,"max":12345678.5,"p50":41.81,"p90":138.23,"p95":1,"p99":279.05,"distinct":9},
"rows":[{"value":"a","count":5,"sum":10.5,"avg":2.1,"min":1,"max":4,"p50":2,"p90":4,"p99":4,"was":{"count":4,"sum":21}},{"value":null,"count":1,"sum":0.25}],"count":2,"next":null,
"exact":{"sum":true,"percentiles":true},"interval":"day","series":[{"time":"2026-11-27T00:00:00.000Z","count":5,"sum":100},{"time":"2026-11-28T00:00:00.000Z","count":0,"sum":0,"avg":null}],
"compare":{"from":"2026-10-01T00:00:00.000Z","to":"2026-10-31T00:00:00.000Z","total":{"count":50000,"sum":3000000},"series":[{"time":"2026-10-01T00:00:00.000Z","sum":90}]}}`

func TestNumbers(t *testing.T) {
	r := &made{answers: map[string]string{"aggregate": madeNumbers, "fields": `{"fields":[{"field":"prop.plan"},{"field":"prop.amount","numbers":true},{"field":"value","numbers":true},{"field":"os_version","numbers":true}]}`}}
	_, _, page := look(t, r, "numbers?_metric=sum&by=prop.plan&interval=day")
	shows(t, page, "Numbers of", `value="value" selected`, `value="prop.amount">amount`, `label="Other properties"`, "Count", "54,842", "9.7 %", "3,295,762.13", "Sum", "3.3 M", "Mean", "60.1", "Least", "−0.0125", "Greatest", "12.3 M",
		"Median", "41.81", "p90", "138.23", "p99", "279.05", "12 are no numbers", "Sum over time", `role="img"`, "format=csv", "By plan", "Sum", "Count", "prop.plan=a", "10.5", "50 %", "(none)", "0.25")
	if strings.Contains(page, "≈") {
		t.Error("it is exact")
	}
	var course, rows state
	for _, q := range r.all("aggregate") {
		if q.has("by") {
			rows = q
		} else {
			course = q
		}
	}
	if course.get("of") != "value" || course.get("interval") != "day" || course.get("compare") != "previous" {
		t.Errorf("asked %q", course)
	}
	if rows.get("of") != "value" || rows.get("by") != "prop.plan" || rows.get("sort") != "sum" || rows.has("interval") {
		t.Errorf("asked %q", rows)
	}
}

// What is not exact says so, beside the numbers that it concerns.
func TestNumbersNotExact(t *testing.T) {
	for exact, want := range map[string][]string{
		`{"sum":false,"percentiles":true}`:               {"≈ 3.3 M", "≈ 60.1", textSumInexact},
		`{"sum":true,"percentiles":false,"error":0.005}`: {"≈ 41.81", "≈ 138.23", "≈ 279.05", textRanksInexact + "0.5 %."},
	} {
		r := &made{answers: map[string]string{"aggregate": strings.Replace(madeNumbers, `{"sum":true,"percentiles":true}`, exact, 1)}}
		_, _, page := look(t, r, "numbers?of=value")
		shows(t, page, want...)
		if n := strings.Count(page, "≈"); n != len(want) {
			t.Errorf("%s: %d times ≈", exact, n)
		}
	}
}

// Without a field it is the value, unless another one alone holds numbers.
func TestNumbersOf(t *testing.T) {
	for fields, want := range map[string]string{
		`{"field":"prop.amount","numbers":true},{"field":"value","numbers":true}`:                                        "value",
		`{"field":"os_version","numbers":true},{"field":"value","numbers":false},{"field":"prop.amount","numbers":true}`: "prop.amount",
		`{"field":"prop.plan"}`: "value",
	} {
		r := &made{answers: map[string]string{"aggregate": madeNumbers, "fields": `{"fields":[` + fields + `]}`}}
		look(t, r, "numbers")
		if got := r.one(t, "aggregate").get("of"); got != want {
			t.Errorf("%s: of %s", fields, got)
		}
	}
}

func TestNumbersStates(t *testing.T) {
	for name, c := range map[string]struct{ query, answer, want string }{
		"texts":   {"of=prop.plan", `{"total":{"count":0,"not_numbers":693},"rows":[],"exact":{"sum":true,"percentiles":true}}`, "“plan” holds 693 texts and no numbers"},
		"nothing": {"of=prop.x", `{"total":{"count":0,"not_numbers":0},"rows":[],"exact":{"sum":true,"percentiles":true}}`, "No event has “x”"},
		"refused": {"of=name", `400 {"error":"of: must be value, prop.PATH or extra.PATH","field":"of"}`, "must be value, prop.PATH"},
		"hostile": {"of=" + url.QueryEscape("prop."+hostileText) + "&by=" + url.QueryEscape("prop."+hostileText), madeNumbers, "By &lt;script&gt;alert(1)"},
	} {
		r := &made{answers: map[string]string{"aggregate": c.answer, "site": `{"name":"shop","first":"2026-01-01T00:00:00Z","events":5}`}}
		if status, _, page := look(t, r, "numbers?"+c.query); status != 200 || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, %q is not there:\n%s", name, status, c.want, page)
		}
	}
}

func TestNumbersForm(t *testing.T) {
	if got := redirected(t, &made{}, "numbers", url.Values{"range": {"7d"}, "of": {"prop.a"}, "by": {""}, "sort": {"sum"}, "after": {"x"}}).String(); got != "of=prop.a&range=7d" {
		t.Error(got)
	}
}
