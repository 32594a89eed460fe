package event

import "testing"

// A rule applies to the events from its seq to that of the next rule. Each dialect has
// rules of its own.
func TestRulesChangeAtASeq(t *testing.T) {
	r := newRules(map[Dialect][]Rule{
		Native: {{RevenueName: "old"}, {From: 10, RevenueName: "new"}, {From: 20, RevenueName: "newest"}},
		Oppizi: {{From: 5, RevenueName: "late"}},
	})
	for _, c := range []struct {
		dialect Dialect
		seq     uint64
		want    string
	}{
		{Native, 0, "old"}, {Native, 1, "old"}, {Native, 9, "old"},
		{Native, 10, "new"}, {Native, 19, "new"},
		{Native, 20, "newest"}, {Native, 1<<64 - 1, "newest"},
		{Oppizi, 4, ""}, {Oppizi, 5, "late"},
		{Matomo, 1, ""}, {"", 1, ""}, {"another", 1, ""},
	} {
		if got := r.At(c.dialect, c.seq); got.RevenueName != c.want {
			t.Errorf("%s at %d: %q, want %q", c.dialect, c.seq, got.RevenueName, c.want)
		}
	}
}

// Every dialect has a rule for the first event of a log, and its rules ascend.
func TestRulesOfEveryDialect(t *testing.T) {
	for i, d := range Dialects {
		of := rules[i]
		if len(of) == 0 || of[0].From != 0 {
			t.Errorf("%s has no rule from the start", d)
		}
		for n := 1; n < len(of); n++ {
			if of[n].From <= of[n-1].From {
				t.Errorf("the rules of %s do not ascend", d)
			}
		}
		if len(of) > 0 && NewestRule(d) != &of[len(of)-1] {
			t.Errorf("the newest rule of %s is not its last", d)
		}
	}
}

func BenchmarkRuleAt(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		if RuleAt(Dialects[i%len(Dialects)], uint64(i)) == nil {
			b.Fatal("no rule")
		}
	}
}
