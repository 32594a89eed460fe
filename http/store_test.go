package httpd

import (
	"testing"

	"cairn/engine"
	"cairn/engine/enrich"
)

// onStore runs a server of sites on a real store, opened with o, until the test is over. The
// store is in o.Dir, or in a directory of its own. X-Forwarded-For says which client sends.
func onStore(t testing.TB, o engine.Options, change func(*Options), sites ...*Site) *testServer {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Reserve, o.Enrich = -1, enrich.New(enrich.Options{})
	var known []*engine.Site
	for _, site := range sites {
		known = append(known, site.Site)
	}
	o.Sites = engine.SitesOf(known...)
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return start(t, func(o *Options) {
		o.Engine, o.Sites = e, sites
		strangers(o)
		if change != nil {
			change(o)
		}
	})
}
