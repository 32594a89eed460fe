package records

import (
	"errors"
	"reflect"
	"testing"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// A saved thing comes back as it was written, and those of another site are not there.
func TestSaved(t *testing.T) {
	db := openDB(t)
	all := []query.Saved{
		{ID: "0000000000000001", Kind: query.SavedFilter, Name: "Düsseldorf", Query: "city=D%C3%BCsseldorf", Revision: 1},
		{ID: "0000000000000002", Kind: query.SavedShare, Revision: 9, Share: &query.Share{Scope: "numbers", Filter: "0000000000000001",
			Props: []string{"plan"}, Embed: []string{"https://a.example"}, Expires: 1, Token: [32]byte{1, 2}}},
		{ID: "ffffffffffffffff", Kind: query.SavedNote, Revision: 2, Note: &query.Note{Time: 5, Text: "<release>"}},
	}
	for _, site := range []uint32{7, 1<<32 - 1} {
		for _, s := range all {
			key, ok := SavedKey(site, s.ID)
			value, err := AppendSaved(nil, &s)
			if !ok || err != nil {
				t.Fatal(s, ok, err)
			}
			if err := db.Set(key, value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := AllSaved(db, site); err != nil || !reflect.DeepEqual(got, all) {
			t.Errorf("site %d: %+v, %v", site, got, err)
		}
		if got, err := Saved(db, site, all[1].ID); err != nil || !reflect.DeepEqual(got, all[1]) {
			t.Errorf("site %d: %+v, %v", site, got, err)
		}
	}
	for _, id := range []string{"0000000000000003", "", "0001", "000000000000000A", "FFFFFFFFFFFFFFFF", "00000000000000001"} {
		if _, err := Saved(db, 7, id); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if got, err := AllSaved(db, 8); err != nil || len(got) > 0 {
		t.Errorf("another site: %+v, %v", got, err)
	}
}

func TestDamagedSaved(t *testing.T) {
	key, _ := SavedKey(7, "0000000000000001")
	good := `{"kind":"filter","name":"a","query":"b","revision":1}`
	if _, err := ParseSaved(key, append([]byte{savedVersion}, good...)); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{
		"", "\x01", "\x02" + good, "\x01" + good + "}", "\x01" + good[1:], "\x01" + good + good,
		"\x01" + `{"kind":"filter","name":"a","query":"b"}`, "\x01" + `{"kind":"other","revision":1}`, "\x01" + `{"kind":"filter","nime":"a","revision":1}`,
		"\x01" + `{"kind":"share","revision":1}`, "\x01" + `{"kind":"note","revision":1}`, "\x01" + `{"kind":"filter","note":{"time":1,"text":""},"revision":1}`,
		"\x01" + `{"kind":"share","share":{"scope":"numbers","token":"00"},"revision":1}`,
	} {
		if s, err := ParseSaved(key, []byte(value)); err == nil {
			t.Errorf("%q: %+v", value, s)
		}
	}
	if s, err := ParseSaved(store.SiteKey(store.PrefixSaved, 7), append([]byte{savedVersion}, good...)); err == nil {
		t.Errorf("a key without an id: %+v", s)
	}
}
