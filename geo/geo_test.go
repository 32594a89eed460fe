package geo

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

type (
	m = mmdbtype.Map
	s = mmdbtype.String
	a = mmdbtype.Slice
)

// build makes a database of the given records by network.
func build(tb testing.TB, kind string, records map[string]m) []byte {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, BuildEpoch: 1790000000, RecordSize: 24,
		Description: map[string]string{"en": "test"}, IncludeReservedNetworks: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			tb.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

var names = m{"en": s("Munich"), "de": s("München")}

var cityRecord = m{
	"country":      m{"iso_code": s("DE"), "names": m{"en": s("Germany")}},
	"city":         m{"names": names, "geoname_id": mmdbtype.Uint32(2867714)},
	"subdivisions": a{m{"iso_code": s("BY"), "names": m{"en": s("Bavaria")}}},
	"location":     m{"latitude": mmdbtype.Float64(48.13743), "longitude": mmdbtype.Float64(11.57549), "time_zone": s("Europe/Berlin")},
}

func city(tb testing.TB) []byte {
	return build(tb, "GeoLite2-City", map[string]m{"1.1.1.0/24": cityRecord, "2a00::/16": {"country": m{"iso_code": s("fr")}}})
}

// open1 writes data to a file and returns a Locator with this file.
func open1(t *testing.T, data []byte) *Locator {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.mmdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l := Open(Options{Files: []string{path}, Poll: -1})
	t.Cleanup(l.Close)
	return l
}

func TestEmbedded(t *testing.T) {
	l := Open(Options{})
	defer l.Close()
	for address, want := range map[string]string{
		"193.0.6.139":             "NL", // RIPE NCC
		"::ffff:193.0.6.139":      "NL", // as a v6 socket gives it
		"2001:67c:2e8:22::c100:1": "NL",
		"129.6.15.28":             "US", // NIST
		"133.11.0.1":              "JP", // University of Tokyo
		"200.160.2.3":             "BR", // nic.br
		"127.0.0.1":               "",
		"::1":                     "",
		"10.1.2.3":                "",
		"192.168.0.1":             "",
		"172.16.9.9":              "",
		"100.64.1.1":              "",
		"169.254.1.1":             "",
		"224.0.0.1":               "",
		"0.0.0.0":                 "",
		"255.255.255.255":         "",
		"fe80::1%eth0":            "",
		"fd00::1":                 "",
		"::":                      "",
		"ff02::1":                 "",
	} {
		if got := l.Lookup(netip.MustParseAddr(address)); got != (Place{Country: want}) {
			t.Errorf("%s: %+v, want country %q", address, got, want)
		}
	}
	if got := l.Lookup(netip.Addr{}); got != (Place{}) {
		t.Errorf("the zero address is at %+v", got)
	}
	st := l.Status()
	if len(st.Files) != 1 || st.Files[0].Path != "embedded" || !st.Has.Country || st.Has.City || len(l.Troubles()) > 0 || st.Files[0].Built.Year() < 2026 {
		t.Errorf("status %+v", st)
	}
}

// TestEmbeddedIsSound walks the embedded database, which opening it does not.
func TestEmbeddedIsSound(t *testing.T) {
	r, err := openRanges(countryFile)
	if err != nil {
		t.Fatal(err)
	}
	for i, place := range r.places[1:] {
		if c := place.Country; countryCode(c) != c || slices.Contains(r.places[:i+1], place) {
			t.Errorf("country %d is %q", i+1, c)
		}
	}
	for i, tab := range []table{r.v4, r.upperHalf, r.wholes} {
		if len(tab.numbers) == 0 {
			t.Errorf("table %d is empty", i)
		}
		var last []byte
		for g := range len(tab.firsts) / 4 {
			end := len(tab.numbers)
			if g+1 < len(tab.firsts)/4 {
				end = tab.first(g + 1)
			}
			if g == 0 && tab.first(g) != 0 || tab.first(g) >= end {
				t.Fatalf("table %d: group %d has the entries %d to %d", i, g, tab.first(g), end)
			}
			for e := tab.first(g); e < end; e++ {
				key := []byte(tab.uppers[g*tab.width:(g+1)*tab.width] + tab.lowers[e*tab.width:(e+1)*tab.width])
				if bytes.Compare(last, key) >= 0 {
					t.Fatalf("table %d: %x comes after %x", i, key, last)
				}
				last = key
				if n := tab.numbers[e]; int(n) >= len(r.places) && (n != finer || i != 1) {
					t.Fatalf("table %d: %x is in country %d", i, key, n)
				}
			}
		}
	}
	if n := len(countryFile); n > 4<<20 {
		t.Errorf("adds %d bytes to the binary", n)
	}
}

// TestFlipsOfZstd damages a compressed file. Its checksum finds that.
func TestFlipsOfZstd(t *testing.T) {
	data := city(t)
	w, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	packed := w.EncodeAll(data, nil)
	for i := range packed {
		for bit := range 8 {
			bad := bytes.Clone(packed)
			bad[i] ^= 1 << bit
			got, err := inflate(bad)
			if err == nil && !bytes.Equal(got, data) {
				_, err = open(got) // after the flip it is no longer recognised as zstd
			}
			if err == nil && !bytes.Equal(got, data) {
				t.Errorf("a flip of bit %d of byte %d went unnoticed", bit, i)
			}
		}
	}
}

// TestMemoryOfOpening opens the embedded database, which stays in the program file.
func TestMemoryOfOpening(t *testing.T) {
	before := heap()
	r, err := openRanges(countryFile)
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(heap() - before); grown > 256<<10 {
		t.Errorf("an open database takes %d bytes of the heap", grown)
	}
	runtime.KeepAlive(r)
}

func heap() uint64 {
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}

func TestSchemas(t *testing.T) {
	munich := Place{Country: "DE", Region: "Bavaria", City: "Munich", TimeZone: "Europe/Berlin", Latitude: "48.1374", Longitude: "11.5755"}
	for name, c := range map[string]struct {
		record m
		want   Place
	}{
		"maxmind city":    {cityRecord, munich},
		"maxmind country": {m{"country": m{"iso_code": s("DE")}}, Place{Country: "DE"}},
		"maxmind asn": {m{"autonomous_system_number": mmdbtype.Uint32(13335), "autonomous_system_organization": s("Cloudflare, Inc.")},
			Place{ASN: "AS13335", Organization: "Cloudflare, Inc."}},
		"flat country": {m{"country_code": s("de")}, Place{Country: "DE"}},
		"flat city": {m{"country_code": s("DE"), "state1": s("Bavaria"), "city": s("Munich"), "timezone": s("Europe/Berlin"),
			"latitude": mmdbtype.Float32(48.1374), "longitude": mmdbtype.Float32(11.5755)}, munich},
		"ipinfo": {m{"country": s("DE"), "region": s("Bavaria"), "city": s("Munich"), "timezone": s("Europe/Berlin"),
			"lat": s("48.13743"), "lng": s("11.57549"), "asn": s("AS8767"), "as_name": s("M-net")},
			Place{Country: "DE", Region: "Bavaria", City: "Munich", TimeZone: "Europe/Berlin", Latitude: "48.1374", Longitude: "11.5755", ASN: "AS8767", Organization: "M-net"}},
		"region by code alone":      {m{"country": m{"iso_code": s("DE")}, "subdivisions": a{m{"iso_code": s("BY")}}}, Place{Country: "DE", Region: "BY"}},
		"a dash is nothing":         {m{"country_code": s("DE"), "city": s("-"), "region": s("-")}, Place{Country: "DE"}},
		"half a point is none":      {m{"country_code": s("DE"), "latitude": mmdbtype.Float64(1)}, Place{Country: "DE"}},
		"a point off the globe":     {m{"country_code": s("DE"), "latitude": mmdbtype.Float64(91), "longitude": mmdbtype.Float64(1)}, Place{Country: "DE"}},
		"zero is a point":           {m{"country_code": s("GH"), "latitude": mmdbtype.Float64(0), "longitude": mmdbtype.Float64(-0.00001)}, Place{Country: "GH", Latitude: "0", Longitude: "0"}},
		"a country is two letters":  {m{"country_code": s("DEU"), "city": s("Munich")}, Place{City: "Munich"}},
		"ZZ is not known":           {m{"country_code": s("ZZ"), "city": s("x")}, Place{City: "x"}},
		"wrong types are not known": {m{"country": a{s("DE")}, "city": mmdbtype.Uint32(3), "subdivisions": s("x"), "location": s("y"), "asn": s("AS1")}, Place{ASN: "AS1"}},
		"control characters go":     {m{"country_code": s("DE"), "city": s("A\x00\r\nB\xff")}, Place{Country: "DE", City: "AB"}},
		"long names are cut":        {m{"country_code": s("DE"), "city": s(strings.Repeat("ü", 200))}, Place{Country: "DE", City: strings.Repeat("ü", 64)}},
	} {
		t.Run(name, func(t *testing.T) {
			// The type is wrong on purpose: nothing may depend on it.
			l := open1(t, build(t, "Some-Vendor", map[string]m{"1.1.1.0/24": c.record}))
			want := c.want
			got := l.Lookup(netip.MustParseAddr("1.1.1.7"))
			if c.want.Country == "" { // the embedded file answers for countries
				got.Country = ""
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if again := l.Lookup(netip.MustParseAddr("1.1.1.8")); c.want.Country != "" && again != want {
				t.Errorf("from the cache: %+v", again)
			}
		})
	}
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	asnFile := write("asn.mmdb", build(t, "asn", map[string]m{"1.0.0.0/8": {"autonomous_system_number": mmdbtype.Uint32(7)}}))
	cityFile := write("city.mmdb", city(t))
	addr := netip.MustParseAddr("1.1.1.1")

	l := Open(Options{Files: []string{cityFile, asnFile}, Poll: -1})
	if got := l.Lookup(addr); got.City != "Munich" || got.ASN != "AS7" {
		t.Errorf("city and asn: %+v", got)
	}
	if got := l.Lookup(netip.MustParseAddr("129.6.15.28")); got != (Place{}) {
		t.Errorf("a configured country file should replace the embedded one: %+v", got)
	}
	l = Open(Options{Files: []string{asnFile}, Poll: -1})
	if got := l.Lookup(netip.MustParseAddr("1.1.1.1")); got.ASN != "AS7" || got.Country == "" {
		t.Errorf("asn and the embedded country: %+v", got)
	}
	if has := l.Status().Has; !has.ASN || !has.Country || has.City {
		t.Errorf("Status says that it knows %v", has)
	}
}

func TestIPv4Only(t *testing.T) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{IPVersion: 4, DatabaseType: "v4", Description: map[string]string{"en": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	_, n, _ := net.ParseCIDR("1.1.1.0/24")
	if err := tree.Insert(n, m{"country_code": s("DE")}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	l := open1(t, b.Bytes())
	if got := l.Lookup(netip.MustParseAddr("1.1.1.1")).Country; got != "DE" {
		t.Errorf("v4: %q", got)
	}
	if got := l.Lookup(netip.MustParseAddr("2a00::1")); got != (Place{}) || l.Status().Failed != 0 {
		t.Errorf("v6: %+v", got)
	}
}

// Locations of DB-IP have to be credited: those of the binary, and of a file of theirs.
func TestCredit(t *testing.T) {
	l := Open(Options{})
	defer l.Close()
	if got := l.Credit(); got != Attribution {
		t.Errorf("of the embedded file: %q", got)
	}
	for kind, want := range map[string]string{"GeoLite2-City": "", "DBIP-City-Lite (compat=City)": Attribution} {
		if got := open1(t, build(t, kind, map[string]m{"1.1.1.0/24": cityRecord})).Credit(); got != want {
			t.Errorf("of %s: %q", kind, got)
		}
	}
}
