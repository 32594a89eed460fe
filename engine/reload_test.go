package engine

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/geo"
	"cairn/geo/geotest"

	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// countryFile returns a database that puts all of 8.0.0.0/8 into one country.
func countryFile(t *testing.T, code string) []byte {
	t.Helper()
	return geotest.Database(t, "Country", "8.0.0.0/8", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}})
}

// While four clients write, the geo database is replaced again and again. Every third file
// is broken. Each event is stored with the country of one of the good files and counts under
// that country.
func TestGeoReloadUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geo.mmdb")
	good := [][]byte{countryFile(t, "FR"), countryFile(t, "IT")}
	replaceFile(t, path, good[0], 0)
	locator := geo.Open(geo.Options{Files: []string{path}, Poll: time.Millisecond})
	defer locator.Close()
	site := &Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := Open(Options{Dir: t.TempDir(), Sites: SitesOf(site), Reserve: -1, Enrich: enrich.New(enrich.Options{Geo: locator})})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()

	done := make(chan struct{})
	var wg sync.WaitGroup
	sent := make([]map[string]int64, 4)
	for g := range sent {
		sent[g] = map[string]int64{}
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				page := &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Page, Name: "p"}}
				page.Source = event.Source{IP: netip.AddrFrom4([4]byte{8, byte(g), byte(i >> 8), byte(i)}), UserAgent: "test"}
				out, err := e.Ingest(t.Context(), []Record{{Site: site, Record: page}}, true, nil)
				if err != nil || out[0].Status != event.Stored {
					t.Errorf("%v %v", out, err)
					return
				}
				sent[g][page.Event.Context.Get("country").Text]++
			}
		})
	}
	for i := 1; i < 60; i++ {
		data := good[i%2]
		if i%3 == 0 {
			data = data[:len(data)/2+i]
		}
		loads := func() uint64 { f := locator.Status().Files[0]; return f.Loads + f.Failures }
		before := loads()
		replaceFile(t, path, data, i)
		for end := time.Now().Add(10 * time.Second); loads() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the locator did not see a change of the file within 10 seconds")
			}
		}
	}
	close(done)
	wg.Wait()

	want := map[string]int64{}
	for _, s := range sent {
		for country, n := range s {
			want[country] += n
		}
	}
	if want["FR"] == 0 || want["IT"] == 0 || len(want) != 2 {
		t.Errorf("events by country: %v", want)
	}
	page, err := e.Counters(t.Context(), query.CounterQuery{Site: &site.Site, Property: "country", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, row := range page.Rows {
		got[row.Value] = row.Events
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, sent %v", got, want)
	}
	if st := locator.Status(); st.Failed != 0 || st.Files[0].Failures == 0 {
		t.Errorf("status %+v", st)
	}
}

// replaceFile replaces a file by rename, as a careful updater does. The time of the new file
// is n seconds in the past, because files written at the same moment may have the same time.
func replaceFile(t *testing.T, path string, data []byte, n int) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Duration(n) * time.Second)
	if err := os.Chtimes(path+".new", at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
