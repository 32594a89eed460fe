package engine_test

import (
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where a session came from: its earliest page that has a campaign, or a referrer that is no page
// of the site's own.
func TestSourceOfASession(t *testing.T) {
	const google, partner = "https://www.google.com/", "https://partner.example/list"
	type page struct {
		minute        int
		url, referrer string
	}
	type answer struct{ referrer, kind, campaign string }
	for _, c := range []struct {
		name  string
		pages []page
		want  answer
	}{
		{"a search engine", []page{{0, "https://shop.example/", google}, {1, "https://shop.example/a", "https://shop.example/"}}, answer{google, "search", ""}},
		{"the site's own page, as of a session that resumes", []page{{0, "https://shop.example/b", "https://shop.example/a"}}, answer{"", "direct", ""}},
		{"its own page, with www. and a port", []page{{0, "https://shop.example/b", "https://www.shop.example:8443/a"}}, answer{"", "direct", ""}},
		{"the host of a later page of the session", []page{{0, "https://shop.example/b", "https://pay.example/"}, {1, "https://pay.example/", "https://shop.example/b"}}, answer{"", "direct", ""}},
		{"a configured host of the site", []page{{0, "https://shop.example/b", "https://blog.example/post"}}, answer{"", "direct", ""}},
		{"RudderStack's word for no referrer", []page{{0, "https://shop.example/", "$direct"}}, answer{"", "direct", ""}},
		{"a text that is no url", []page{{0, "https://shop.example/", "about:blank"}}, answer{"", "direct", ""}},
		{"another site, after an own page", []page{{0, "https://shop.example/b", "https://shop.example/a"}, {5, "https://shop.example/c", partner}}, answer{partner, "website", ""}},
		{"the earliest by time, not by receipt", []page{{5, "https://shop.example/b", google}, {0, "https://shop.example/", partner}}, answer{partner, "website", ""}},
		{"a campaign", []page{{0, "https://shop.example/?utm_source=mail", google}}, answer{google, "campaign", "mail"}},
		{"a campaign on an own page", []page{{0, "https://shop.example/?utm_campaign=spring&utm_source=mail", "https://shop.example/"}}, answer{"", "campaign", "spring"}},
		{"a referrer before a campaign", []page{{0, "https://shop.example/", google}, {1, "https://shop.example/?utm_source=mail", ""}}, answer{google, "search", ""}},
		{"a campaign without a name", []page{{0, "https://shop.example/?utm_medium=cpc", ""}}, answer{"", "campaign", ""}},
		{"a click on an advertisement", []page{{0, "https://shop.example/?gclid=abc", google}, {1, "https://shop.example/?utm_source=mail", ""}}, answer{google, "campaign", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range []event.Dialect{event.Native, event.Segment} {
				site := &engine.Site{Site: query.Site{ID: 1, Name: "shop", Hosts: []string{"www.blog.example"}}}
				e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Enrich: enrich.New(enrich.Options{}), Now: func() time.Time { return epoch }})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range c.pages {
					ev := event.Event{Dialect: d, Type: event.Page, Anonymous: "a", Time: epoch.Add(time.Duration(p.minute-60) * time.Minute).UnixMilli()}
					ev.Context.Set("url", event.Str(p.url))
					if p.referrer != "" {
						ev.Context.Set("referrer", event.Str(p.referrer))
					}
					if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
						t.Fatal(err)
					}
				}
				sessions, _, err := e.Sessions(t.Context(), query.Query{Site: &site.Site})
				if err != nil || len(sessions) != 1 {
					t.Fatalf("%+v, %v", sessions, err)
				}
				if s := sessions[0]; (answer{s.Referrer, s.ReferrerType, s.Campaign}) != c.want {
					t.Errorf("%s: %q, %q, %q; want %q", d, s.Referrer, s.ReferrerType, s.Campaign, c.want)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
