package importer

import "cairn/engine/event"

// posthog is PostHog's batch export as JSON lines (modelled on the events model of 2025).
var posthog = &preset{
	name: "posthog", about: "PostHog's batch export as JSON lines", shapes: shapeJSON,
	needs: []string{"event", "distinct_id", "timestamp", "properties"},
	columns: map[string]string{
		"uuid": "message_id", "event": "@event", "distinct_id": "@distinct", "timestamp": "time", "created_at": "-", "_inserted_at": "-",
		"team_id": "-", "project_id": "-", "person_id": "extra.person_id", "elements_chain": "extra.elements_chain", "elements": "-", "ip": "-",
		"person_properties": "@person", "set": "@set_column", "set_once": "@once_column", "bq_ingested_timestamp": "-", "site_url": "-",
		"properties":             "props",
		"properties/$*":          "extra.*",
		"properties/$set":        "@set",
		"properties/$set_once":   "@once",
		"properties/distinct_id": "-", "properties/token": "-", "properties/$ip": "-", "properties/$insert_id": "-",
		"properties/$device_id": "@device", "properties/$user_id": "@user", "properties/$session_id": "session", "properties/alias": "@alias",
		"properties/$current_url": "c.url", "properties/$pathname": "c.path", "properties/title": "c.title", "properties/$referrer": "c.referrer",
		"properties/$browser": "c.browser", "properties/$browser_version": "c.browser_version", "properties/$os": "c.os", "properties/$os_version": "c.os_version",
		"properties/$device_type": "c.device", "properties/$device_manufacturer": "c.brand", "properties/$device_model": "c.model",
		"properties/$browser_language": "c.language", "properties/$timezone": "c.timezone",
		"properties/$geoip_country_code": "c.country", "properties/$geoip_subdivision_1_code": "c.region", "properties/$geoip_city_name": "c.city",
		"properties/$geoip_latitude": "c.latitude", "properties/$geoip_longitude": "c.longitude",
		"properties/$screen_width": "@width", "properties/$screen_height": "@height", "properties/$screen_name": "@screen",
		"properties/$group_type": "@group_type", "properties/$group_key": "@group_key", "properties/$group_set": "@group_set",
		"properties/utm_source": "c.utm_source", "properties/utm_medium": "c.utm_medium", "properties/utm_campaign": "c.utm_campaign",
		"properties/utm_content": "c.utm_content", "properties/utm_term": "c.utm_term",
	},
	finish: func(b *builder) error {
		distinct, device := b.text("distinct"), b.text("device")
		if b.Anonymous = device; distinct == device || device == "" && b.text("user") == "" && isUUID(distinct) {
			b.Anonymous = distinct
		} else {
			b.User = distinct
		}
		name := b.text("event")
		switch b.Type, b.Name = event.Track, name; name {
		case "$pageview":
			b.Type, b.Name = event.Page, textOf(b.Context.Get("title"))
			if b.Name == "" {
				b.Name = textOf(b.Context.Get("path"))
			}
		case "$screen":
			b.Type, b.Name = event.Screen, b.text("screen")
		case "$identify":
			b.Type, b.Name = event.Identify, ""
			if b.User == "" {
				b.User = distinct
			}
			b.Properties = b.Properties[:0] // traits are what it sets
			b.traits("set", "set_column", "once", "once_column")
		case "$set":
			b.Type, b.Name = event.Identify, ""
			b.Properties = b.Properties[:0]
			b.traits("set", "set_column", "once", "once_column")
		case "$create_alias", "$merge_dangerously":
			b.Type, b.Name, b.Previous, b.User = event.Alias, "", b.text("alias"), distinct
			if b.Anonymous == distinct {
				b.Anonymous = ""
			}
			if b.Previous == "" {
				return skip("aliases without a second id")
			}
		case "$groupidentify":
			b.Type, b.Name = event.Group, ""
			if key := b.text("group_key"); key != "" {
				b.Groups = append(b.Groups, key)
			}
			b.Properties = b.Properties[:0]
			b.traits("group_set")
			b.propText("group_type", b.text("group_type"))
		}
		b.contextText("screen", sizeOf(b.text("width"), b.text("height")))
		return nil
	},
}

// traits makes properties of the members of objects.
func (b *builder) traits(names ...string) {
	for _, name := range names {
		if v := b.get(name); v.Kind != event.Absent {
			b.spread(target{slot: slotProps}, name, v)
		}
	}
}

// sizeOf is a width and a height as one text.
func sizeOf(width, height string) string {
	if width == "" || height == "" {
		return ""
	}
	return width + "x" + height
}

// isUUID reports whether an id was made by a program.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}
