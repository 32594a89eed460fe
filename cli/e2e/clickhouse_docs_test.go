package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine/sink/clickhouse/clickhousetest"
)

// This file compares the answers of ClickHouse to the queries of docs/clickhouse.md with those of cairn's
// own reports to the calls that stand above them.

// eachClickHouse runs a test with the server that Debian has, and with a newer one where one is named.
// database is for the test alone.
func eachClickHouse(t *testing.T, test func(t *testing.T, url, database string)) {
	t.Run("debian", func(t *testing.T) { test(t, clickhousetest.Start(t).URL, "cairn") })
	t.Run("newer", func(t *testing.T) {
		url := os.Getenv(clickhousetest.Env)
		if url == "" {
			t.Skip(clickhousetest.Env + " names no newer server")
		}
		database := "cairn_" + strings.ToLower(strings.NewReplacer("/", "_").Replace(t.Name()))
		drop := func() { clickhousetest.Query(t, url, "DROP DATABASE IF EXISTS "+database) }
		drop()
		t.Cleanup(drop)
		test(t, url, database)
	})
}

// sinkConfig is a configuration with a sink.
func sinkConfig(url, database, more string) string {
	return fmt.Sprintf("[sink.clickhouse]\nurl = %q\ndatabase = %q\ncreate = true\ntimeout = \"2s\"\n%s", url, database, more)
}

// carried waits until a server has carried all its events.
func carried(t *testing.T, s *testServer) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var answer struct {
			Sinks []struct {
				State, Code, Error string
				Deletions          int
				Sites              []struct{ Cursor, Last uint64 }
			}
		}
		status, body, err := request("GET", s.url()+"/api/v1/admin/sinks", http.Header{"Authorization": {"Bearer " + s.running().Keys.AdminToken}}, "")
		if err == nil && status == 200 && json.Unmarshal(body, &answer) == nil {
			behind := len(answer.Sinks) == 0
			for _, one := range answer.Sinks {
				behind = behind || one.Deletions > 0 || one.State != "running" || len(one.Sites) == 0
				for _, site := range one.Sites {
					behind = behind || site.Cursor < site.Last
				}
			}
			if !behind {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the sink is behind: %d %s %v", status, body, err)
		}
	}
}

// docQueries returns the queries of the page by their heading, with the call above each.
func docQueries(t *testing.T) map[string][2]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(top, "docs", "clickhouse.md"))
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string][2]string{}
	for _, section := range strings.Split(string(page), "\n### ")[1:] {
		heading, rest, _ := strings.Cut(section, "\n")
		before, query, _ := strings.Cut(rest, "```sql\n")
		call, _, _ := strings.Cut(before[strings.LastIndex(before, "`GET ")+len("`GET "):], "`")
		query, _, ok := strings.Cut(query, "```")
		if call == "" || !ok {
			t.Fatalf("section %s has no call or no query", heading)
		}
		queries[heading] = [2]string{call, query}
	}
	return queries
}

