package native

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/http/native/nativetest"
)

// These tests are about funnels, retention and paths: what the engine is asked, and how its
// answers look.

const twoSteps = "step=type%3Dpage%26prop.plan%3Da&step=name%3Db%26name%3Dc"

// day is a range of one day, so that questions are short.
const day = "&from=2026-11-21&to=2026-11-21"

func TestPeopleQuestions(t *testing.T) {
	span := fmt.Sprintf("[%d,%d)", nativetest.SomeDay, nativetest.SomeDay+86_400_000)
	steps := `[["type" "" ["page"] "prop.plan" "" ["a"]] ["name" "" ["b" "c"]]]`
	for _, c := range []struct{ target, asked string }{
		{"funnel?" + twoSteps + day, "funnel shop [] " + span + " steps 0 " + steps + " visits false ordered window 1209600000 split  limit 10"},
		{"funnel?" + twoSteps + day + "&entity=visit&mode=strict&split=country&limit=3&interval=hour&country=NL", `funnel shop ["country" "" ["NL"]] ` + span + " steps 24 " + steps + " visits true strict window 0 split country limit 3"},
		{"funnel?" + twoSteps + day + "&mode=any&window=90m&split=context.region", "funnel shop [] " + span + " steps 0 " + steps + " visits false any window 5400000 split region limit 10"},
		{"funnel?" + twoSteps + day + "&window=365d", "funnel shop [] " + span + " steps 0 " + steps + " visits false ordered window 31536000000 split  limit 10"},
		{"funnel/entities?" + twoSteps + day, "funnel/entities shop [] " + span + " steps 0 " + steps + " visits false ordered at 1 dropped false limit 1000 after "},
		{"funnel/entities?" + twoSteps + day + "&at=2&state=dropped&limit=7&split=country&interval=day&after=" + nativetest.SomeID, "funnel/entities shop [] " + span + " steps 0 " + steps + " visits false ordered at 2 dropped true limit 7 after " + nativetest.SomeID},
		{"retention?" + day, "retention shop [] " + span + " steps 0 [] [] week first after false"},
		{"retention?start=type%3Dpage&return=name%3Da&period=month&cohort=each&count=after" + day, `retention shop [] ` + span + ` steps 0 ["type" "" ["page"]] ["name" "" ["a"]] month each after true`},
		{"retention/entities?at=2026-11-16" + day, "retention/entities shop [] " + span + " steps 0 [] [] week first after false at 1794787200000 cell 0 limit 1000 after "},
		{"retention/entities?at=2026-11-20&cell=1&period=day&limit=5&from=2026-11-20&to=2026-11-21", fmt.Sprintf("retention/entities shop [] [%d,%d) steps 0 [] [] day first after false at %d cell 1 limit 5 after ", nativetest.SomeDay-86_400_000, nativetest.SomeDay+86_400_000, nativetest.SomeDay-86_400_000)},
		{"paths?" + day, "paths shop [] " + span + " steps 0 [] [] then [] depth 3 of pages each false fold [] limit 10"},
		{"paths?start=type%3Dpage&then=/a&then=/b&depth=2&of=both&anchor=each&fold=/b/*&fold=c&limit=1000" + day, `paths shop [] ` + span + ` steps 0 ["type" "" ["page"]] [] then ["/a" "/b"] depth 2 of both each true fold ["/b/*" "c"] limit 1000`},
		{"paths?end=type%3Dorder" + day, `paths shop [] ` + span + ` steps 0 [] ["type" "" ["order"]] then [] depth 3 of pages each false fold [] limit 10`},
	} {
		n := nativetest.Full()
		if res := call(t, n, "UTC", "GET", "/api/v1/"+c.target); res.Status != 200 || n.Asked != c.asked {
			t.Errorf("%s: %d %.200s\nasked %s\nwant  %s", c.target, res.Status, res.Body, n.Asked, c.asked)
		}
	}
}

const peopleFrame = `{"site":"shop","zone":"UTC","from":"2026-11-21T00:00:00.000Z","to":"2026-11-22T00:00:00.000Z","until":"2026-11-21T00:00:00.005Z","as_of":{"time":"2026-11-21T00:00:00.005Z","seq":42}`

