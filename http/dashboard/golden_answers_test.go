package dashboard

import (
	"maps"
	"strings"
)

// This file has what the golden screens show. Answers are short, so that the files can be read: two
// rows of a table, three steps of a chart. What other tests have made up is taken from there.

const (
	goldenRows = `"rows":[{"value":"DE","visits":2000,"visitors":1000,"views":3000,"events":900,"users":800,"entries":3,"exits":4,"bounce_rate":0.4438,"exit_rate":0.25,"time":79.3,"duration":223.3,"share":0.1,"goal_value":12.5,
		"was":{"visits":1900,"visitors":1100,"views":7,"bounce_rate":0.5,"duration":200}},
		{"value":null,"visits":20,"visitors":10,"views":30,"events":9,"users":8,"entries":0,"exits":0,"bounce_rate":0,"exit_rate":0,"time":0,"duration":0,"share":0.01,"goal_value":0}],"count":12,"next":"n2"`
	goldenFrame = `"zone":"UTC","from":"2026-11-27T00:00:00.000Z","to":"2026-11-30T00:00:00.000Z","until":"2026-11-29T18:00:00.000Z","as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9}`
	goldenSteps = `[{"time":"2026-11-27T00:00:00.000Z","visits":120,"visitors":100,"views":300,"events":9,"count":5,"sum":100,"bounces":3,"duration":99.5,"partial":false},
		{"time":"2026-11-28T00:00:00.000Z","visits":130,"visitors":90,"views":310,"events":8,"count":4,"sum":90,"bounces":4,"duration":89.5,"partial":false},
		{"time":"2026-11-29T00:00:00.000Z","visits":40,"visitors":30,"views":90,"events":3,"count":2,"sum":30,"bounces":1,"duration":59.5,"partial":true}]`
	goldenTotal  = `{"visits":290,"visitors":220,"views":700,"events":20,"users":9,"bounces":8,"bounce_rate":0.0276,"views_per_visit":2.41,"duration":82.8,"conversions":7,"conversion_rate":0.024}`
	goldenVisits = `{` + goldenFrame + `,"total":` + goldenTotal + `,"interval":"day","series":` + goldenSteps + `,
		"by":{"channel":{` + goldenRows + `},"country":{` + goldenRows + `},"browser":{` + goldenRows + `},"source":{` + goldenRows + `},"weekhour":{"rows":[{"value":"1-00","visits":4},{"value":"7-23","visits":9}],"count":2,"next":null}},
		"compare":{"from":"2026-11-24T00:00:00.000Z","to":"2026-11-26T18:00:00.000Z","total":{"visits":280,"visitors":230,"views":700,"bounce_rate":0.5,"views_per_visit":2.5,"duration":80,"conversions":0,"conversion_rate":0},"series":[{"time":"2026-11-24T00:00:00.000Z","visits":100,"visitors":80,"views":1,"duration":1}]}}`
	goldenTable = `{` + goldenFrame + `,"total":{"events":20,"users":9},` + goldenRows + `}`
	goldenGoals = `{` + goldenFrame + `,"goals":[{"name":"Signed up","query":"name=signup","visitors":7,"conversions":9,"conversion_rate":0.03,"value":null}],"count":1,"next":null}`
	goldenSaved = `{"saved":[{"id":"f1","kind":"filter","name":"From Germany","query":"visit.country=DE","revision":1},{"id":"g1","kind":"goal","name":"Signed up","query":"name=signup","revision":1},
		{"id":"u1","kind":"funnel","name":"To a sign-up","query":"step=name%3Da&step=name%3Db&step=type%3Dorder","revision":2},
		{"id":"s1","kind":"share","name":"Board","scope":"numbers","embed":["https://intranet.example"],"expires":"2026-12-31","revision":1},
		{"id":"n1","kind":"note","name":"","time":"2026-11-28T00:00:00.000Z","text":"A new home page","revision":1}]}`
	goldenFields = `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},"fields":[{"field":"prop.plan","kind":"property","examples":["free","pro"]},{"field":"prop.amount","kind":"property","numbers":true,"examples":["1"]},{"field":"name","kind":"core","examples":["signup"]}]}`
	goldenValues = `{"rows":[{"value":"signup","events":7,"users":3},{"value":null,"events":1,"users":1}],"count":3,"next":"x"}`
	goldenSeries = `{` + goldenFrame + `,"interval":"day","buckets":[{"time":"2026-11-28T00:00:00.000Z","events":3},{"time":"2026-11-29T00:00:00.000Z","events":1}]}`
	goldenSite   = `{"name":"shop","zone":"UTC","first":"2026-01-01T00:00:00.000Z","last":"2026-11-29T18:00:00.000Z","events":9,"dialects":["native","matomo"],"shop":true,"geo":"country","refused":{"name":3}}`
	madeSites    = `{"sites":[{"name":"shop","first":"2026-01-01T00:00:00Z","today":{"visits":5,"visitors":4},"yesterday":{"visits":4,"visitors":3},"days":[{"time":"2026-11-28T00:00:00Z","visitors":3},{"time":"2026-11-29T00:00:00Z","visitors":4}],"now":2},
		{"name":"blog","first":null,"today":{"visits":0,"visitors":0},"yesterday":{"visits":0,"visitors":0},"days":[],"now":0}],"next":"n2"}`
	goldenEntities = `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},"entities":["ada","x/y?z"],"next":"n2"}`
)