// docEvents are the events: of several dialects, people and weeks, with a shop, campaigns and bounces.
func docEvents(t *testing.T, s *testServer) {
	keys := s.keys()
	send := func(path string, header http.Header, body string) {
		t.Helper()
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", "application/json")
		}
		if status, answer, err := request("POST", s.url()+path, header, body); err != nil || status >= 300 {
			t.Fatalf("%s: %d %s %v", path, status, answer, err)
		}
	}
	day := func(d, h, m int) string { return time.Date(2025, 3, d, h, m, 7, 0, time.UTC).Format(time.RFC3339) }
	var native strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&native, format+"\n", args...) }
	for person := range 30 {
		who := fmt.Sprintf(`"anonymous":"a-%d"`, person)
		if person%3 == 0 {
			who = fmt.Sprintf(`"user":"u-%d"`, person)
		}
		if person == 9 {
			who = `"user":"ada","anonymous":"a-1x"`
		}
		for week := range 1 + person%4 {
			d := 2 + 7*week + person%6
			from := []string{"", `,"referrer":"https://blog.example/x"`, `,"referrer":"https://www.shop.example/"`}[person%3]
			tag := []string{"", "?utm_source=mail&utm_campaign=spring"}[person%2]
			line(`{"type":"page","name":"Home",%s,"time":%q,"context":{"url":"https://shop.example/%s"%s,"country":"DE"}}`, who, day(d, 10, person), tag, from)
			if person%5 == 1 {
				continue // it bounces
			}
			line(`{"type":"page","name":"Tea",%s,"time":%q,"context":{"url":"https://shop.example/tea"}}`, who, day(d, 10, person+1))
			if person%2 == 0 {
				line(`{"name":"add_to_cart",%s,"time":%q,"properties":{"plan":"pro"}}`, who, day(d, 10, person+2))
			}
			if person%4 == 0 {
				line(`{"type":"order","name":"o%d-%d",%s,"time":%q,"value":%d.5,"properties":{"currency":%q,"big":123456789012345678901234567890}}`, person, week, who, day(d, 10, person+3), 10+person, []string{"EUR", "usd"}[person%8/4])
			}
		}
	}
	line(`{"type":"order","name":"back","user":"u-0","time":%q,"value":-5,"properties":{"currency":"EUR"}}`, day(20, 20, 0))
	line(`{"type":"screen","name":"Start","anonymous":"app","time":%q}`, day(12, 1, 0))
	line(`{"type":"page","name":"February","anonymous":"old","time":"2025-02-20T10:00:00Z","context":{"url":"https://shop.example/"}}`)
	line(`{"name":"late","anonymous":"old","time":%q}`, day(13, 5, 0))
	send("/api/v1/events", http.Header{"Authorization": {"Bearer " + keys.SecretKey}, "Content-Type": {"application/x-ndjson"}}, native.String())
	var batch []string
	for person := range 8 {
		at := day(5+person, 15, person)
		batch = append(batch, fmt.Sprintf(`{"type":"page","name":"Docs","anonymousId":"s-%d","timestamp":%q,"context":{"page":{"url":"https://docs.example/start","path":"/start","referrer":"https://news.example/"}}}`, person, at))
		if person%2 == 0 {
			batch = append(batch, fmt.Sprintf(`{"type":"track","event":"add_to_cart","anonymousId":"s-%d","timestamp":%q,"properties":{"value":3}}`, person, day(5+person, 15, person+3)))
		}
	}
	basic := http.Header{}
	req := &http.Request{Header: basic}
	req.SetBasicAuth(keys.WriteKey, "")
	send("/v1/batch", basic, `{"batch":[`+strings.Join(batch, ",")+`]}`)
	for person := range 6 {
		for view := range 1 + person%2 {
			send("/track", http.Header{"Openpanel-Client-Id": {keys.ClientID}, "Openpanel-Client-Secret": {keys.ClientSecret}},
				fmt.Sprintf(`{"type":"track","payload":{"name":"screen_view","profileId":"p-%d","properties":{"__path":"https://app.example/view%d","__timestamp":%q}}}`, person, view, day(6+person, 18, 10*view)))
		}
		send("/track", http.Header{"Openpanel-Client-Id": {keys.ClientID}, "Openpanel-Client-Secret": {keys.ClientSecret}},
			fmt.Sprintf(`{"type":"track","payload":{"name":"add_to_cart","profileId":"p-%d","properties":{"__timestamp":%q}}}`, person, day(6+person, 18, 25)))
	}
	for _, person := range []string{"x", "y", "y"} {
		send("/api/v1/events", http.Header{"Authorization": {"Bearer " + keys.SecretKey}}, fmt.Sprintf(`{"name":"now","anonymous":"now-%s"}`, person))
	}
}

// docLinks are events of people whom cairn learns to know later.
func docLinks(t *testing.T, s *testServer) {
	t.Helper()
	var lines strings.Builder
	at := time.Date(2025, 3, 4, 9, 0, 0, 0, time.UTC)
	line := func(text string) {
		at = at.Add(time.Minute)
		fmt.Fprintf(&lines, text+"\n", at.Format(time.RFC3339))
	}
	page := func(ids string) { line(`{"type":"page","name":"Home",` + ids + `,"time":%q}`) }
	for _, id := range []string{"a1", "a2", "a3", "a4", "stays"} {
		page(`"anonymous":"` + id + `"`)
	}
	page(`"user":"eve"`)
	line(`{"type":"identify","user":"eve","anonymous":"a1","time":%q}`)
	line(`{"type":"identify","user":"eve","anonymous":"a2","time":%q}`)
	line(`{"type":"identify","user":"other","anonymous":"a2","time":%q}`) // too late: a2 is eve
	page(`"user":"bob","anonymous":"a3"`)
	page(`"user":"old-1"`)
	page(`"user":"old-2"`)
	page(`"user":"new"`)
	line(`{"type":"alias","previous":"old-1","user":"old-2","time":%q}`)
	line(`{"type":"alias","previous":"old-2","user":"new","time":%q}`)
	line(`{"type":"alias","previous":"a4","user":"dan","time":%q}`)
	if status, answer, err := request("POST", s.url()+"/api/v1/events", http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}, lines.String()); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
}