func TestPeopleAnswers(t *testing.T) {
	steps := `"entered":9,"converted":3,"rate":0.3333,"steps":[{"step":"type=page\u0026prop.plan=a","count":9,"rate":1,"dropped":6},{"step":"name=b\u0026name=c","count":3,"rate":0.3333,"step_rate":0.3333,"dropped":0,"median":625.7,"p90":892703.4}]`
	few := func(n int) string {
		return fmt.Sprintf(`"entered":%d,"converted":0,"rate":0,"steps":[{"step":"type=page\u0026prop.plan=a","count":%d,"rate":1,"dropped":%d},{"step":"name=b\u0026name=c","count":0,"rate":0,"step_rate":0,"dropped":0,"median":null,"p90":null}]`, n, n, n)
	}
	split := `"split":[{"value":"ON","in":{"country":"CA"},` + steps + `},{"value":null,` + few(2) + `},{"other":true,` + few(1) + `}]`
	entities := peopleFrame + `,"entities":["u-1","u \u003c2\u003e"],"next":"` + nativetest.SomeID + `"}`
	for _, c := range []struct{ target, want string }{
		{"funnel?" + twoSteps + day, peopleFrame + `,"entity":"user","mode":"ordered","window":1209600,` + steps + `,` + split + `,"series":[]}`},
		{"funnel?" + twoSteps + day + "&entity=visit&interval=day", peopleFrame + `,"entity":"visit","mode":"ordered","window":null,` + steps + `,` + split + `,"interval":"day","series":[{"time":"2026-11-21T00:00:00.000Z","entered":9,"converted":3,"rate":0.3333,"partial":true}]}`},
		{"funnel/entities?" + twoSteps + day, entities},
		{"retention?" + day, peopleFrame + `,"period":"week","cohort":"first","count":"on","cohorts":[{"period":"2026-11-21","size":3,"cells":[{"users":2,"rate":0.6667,"complete":true},{"users":1,"rate":0.3333,"complete":false}]},{"period":"2026-11-28","size":0,"cells":[{"users":0,"rate":null,"complete":false}]},{"period":"2026-12-05","size":5,"cells":[]}],"average":[0.6667,null]}`},
		{"retention/entities?at=2026-11-16" + day, entities},
		{"paths?" + day, peopleFrame + `,"unit":"visits","anchored":12,"columns":[{"rows":[{"label":"/a","count":5},{"label":"/b","count":3}],"other":1,"stopped":3},{"rows":[],"other":0,"stopped":0},{"rows":[{"label":"=c","count":1}],"other":0,"stopped":0}],"links":[{"column":0,"from":null,"to":"/a","count":5},{"column":1,"from":"/a","to":"/c","count":2}]}`},
	} {
		n := nativetest.Full()
		n.AsOf = query.AsOf{Time: nativetest.SomeDay + 5, Seq: 42}
		res := call(t, n, "UTC", "GET", "/api/v1/"+c.target)
		if res.Status != 200 || string(res.Body) != c.want+"\n" {
			t.Errorf("%s: %d\n got %s\nwant %s", c.target, res.Status, res.Body, c.want)
		}
	}
	res := call(t, nativetest.Full(), "UTC", "GET", "/api/v1/funnel?mode=any&"+twoSteps+day)
	if strings.Contains(string(res.Body), "median") {
		t.Errorf("steps in any order have no times between them: %s", res.Body)
	}
}

func TestPeopleTables(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"funnel?" + twoSteps, "step,count,rate,step_rate,dropped,median,p90\r\ntype=page&prop.plan=a,9,1,,6,,\r\nname=b&name=c,3,0.3333,0.3333,0,625.7,892703.4\r\n"},
		{"retention?period=week", "period,size,1,2\r\n2026-11-21,3,2,1\r\n2026-11-28,0,0,\r\n2026-12-05,5,,\r\n"},
		{"paths?depth=3", "column,label,count\r\n0,/a,5\r\n0,/b,3\r\n2,'=c,1\r\n"},
	} {
		if got := sheet(t, nativetest.Full(), "/api/v1/"+c.target+"&format=csv"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.target, got, c.want)
		}
	}
}