func goldenScreens() []goldenScreen {
	overview := map[string]string{"visits": goldenVisits, "pages": goldenTable, "breakdown": goldenTable, "fields": goldenFields, "values": goldenValues, "goals": goldenGoals, "live": `{"visitors":37}`, "saved": goldenSaved, "paths": madePaths}
	person := map[string]string{}
	for call, text := range peopleMade().answers {
		person[strings.Replace(call, "ann@example.com", "ann", 1)] = text
	}
	person["fields"], person["live"] = goldenFields, `{"visitors":37}`
	events := map[string]string{"series": goldenSeries, "fields": goldenFields, "values": goldenValues, "live": `{"visitors":37}`}
	for call, text := range eventsMade().answers {
		if events[call] == "" {
			events[call] = text
		}
	}
	analyses := map[string]string{"funnel": madeFunnel, "retention": madeRetention, "paths": madePaths, "aggregate": madeNumbers, "fields": goldenFields, "values": goldenValues, "saved": goldenSaved, "live": `{"visitors":37}`,
		"funnel/entities": goldenEntities, "retention/entities": goldenEntities}
	live := liveMade().answers
	live["fields"] = goldenFields
	withShop := func(m map[string]string) map[string]string {
		m = maps.Clone(m)
		m["site"], m["shop"] = goldenSite, madeShop
		return m
	}
	saves := func(v *Viewer) { v.Save, v.Admin = true, true }
	const event = "5db4c88fc51de13e7a90456c60a92ad2"
	return []goldenScreen{
		{"overview", "?range=30d&compare=previous", overview, true, nil},
		{"overview-tabs", "?range=30d&_tab=source&_tab=goals&_prop=plan", overview, false, nil},
		{"overview-table", "?range=30d&_full=places&sort=visitors", overview, false, nil},
		{"live", "/live?range=7d", live, false, nil},
		{"pages", "/pages?range=30d", overview, false, nil},
		{"page", "/page?range=30d&_page=/docs", overview, true, nil},
		{"events", "/events?range=30d&_facet=name&_col=prop.plan", events, false, nil},
		{"event", "/events/" + event + "?range=30d", events, false, nil},
		{"people", "/people?range=30d", person, false, nil},
		{"visits", "/people?range=30d&_tab=visits", person, false, nil},
		{"person", "/people/ann?range=30d&_open=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", person, false, nil},
		{"visit", "/visit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb?range=30d", person, false, nil},
		{"funnels", "/funnels?range=30d", analyses, false, saves},
		{"funnel", "/funnels?range=30d&step=name%3Da&step=name%3Db&step=type%3Dorder&split=visit.country", analyses, true, saves},
		{"funnel-people", "/funnels?range=30d&step=name%3Da&step=name%3Db&_at=1&_state=dropped", analyses, false, nil},
		{"retention", "/retention?range=30d&start=name%3Dsignup", analyses, true, nil},
		{"retention-people", "/retention?range=30d&_at=2026-11-09&_cell=1", analyses, false, nil},
		{"paths", "/paths?range=30d&start=name%3Dsignup&then=/", analyses, false, nil},
		{"numbers", "/numbers?range=30d&of=prop.amount&by=prop.plan", analyses, true, nil},
		{"shop", "/shop?range=30d", withShop(overview), true, nil},
		{"setup", "/setup?_tab=native", withShop(overview), false, saves},
	}
}
