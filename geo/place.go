package geo

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Place is what is known about the place of an address. A field is "" when it is not
// known. Strings are valid UTF-8 of at most placeTextBytesMax bytes.
type Place struct {
	Country             string // ISO 3166-1 alpha-2, capitals
	Region              string // English name, or the file's code when it has no name
	City                string // English name
	TimeZone            string // IANA name
	Latitude, Longitude string // decimal degrees as number literals; both or neither
	ASN                 string // "AS" and the number
	Organization        string // operator of the autonomous system
}

// placeTextBytesMax bounds every text of a Place, in bytes. A longer one is cut at a
// rune. The longest name in GeoNames has 200 bytes, but no region or city has one as
// long as that.
const placeTextBytesMax = 128

// Has says which levels of geography a Place or a file knows.
type Has struct{ Country, Region, City, Coordinates, TimeZone, ASN bool }

// String lists the known levels for people.
func (h Has) String() string {
	var names []string
	for _, l := range []struct {
		has  bool
		name string
	}{{h.Country, "country"}, {h.Region, "region"}, {h.City, "city"}, {h.Coordinates, "coordinates"}, {h.TimeZone, "timezone"}, {h.ASN, "asn"}} {
		if l.has {
			names = append(names, l.name)
		}
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, " ")
}

func (h Has) or(o Has) Has {
	return Has{h.Country || o.Country, h.Region || o.Region, h.City || o.City, h.Coordinates || o.Coordinates, h.TimeZone || o.TimeZone, h.ASN || o.ASN}
}

// Has returns which fields are known.
func (p *Place) Has() Has {
	return Has{p.Country != "", p.Region != "", p.City != "", p.Latitude != "", p.TimeZone != "", p.ASN != ""}
}

// fill adds from o what p does not know. It adds no city, region, zone or point of
// another country.
func (p *Place) fill(o *Place) {
	if p.Country == "" || o.Country == "" || p.Country == o.Country {
		if p.City == "" && (p.Region == "" || p.Region == o.Region) {
			p.City = o.City
		}
		if p.Region == "" {
			p.Region = o.Region
		}
		if p.TimeZone == "" {
			p.TimeZone = o.TimeZone
		}
		if p.Latitude == "" {
			p.Latitude, p.Longitude = o.Latitude, o.Longitude
		}
	}
	if p.Country == "" {
		p.Country = o.Country
	}
	if p.ASN == "" {
		p.ASN, p.Organization = o.ASN, o.Organization
	}
}

// placeOf reads one record of any schema in use. It looks for known fields and ignores
// the type of the database, which vendors choose freely:
//
//	MaxMind, DB-IP, IP2Location  country.iso_code, city.names.en, location.latitude …
//	ipinfo, ip-location-db       country_code or country, region, city, lat, lng, asn …
func placeOf(record map[string]any) Place {
	var p Place
	p.Country = countryCode(first(record, "country", "iso_code"), first(record, "country_code"), first(record, "country"))
	p.Region = text(
		first(record, "subdivisions", 0, "names", "en"), first(record, "subdivisions", 0, "iso_code"),
		first(record, "region"), first(record, "region_name"), first(record, "state1"), first(record, "state"))
	p.City = text(first(record, "city", "names", "en"), first(record, "city"), first(record, "city_name"))
	p.TimeZone = text(first(record, "location", "time_zone"), first(record, "timezone"), first(record, "time_zone"))
	lat := degrees(90, first(record, "location", "latitude"), first(record, "latitude"), first(record, "lat"))
	lon := degrees(180, first(record, "location", "longitude"), first(record, "longitude"), first(record, "lng"), first(record, "lon"))
	if lat != "" && lon != "" {
		p.Latitude, p.Longitude = lat, lon
	}
	p.ASN = asn(first(record, "autonomous_system_number"), first(record, "asn"), first(record, "as_number"))
	if p.ASN != "" {
		p.Organization = text(first(record, "autonomous_system_organization"), first(record, "as_name"), first(record, "as_organization"))
	}
	return p
}

// first follows path through maps and arrays. It returns nil when there is nothing.
func first(v any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			a, _ := v.([]any)
			if key >= len(a) {
				return nil
			}
			v = a[key]
		}
	}
	return v
}

func countryCode(candidates ...any) string {
	for _, c := range candidates {
		s, _ := c.(string)
		if len(s) != 2 {
			continue
		}
		s = strings.ToUpper(s)
		if s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' || s == "ZZ" || s == "XX" {
			continue // files write ZZ or XX for "not known"
		}
		return strings.Clone(s)
	}
	return ""
}

func text(candidates ...any) string {
	for _, c := range candidates {
		s, _ := c.(string)
		if s == "" || s == "-" { // IP2Location writes - for an empty text
			continue
		}
		if s = clean(s); s != "" {
			return s
		}
	}
	return ""
}

// clean returns s as valid UTF-8 without control characters, cut to placeTextBytesMax
// bytes.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	if len(s) > placeTextBytesMax {
		n := placeTextBytesMax
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.Clone(s)
}

func degrees(limit float64, candidates ...any) string {
	for _, c := range candidates {
		var f float64
		switch v := c.(type) {
		case float64:
			f = v
		case float32:
			// The shortest decimal that is this float32: 51.5, not 51.5000001.
			f, _ = strconv.ParseFloat(strconv.FormatFloat(float64(v), 'f', -1, 32), 64)
		case string:
			var err error
			if f, err = strconv.ParseFloat(v, 64); err != nil {
				continue
			}
		default:
			continue
		}
		if math.IsNaN(f) || f < -limit || f > limit {
			continue
		}
		f = math.Round(f*1e4) / 1e4 // 11 m: no address is known more exactly
		if f == 0 {
			f = 0 // not "-0"
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return ""
}

func asn(candidates ...any) string {
	for _, c := range candidates {
		var n uint64
		switch v := c.(type) {
		case uint64:
			n = v
		case uint32:
			n = uint64(v)
		case uint16:
			n = uint64(v)
		case int32:
			n = uint64(max(v, 0))
		case string:
			digits := strings.TrimPrefix(strings.ToUpper(v), "AS")
			n, _ = strconv.ParseUint(digits, 10, 32)
		}
		if n > 0 && n <= math.MaxUint32 {
			return "AS" + strconv.FormatUint(n, 10)
		}
	}
	return ""
}