// Each wrong parameter is refused by its name.
func TestPeopleRefusals(t *testing.T) {
	step := "step=name%3Da"
	for _, c := range []struct{ target, field string }{
		{"funnel", "step"}, {"funnel?" + step, "step"}, {"funnel?" + strings.Repeat(step+"&", 11), "step"},
		{"funnel?" + step + "&step=", "step"}, {"funnel?" + step + "&step=unknown%3D1", "step"}, {"funnel?" + step + "&step=site%3Dshop", "step"}, {"funnel?" + step + "&step=%26", "step"}, {"funnel?" + step + "&step=step%3Dname", "step"},
		{"funnel?" + twoSteps + "&entity=device", "entity"}, {"funnel?" + twoSteps + "&mode=loose", "mode"}, {"funnel?" + twoSteps + "&limit=0", "limit"},
		{"funnel?" + twoSteps + "&split=colour", "split"}, {"funnel?" + twoSteps + "&split=visit.colour", "split"}, {"funnel?" + twoSteps + "&split=prop.", "split"}, {"funnel/entities?" + twoSteps + "&split=site", "split"},
		{"funnel?" + twoSteps + "&window=29s", "window"}, {"funnel?" + twoSteps + "&window=366d", "window"}, {"funnel?" + twoSteps + "&window=1", "window"}, {"funnel?" + twoSteps + "&window=d", "window"},
		{"funnel?" + twoSteps + "&window=4294967295d", "window"}, {"funnel?" + twoSteps + "&window=1.5h", "window"}, {"funnel?" + twoSteps + "&window=1w", "window"}, {"funnel?" + twoSteps + "&after=x", "after"}, {"funnel?" + twoSteps + "&compare=previous", "compare"},
		{"funnel/entities?" + twoSteps + "&at=0", "at"}, {"funnel/entities?" + twoSteps + "&at=3", "at"}, {"funnel/entities?" + twoSteps + "&state=lost", "state"}, {"funnel/entities?" + twoSteps + "&after=x", "after"}, {"funnel/entities?" + twoSteps + "&limit=1001", "limit"}, {"funnel/entities?" + twoSteps + "&format=csv", "format"},
		{"retention?period=year", "period"}, {"retention?period=day&range=90d", "period"}, {"retention?cohort=last", "cohort"}, {"retention?count=before", "count"}, {"retention?start=x%3D1", "start"}, {"retention?return=from%3D1", "return"},
		{"retention/entities", "at"}, {"retention/entities?at=today", "at"}, {"retention/entities?range=7d&at=2020-01-01", "at"}, {"retention/entities?from=2026-11-20&to=2026-11-21&period=day&at=2026-11-21&cell=1", "cell"}, {"retention/entities?from=2026-11-20&to=2026-11-21&period=day&at=2026-11-20&cell=-1", "cell"},
		{"paths?depth=0", "depth"}, {"paths?depth=9", "depth"}, {"paths?of=people", "of"}, {"paths?anchor=last", "anchor"}, {"paths?anchor=each", "anchor"}, {"paths?start=name%3Da&end=name%3Db", "end"},
		{"paths?depth=1&then=a&then=b", "then"}, {"paths?" + strings.Repeat("fold=a&", 33), "fold"}, {"paths?fold=" + strings.Repeat("a", 1025), "fold"}, {"paths?then=" + strings.Repeat("a", 1025), "then"},
	} {
		res := call(t, nativetest.Full(), "UTC", "GET", "/api/v1/"+c.target)
		if got := errorOf(t, res); res.Status != 400 || got.Field != c.field {
			t.Errorf("%.80s: %d %s", c.target, res.Status, res.Body)
		}
	}
	n := nativetest.Full()
	n.Err = query.Bad("split", "too many values")
	if res := call(t, n, "UTC", "GET", "/api/v1/funnel?"+twoSteps); res.Status != 400 || errorOf(t, res).Field != "split" {
		t.Errorf("what the engine refuses: %d %s", res.Status, res.Body)
	}
	n.Err = query.ErrBadCursor
	if res := call(t, n, "UTC", "GET", "/api/v1/funnel/entities?"+twoSteps+"&after="+nativetest.SomeID); res.Status != 400 || errorOf(t, res).Field != "after" {
		t.Errorf("a cursor of another site: %d %s", res.Status, res.Body)
	}
}

// Who has the answer already is not sent it again.
func TestPeopleTags(t *testing.T) {
	for _, target := range []string{"funnel?" + twoSteps, "funnel/entities?" + twoSteps + "&limit=5&after=" + nativetest.SomeID, "retention?", "paths?"} {
		n := nativetest.Full()
		n.AsOf.Tag = "t1"
		first := call(t, n, "UTC", "GET", "/api/v1/"+target)
		tag := ""
		for _, h := range first.Header {
			if h[0] == "ETag" {
				tag = h[1]
			}
		}
		n.AsOf.Same = true
		n.FunnelAnswer, n.RetentionAnswer, n.PathsAnswer, n.EntitiesAnswer = nil, nil, nil, nil
		res, err := ask(t, n, "/api/v1/"+target, map[string]string{"If-None-Match": tag})
		if err != nil || tag == "" || res.Status != 304 || len(res.Body) > 0 {
			t.Errorf("%s: %q, then %d %s, %v", target, tag, res.Status, res.Body, err)
		}
	}
}
