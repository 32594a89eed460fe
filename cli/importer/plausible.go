package importer

import (
	"strings"

	"cairn/engine/event"
)

// plausible is the table events_v2 of Plausible CE (modelled on 2.1 and 3.0) as JSONEachRow or
// CSVWithNames, see docs/data.md. It has no id of an event.
var plausible = &preset{
	name: "plausible", about: "Plausible CE's table events_v2, as JSON or CSV", shapes: shapeCSV | shapeJSON,
	needs: []string{"name", "timestamp", "user_id", "session_id", "hostname", "pathname"},
	columns: map[string]string{
		"name": "@name", "timestamp": "time", "user_id": "anonymous", "session_id": "session", "hostname": "@hostname", "pathname": "@path",
		"site_id": "-", "meta.key": "@keys", "meta.value": "@values", "referrer": "@referrer", "referrer_source": "extra.referrer_source",
		"utm_source": "c.utm_source", "utm_medium": "c.utm_medium", "utm_campaign": "c.utm_campaign", "utm_content": "c.utm_content", "utm_term": "c.utm_term",
		"country_code": "@country", "subdivision1_code": "@region", "subdivision2_code": "extra.subdivision2_code", "city_geoname_id": "@city",
		"screen_size": "c.device", "browser": "c.browser", "browser_version": "c.browser_version",
		"operating_system": "c.os", "operating_system_version": "c.os_version",
		"revenue_reporting_amount": "value", "revenue_reporting_currency": "prop.currency",
		"revenue_source_amount": "@", "revenue_source_currency": "@", "interactive?": "@",
	},
	finish: func(b *builder) error {
		name, path := b.text("name"), b.text("path")
		switch name {
		case "engagement":
			return skip("engagement")
		case "pageview":
			b.Type, b.Name = event.Page, path
		default:
			b.Type, b.Name = event.Track, name
		}
		b.contextText("url", urlOf("https", b.text("hostname"), path, ""))
		if ref := b.text("referrer"); ref != "" {
			if !strings.Contains(ref, "://") {
				ref = "https://" + ref
			}
			b.contextText("referrer", ref)
		}
		b.contextText("country", strings.Trim(b.text("country"), "\x00 ")) // a FixedString
		region := b.text("region")
		if _, after, ok := strings.Cut(region, "-"); ok {
			region = after
		}
		b.contextText("region", region)
		if city := b.text("city"); city != "0" {
			b.extra("city_geoname_id", b.get("city"))
		}
		keys, values := b.clickhouse("keys"), b.clickhouse("values")
		for i := range min(len(keys), len(values)) {
			b.prop(textOf(keys[i]), values[i])
		}
		return nil
	},
}

// clickhouse is an array of texts: of JSON, or as ClickHouse writes it in CSV: ['a','b'].
func (b *builder) clickhouse(name string) []event.Value {
	v := b.get(name)
	if v.Kind == event.String && strings.HasPrefix(v.Text, "['") {
		var out strings.Builder
		for s, in := v.Text, false; s != ""; s = s[1:] {
			switch c := s[0]; {
			case c == '\\' && len(s) > 1:
				s = s[1:]
				switch s[0] {
				case '\'':
					out.WriteByte('\'')
				case 'n', 't', 'r', '\\', 'b', 'f', '0':
					out.WriteByte('\\')
					if s[0] == '0' {
						out.WriteString("u0000")
					} else {
						out.WriteByte(s[0])
					}
				default:
					out.WriteByte(s[0])
				}
			case c == '\'':
				in = !in
				out.WriteByte('"')
			case c == '"' && in:
				out.WriteString(`\"`)
			default:
				out.WriteByte(c)
			}
		}
		v = event.Str(out.String())
	}
	return b.array(v)
}
