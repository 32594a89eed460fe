package importer

import (
	"strings"

	"cairn/engine/event"
)

// mixpanel is Mixpanel's Raw Event Export (/api/2.0/export, modelled on 2025): {event, properties}.
var mixpanel = &preset{
	name: "mixpanel", about: "Mixpanel's raw event export as JSON lines", shapes: shapeJSON,
	needs: []string{"event", "properties"},
	columns: map[string]string{
		"event":      "@event",
		"properties": "props", "properties/$*": "extra.*", "properties/mp_*": "extra.*",
		"properties/time": "time", "properties/$insert_id": "message_id", "properties/distinct_id": "@distinct",
		"properties/$user_id": "@user", "properties/$device_id": "@device", "properties/$mp_api_endpoint": "-", "properties/$import": "-",
		"properties/mp_processing_time_ms": "-", "properties/$mp_api_timestamp_ms": "-", "properties/mp_lib": "-", "properties/token": "-",
		"properties/$current_url": "c.url", "properties/current_page_title": "c.title", "properties/$referrer": "c.referrer",
		"properties/mp_country_code": "c.country", "properties/$region": "c.region", "properties/$city": "c.city", "properties/$os": "c.os",
		"properties/$browser": "c.browser", "properties/$browser_version": "c.browser_version", "properties/$os_version": "c.os_version",
		"properties/$device": "c.model", "properties/$model": "c.model", "properties/$brand": "c.brand", "properties/$manufacturer": "c.brand",
		"properties/$screen_width": "@width", "properties/$screen_height": "@height", "properties/$timezone": "c.timezone",
		"properties/utm_source": "c.utm_source", "properties/utm_medium": "c.utm_medium", "properties/utm_campaign": "c.utm_campaign",
		"properties/utm_content": "c.utm_content", "properties/utm_term": "c.utm_term",
	},
	finish: func(b *builder) error {
		name := b.text("event")
		switch b.Type, b.Name = event.Track, name; name {
		case "$mp_web_page_view":
			b.Type, b.Name = event.Page, textOf(b.Context.Get("title"))
		case "$identify", "$create_alias", "$merge":
			return skip("mergers of ids, which Mixpanel has carried out")
		}
		distinct := b.text("distinct")
		device, isDevice := strings.CutPrefix(distinct, "$device:")
		b.User, b.Anonymous = b.text("user"), b.text("device")
		switch {
		case isDevice:
			b.Anonymous = device
		case b.User == "" && distinct != b.Anonymous:
			b.User = distinct
		}
		b.contextText("screen", sizeOf(b.text("width"), b.text("height")))
		return nil
	},
}
