package importer

import "cairn/engine/event"

// openpanel is the JSON lines of OpenPanel's export, of schema_version 1.
var openpanel = &preset{
	name: "openpanel", about: "OpenPanel's export as JSON lines (schema_version 1)", shapes: shapeJSON,
	needs: []string{"event_name", "event_time", "device_id", "schema_version|event_id|project_id"},
	columns: map[string]string{
		"event_name": "@event", "event_time": "time", "ingested_at": "received", "user_id": "@user", "profile_id": "@user", "device_id": "anonymous",
		"session_id": "session", "event_id": "message_id", "properties": "props", "schema_version": "-", "project_id": "-",
		"country": "c.country", "city": "c.city", "region": "c.region", "latitude": "c.latitude", "longitude": "c.longitude",
		"os": "c.os", "os_version": "c.os_version", "browser": "c.browser", "browser_version": "c.browser_version",
		"device": "c.device", "brand": "c.brand", "model": "c.model", "path": "@path", "origin": "@origin", "referrer": "c.referrer",
		"referrer_name": "extra.referrer_name", "referrer_type": "extra.referrer_type", "duration": "extra.duration",
	},
	finish: func(b *builder) error {
		switch name := b.text("event"); name {
		case "session_start", "session_end":
			return skip("beginnings and ends of sessions")
		case "screen_view":
			b.Type, b.Name = event.Page, name
			if title := textOf(b.Properties.Get("__title")); title != "" {
				b.contextText("title", title)
			}
		default:
			b.Type, b.Name = event.Track, name
		}
		if user := b.text("user"); user != b.Anonymous {
			b.User = user // OpenPanel writes the device's id where nobody is known
		}
		origin, path := b.text("origin"), b.text("path")
		if origin != "" && path != "" && path[0] != '/' {
			path = "/" + path
		}
		b.contextText("url", origin+path)
		b.contextText("path", path)
		return nil
	},
}
