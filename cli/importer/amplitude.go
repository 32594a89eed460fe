package importer

import "cairn/engine/event"

// amplitude is Amplitude's Export API (/api/2/export, modelled on 2025): a zip of .json.gz, or
// their lines. Times are UTC.
var amplitude = &preset{
	name: "amplitude", about: "Amplitude's export: a zip of .json.gz, or JSON lines", shapes: shapeJSON,
	needs: []string{"event_type", "event_time", "device_id|user_id"},
	columns: map[string]string{
		"event_type": "@event", "$insert_id": "@insert", "uuid": "@uuid", "event_time": "time", "user_id": "user", "device_id": "anonymous",
		"session_id": "@session", "event_properties": "props", "user_properties": "@traits", "groups": "@groups", "group_properties": "-",
		"country": "c.country", "region": "c.region", "city": "c.city", "os_name": "c.os", "os_version": "c.os_version",
		"device_type": "@device", "device_family": "@family", "device_brand": "c.brand", "device_manufacturer": "c.brand", "device_model": "c.model",
		"language": "@language", "location_lat": "c.latitude", "location_lng": "c.longitude", "ip_address": "-",
		"client_event_time": "-", "client_upload_time": "-", "server_received_time": "-", "server_upload_time": "-", "processed_time": "-",
		"$schema": "-", "schema": "-", "app": "-", "amplitude_event_type": "-", "data": "-", "data_type": "-", "event_id": "extra.event_id",
		"is_attribution_event": "-", "paying": "-", "sample_rate": "-", "library": "extra.library", "platform": "extra.platform",
		"event_properties/[amplitude] page url":      "c.url",
		"event_properties/[amplitude] page path":     "c.path",
		"event_properties/[amplitude] page title":    "c.title",
		"event_properties/[amplitude] *":             "extra.*",
		"event_properties/referrer":                  "c.referrer",
		"event_properties/utm_source":                "c.utm_source",
		"event_properties/utm_medium":                "c.utm_medium",
		"event_properties/utm_campaign":              "c.utm_campaign",
		"event_properties/utm_content":               "c.utm_content",
		"event_properties/utm_term":                  "c.utm_term",
		"event_properties/[amplitude] page location": "c.url",
	},
	finish: func(b *builder) error {
		name := b.text("event")
		switch b.Type, b.Name = event.Track, name; name {
		case "$identify":
			b.Type, b.Name = event.Identify, ""
			b.traits("traits")
		case "[Amplitude] Page Viewed":
			b.Type, b.Name = event.Page, textOf(b.Context.Get("title"))
			if b.Name == "" {
				b.Name = textOf(b.Context.Get("path"))
			}
		case "session_start", "session_end", "[Amplitude] Start Session", "[Amplitude] End Session":
			return skip("beginnings and ends of sessions")
		}
		if b.MessageID = b.text("insert"); b.MessageID == "" {
			b.MessageID = b.text("uuid")
		}
		if session := b.text("session"); session != "-1" && session != "0" {
			b.Session = session
		}
		// For the web, os_name is the browser and device_type the system.
		b.contextText("language", b.text("language"))
		if device := b.text("device"); textOf(b.Extra.Get("platform")) == "Web" {
			browser := textOf(b.Context.Get("os"))
			version := textOf(b.Context.Get("os_version"))
			b.Context.Delete("os")
			b.Context.Delete("os_version")
			b.contextText("browser", browser)
			b.contextText("browser_version", version)
			b.contextText("os", device)
		} else {
			b.contextText("model", device)
		}
		return nil
	},
}
