package event

import (
	"reflect"
	"testing"
)

// A rule applies from the start of its edition to that of the dialect's next rule. An edition
// that a site does not have yet applies to nothing.
func TestRulesChangeAtASeq(t *testing.T) {
	table := map[Dialect][]Rule{
		Native: {{RevenueName: "old"}, {Edition: 1, RevenueName: "new"}, {Edition: 3, RevenueName: "newest"}},
		Oppizi: {{}, {Edition: 2, RevenueName: "late"}},
	}
	whole, early := rulesOf(table, []uint64{1, 10, 15, 20}), rulesOf(table, []uint64{1, 10})
	fresh := rulesOf(table, []uint64{1, 1, 1, 1})
	for _, c := range []struct {
		rules   Rules
		dialect Dialect
		seq     uint64
		want    string
	}{
		{whole, Native, 1, "old"}, {whole, Native, 9, "old"},
		{whole, Native, 10, "new"}, {whole, Native, 15, "new"}, {whole, Native, 19, "new"},
		{whole, Native, 20, "newest"}, {whole, Native, 1<<64 - 1, "newest"},
		{whole, Oppizi, 14, ""}, {whole, Oppizi, 15, "late"},
		{whole, Matomo, 1, ""}, {whole, "", 1, ""}, {whole, "another", 1, ""},
		{early, Native, 9, "old"}, {early, Native, 1<<64 - 2, "new"}, {early, Oppizi, 100, ""},
		{fresh, Native, 1, "newest"}, {fresh, Oppizi, 1, "late"},
	} {
		if got := c.rules.At(c.dialect, c.seq); got.RevenueName != c.want {
			t.Errorf("%s at %d: %q, want %q", c.dialect, c.seq, got.RevenueName, c.want)
		}
	}
}

// Every dialect has a rule of the first edition, and the editions of its rules ascend. A site
// without rules of its own has the newest.
func TestRulesOfEveryDialect(t *testing.T) {
	for _, d := range Dialects {
		of := rules[d]
		if len(of) == 0 || of[0].Edition != 0 {
			t.Errorf("%s has no rule of the first edition", d)
			continue
		}
		for n := 1; n < len(of); n++ {
			if of[n].Edition <= of[n-1].Edition {
				t.Errorf("the rules of %s do not ascend", d)
			}
		}
		if last := &of[len(of)-1]; NewestRule(d) != last || Rules(nil).At(d, 1) != last {
			t.Errorf("the newest rule of %s is not its last", d)
		}
	}
	if r := *NewestRule("another"); !reflect.DeepEqual(r, Rule{}) {
		t.Errorf("an unknown dialect has the rule %+v", r)
	}
}

func BenchmarkRulesAt(b *testing.B) {
	b.ReportAllocs()
	r := NewRules([]uint64{1, 1})
	for i := range b.N {
		if r.At(Dialects[i%len(Dialects)], uint64(i)) == nil {
			b.Fatal("no rule")
		}
	}
}

// A site that has had every edition since its first row needs no rules of its own.
func TestRulesOfANewSite(t *testing.T) {
	if r := NewRules([]uint64{1, 1}); r != nil {
		t.Errorf("%v", r)
	}
	if NewRules([]uint64{1}) == nil || NewRules([]uint64{1, 2}) == nil {
		t.Error("an older site has the newest rules")
	}
}