var oldProperty = regexp.MustCompile(`properties\.(\w+)\.:String`)

// askClickHouse runs a query of the page and returns its rows.
func askClickHouse(t *testing.T, url, database, query string, json bool) (rows [][]string) {
	t.Helper()
	query = strings.ReplaceAll(query, "cairn.events", database+".events")
	if !json {
		query = oldProperty.ReplaceAllString(query, "visitParamExtractString(properties, '$1')")
	}
	for line := range strings.Lines(clickhousetest.Query(t, url, query) + "\n") {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

// tableText writes rows so that a test shows them. Numbers are rounded, since both sides divide.
func tableText(rows [][]string) string {
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if f, err := strconv.ParseFloat(cell, 64); err == nil {
				cell = strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64)
			}
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestClickHouseQueries(t *testing.T) {
	t.Parallel()
	queries := docQueries(t)
	if len(queries) != 11 {
		t.Errorf("the page has %d queries", len(queries))
	}
	eachClickHouse(t, func(t *testing.T, server, database string) {
		flags := configured(t, sinkConfig(server, database, ""))
		s := startServer(t, t.TempDir(), flags...)
		docEvents(t, s)
		carried(t, s)
		isJSON := clickhousetest.Query(t, server, "SELECT type FROM system.columns WHERE table = 'events' AND name = 'properties' AND database = '"+database+"'") == "JSON"
		compare := func(s *testServer, heading string, want func(answer map[string]any) [][]string) {
			t.Helper()
			q := queries[heading]
			var answer map[string]any
			s.get(q[0], &answer)
			theirs := tableText(want(answer))
			rows := askClickHouse(t, server, database, q[1], isJSON)
			if heading == "People" { // the last two columns are how the first one is made; older servers have no milliseconds
				for i, row := range rows {
					rows[i] = []string{row[0], row[1], row[2], row[3][:19], row[4][:19]}
				}
				newestFirst(rows)
			}
			if got := tableText(rows); got != theirs || got == "" {
				t.Errorf("%s: ClickHouse answers\n%scairn answers\n%s", heading, got, theirs)
			}
		}
		compare(s, "Live", func(a map[string]any) [][]string { return [][]string{{text(a["visitors"])}} })
		compare(s, "Visits", func(a map[string]any) (rows [][]string) {
			for _, one := range list(a["series"]) {
				if one := object(one); text(one["visits"]) != "0" {
					rows = append(rows, []string{text(one["time"])[:10], text(one["visits"]), text(one["visitors"])})
				}
			}
			return rows
		})
		compare(s, "Bounces", func(a map[string]any) [][]string {
			all := object(a["total"])
			return [][]string{{text(all["visits"]), text(all["bounces"]), text(all["bounce_rate"])}}
		})
		compare(s, "Sources", func(a map[string]any) (rows [][]string) {
			for _, one := range list(object(object(a["by"])["source"])["rows"]) {
				rows = append(rows, []string{text(object(one)["value"]), text(object(one)["visits"]), text(object(one)["visitors"])})
			}
			return sortedBy(rows, 1)
		})
		compare(s, "Pages", func(a map[string]any) (rows [][]string) {
			for _, one := range list(a["rows"]) {
				rows = append(rows, []string{text(object(one)["value"]), text(object(one)["views"]), text(object(one)["visitors"])})
			}
			return sortedBy(rows, 1)
		})
		compare(s, "Funnel", func(a map[string]any) [][]string {
			var row []string
			for _, step := range list(a["steps"]) {
				row = append(row, text(object(step)["count"]))
			}
			return [][]string{row}
		})
		compare(s, "Retention", func(a map[string]any) (rows [][]string) {
			for _, one := range list(a["cohorts"]) {
				cohort := object(one)
				if n := text(cohort["size"]); n != "0" {
					rows = append(rows, []string{text(cohort["period"]), "0", n})
				}
				for later, cell := range list(cohort["cells"]) {
					if n := text(object(cell)["users"]); n != "0" {
						rows = append(rows, []string{text(cohort["period"]), strconv.Itoa(later + 1), n})
					}
				}
			}
			return rows
		})
		compare(s, "People", func(a map[string]any) (rows [][]string) {
			for _, one := range list(a["users"]) {
				u := object(one)
				rows = append(rows, []string{text(u["id"]), text(u["events"]), text(u["sessions"]), moment(u["first_seen"]), moment(u["last_seen"])})
			}
			return newestFirst(rows)
		})
		compare(s, "Shop", func(a map[string]any) (rows [][]string) {
			for _, one := range list(a["totals"]) {
				c := object(one)
				rows = append(rows, []string{text(c["currency"]), text(c["orders"]), text(c["revenue"]), text(c["refunds"]), text(c["average_order"])})
			}
			return sortedBy(rows, 2)
		})

		// The person goes in both, and the receipt says when.
		erasure := queries["Erasure"]
		if got := askClickHouse(t, server, database, erasure[1], isJSON); tableText(got) == "0\n" {
			t.Fatal("nothing is there to be erased")
		}
		if out, code := s.cairnCommand("forget", "-user", "ada"); code != 0 {
			t.Fatal(out)
		}
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			receipt := receiptOf(t, s)
			if len(receipt) == 1 && receipt["clickhouse"] != "" {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the receipt of the deletion: %v", receipt)
			}
		}
		compare(s, "Erasure", func(a map[string]any) [][]string { return [][]string{{text(a["events"])}} })
		if out, code := s.cairnCommand("sink check", flags...); code != 0 {
			t.Error(out)
		}
		if out, code := s.cairnCommand("sink status", flags...); code != 0 || !strings.Contains(out, "clickhouse: running") {
			t.Error(out)
		}
	})
}

// receiptOf returns when each sink has carried out the newest deletion, "" = not yet.
func receiptOf(t *testing.T, s *testServer) map[string]string {
	t.Helper()
	status, answer, err := request("GET", s.url()+"/api/v1/admin/deletions", http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}}, "")
	var all struct {
		Deletions []struct {
			Sinks []struct {
				Name string
				Done string `json:"done_at"`
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(answer, &all)
	}
	if err != nil || len(all.Deletions) == 0 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	done := map[string]string{}
	for _, one := range all.Deletions[0].Sinks {
		done[one.Name] = one.Done
	}
	return done
}

// The people of a site whose ids are linked later are those of cairn's own answer.
func TestClickHouseLinks(t *testing.T) {
	t.Parallel()
	q := docQueries(t)["People whose ids were linked later"]
	eachClickHouse(t, func(t *testing.T, server, database string) {
		s := startServer(t, t.TempDir(), configured(t, sinkConfig(server, database, ""))...)
		docLinks(t, s)
		carried(t, s)
		var answer map[string]any
		s.get(q[0], &answer)
		want := [][]string{{text(object(answer["total"])["visitors"])}}
		if got := askClickHouse(t, server, database, q[1], true); tableText(got) != tableText(want) || want[0][0] == "0" {
			t.Errorf("ClickHouse answers %v, cairn %v", got, want)
		}
	})
}

// newestFirst sorts people, whose last column is when they were last seen.
func newestFirst(rows [][]string) [][]string {
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Or(strings.Compare(b[4], a[4]), strings.Compare(a[0], b[0])) })
	return rows
}

// moment is a time of the API as ClickHouse writes it, to the second.
func moment(v any) string { return strings.Replace(text(v)[:19], "T", " ", 1) }

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// sortedBy sorts rows by the number in a column, the largest first, and then by the first one.
func sortedBy(rows [][]string, column int) [][]string {
	number := func(row []string) float64 { f, _ := strconv.ParseFloat(row[column], 64); return f }
	for i := 1; i < len(rows); i++ {
		for at := i; at > 0 && (number(rows[at]) > number(rows[at-1]) || number(rows[at]) == number(rows[at-1]) && rows[at][0] < rows[at-1][0]); at-- {
			rows[at], rows[at-1] = rows[at-1], rows[at]
		}
	}
	return rows
}
