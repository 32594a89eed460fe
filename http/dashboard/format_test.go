package dashboard

import (
	"math"
	"strings"
	"testing"
	"time"
)

// plain shows no-break spaces of all widths as spaces, so that tables can be typed.
var plain = strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace

func expect(t *testing.T, name, got, want string) {
	t.Helper()
	if got = plain(got); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func TestNumbersOfLanguages(t *testing.T) {
	for _, test := range []struct{ header, count, decimal, percent, compact, duration, change string }{
		{"en-US,en;q=0.9", "361,227", "−3.8", "44.4 %", "12.5 k", "3 m 43 s", "▲ 4.1 %"},
		{"de-DE,de;q=0.9,en;q=0.8", "361.227", "−3,8", "44,4 %", "12,5 k", "3 m 43 s", "▲ 4,1 %"},
		{"ar", "٣٦١٬٢٢٧", "−٣٫٨", "٤٤٫٤ %", "١٢٫٥ k", "٣ m ٤٣ s", "▲ ٤٫١ %"},
		{"ja", "361,227", "−3.8", "44.4 %", "12.5 k", "3 m 43 s", "▲ 4.1 %"},
		{"fr-FR", "361 227", "−3,8", "44,4 %", "12,5 k", "3 m 43 s", "▲ 4,1 %"},
		{"en-IN", "3,61,227", "−3.8", "44.4 %", "12.5 k", "3 m 43 s", "▲ 4.1 %"},
	} {
		l := NewLocale(test.header, nil, time.Now())
		expect(t, test.header, l.Number(361_227), test.count)
		expect(t, test.header, l.Float(-3.8, 1), test.decimal)
		expect(t, test.header, l.Share(4, 9), test.percent)
		expect(t, test.header, l.Compact(12_500), test.compact)
		expect(t, test.header, l.Duration(223*time.Second), test.duration)
		expect(t, test.header, l.Ratio(104.1, 100).Text, test.change)
	}
}

func TestLanguageOfHeader(t *testing.T) {
	for _, test := range []struct{ header, want string }{
		{"", "en"}, {"*", "en"}, {"de", "de"}, {"en;q=0.5, de;q=0.9", "de"}, {"de;q=0, ja;q=0.1", "ja"},
		{"mul, ar;q=0.5", "ar"}, {"!!", "en"}, {"xx-YY, de;q=0.3", "de"},
		{"de, " + strings.Repeat("x", 300), "de"},
		{strings.Repeat("d", 10_000), "en"}, // one endless tag
		{strings.Repeat("de-", 5_000), "en"},
	} {
		if got := languageOf(test.header).String(); got != test.want {
			t.Errorf("%.40q: %s, want %s", test.header, got, test.want)
		}
	}
}

func TestCompact(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	for _, test := range []struct {
		x    float64
		want string
	}{
		{0, "0"}, {9_999, "9,999"}, {10_000, "10 k"}, {99_949, "99.9 k"}, {999_499, "999 k"}, {999_600, "1 M"},
		{-12_500, "−12.5 k"}, {3_400_000, "3.4 M"}, {2e9, "2 B"}, {1e12, "1 T"}, {5e15, "5,000 T"},
		{math.NaN(), "–"}, {math.Inf(1), "–"}, {0.25, "0.25"}, {-0.001, "0"},
	} {
		expect(t, "compact", l.Compact(test.x), test.want)
	}
}

func TestPercentKeepsLittleAndAlmostAll(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	for _, test := range []struct {
		share float64
		want  string
	}{
		{0, "0 %"}, {0.00001, "< 0.1 %"}, {0.0005, "0.1 %"}, {0.5, "50 %"}, {0.99999, "99.9 %"}, {1, "100 %"},
		{12.5, "1,250 %"}, {math.NaN(), "–"},
	} {
		expect(t, "percent", l.Percent(test.share), test.want)
	}
	expect(t, "of nothing", l.Share(0, 0), "–")
}

func TestDurations(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 s"}, {400 * time.Millisecond, "0.4 s"}, {9940 * time.Millisecond, "9.9 s"}, {9960 * time.Millisecond, "10 s"},
		{43*time.Second + 600*time.Millisecond, "44 s"}, {59*time.Second + 700*time.Millisecond, "1 m"},
		{223 * time.Second, "3 m 43 s"}, {time.Hour - 400*time.Millisecond, "1 h"}, {125 * time.Minute, "2 h 5 m"},
		{76 * time.Hour, "3 d 4 h"}, {24*time.Hour - time.Second, "1 d"}, {-5 * time.Second, "−5 s"},
	} {
		expect(t, test.d.String(), l.Duration(test.d), test.want)
	}
}

func TestChanges(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	for _, test := range []struct {
		name       string
		change     Change
		text, word string
		way        Way
	}{
		{"up", l.Ratio(104.1, 100), "▲ 4.1 %", "up 4.1 %", Up},
		{"down", l.Ratio(99.6, 100), "▼ 0.4 %", "down 0.4 %", Down},
		{"much", l.Ratio(1234, 100), "▲ 1,134 %", "up 1,134 %", Up},
		{"too little", l.Ratio(100.01, 100), "= 0 %", "no change", Same},
		{"from nothing", l.Ratio(5, 0), "new", "new", Up},
		{"from nothing to a loss", l.Ratio(-5, 0), "new", "new", Down},
		{"still nothing", l.Ratio(0, 0), "= 0 %", "no change", Same},
		{"to nothing", l.Ratio(0, 5), "▼ 100 %", "down 100 %", Down},
		{"nothing before", l.Ratio(5, math.NaN()), "", "", ""},
		{"losses shrink", l.Ratio(-5, -10), "▲ 50 %", "up 50 %", Up},
		{"points", l.Points(0.444, 0.45), "▼ 0.6 pt", "down 0.6 pt", Down},
		{"no points", l.Points(0.444, math.NaN()), "", "", ""},
		{"same points", l.Points(0.4441, 0.4442), "= 0 pt", "no change", Same},
		{"longer", l.Longer(223*time.Second, 218*time.Second, true), "▲ 5 s", "up 5 s", Up},
		{"as long", l.Longer(223100*time.Millisecond, 222900*time.Millisecond, true), "= 0 s", "no change", Same},
		{"no duration before", l.Longer(223*time.Second, 0, false), "", "", ""},
	} {
		expect(t, test.name, test.change.Text, test.text)
		expect(t, test.name, test.change.Word, test.word)
		if test.change.Way != test.way {
			t.Errorf("%s: way %q", test.name, test.change.Way)
		}
	}
}

func BenchmarkNumber(b *testing.B) {
	b.ReportAllocs()
	l := NewLocale("de-DE,de;q=0.9,en;q=0.8", nil, time.Now())
	for b.Loop() {
		l.Number(361_227)
	}
}
