package importer

import (
	"errors"
	"strings"
)

// goatcounter is GoatCounter's CSV export, of version 2 (since 2.0) and 1. The first cell of its
// header is the version and the name of the first column.
var goatcounter = &preset{
	name: "goatcounter", about: "GoatCounter's CSV export (versions 1 and 2)", shapes: shapeCSV,
	needs: []string{"1path|2path", "title", "session", "date"},
	columns: map[string]string{
		"1path": "@path", "2path": "@path", "title": "@title", "event": "@event", "session": "@session", "bot": "@bot",
		"browser": "@browser", "system": "@system", "referrer": "@referrer", "referrer scheme": "@scheme",
		"screen size": "@screen", "location": "@location", "firstvisit": "extra.first_visit", "date": "time", "useragent": "@agent",
	},
	finish: func(b *builder) error {
		path := b.text("path")
		if path == "" {
			return errors.New("path: is missing")
		}
		if e := b.text("event"); e == "true" || e == "1" {
			b.Type, b.Name = "track", path
		} else {
			b.Type, b.Name = "page", b.text("title")
			b.contextText("path", path)
			b.contextText("title", b.text("title"))
			if b.Name == "" {
				b.Name = path
			}
		}
		b.Session, b.Anonymous = b.text("session"), b.text("session")
		if bot := b.text("bot"); bot != "" && bot != "0" {
			b.contextText("bot", "true")
		}
		for _, from := range [...][3]string{{"browser", "browser", "browser_version"}, {"system", "os", "os_version"}} {
			name, version := splitVersion(b.text(from[0]))
			if strings.Contains(name, "/") { // version 1 has the whole agent
				b.from("", b.text(from[0]), "")
				continue
			}
			b.contextText(from[1], name)
			b.contextText(from[2], version)
		}
		switch ref := b.text("referrer"); b.text("scheme") {
		case "h", "":
			if ref != "" && !strings.Contains(ref, "://") {
				ref = "https://" + ref
			}
			b.contextText("referrer", ref)
		case "c":
			b.contextText("utm_source", ref)
		default: // generated, other
			b.extra("referrer", b.get("referrer"))
		}
		if sizes := strings.FieldsFunc(b.text("screen"), func(r rune) bool { return r == ',' || r == 'x' }); len(sizes) >= 2 {
			b.contextText("screen", strings.TrimSpace(sizes[0])+"x"+strings.TrimSpace(sizes[1]))
		}
		country, region, _ := strings.Cut(b.text("location"), "-")
		b.contextText("country", country)
		b.contextText("region", region)
		if agent := b.text("agent"); agent != "" {
			b.from("", agent, "")
		}
		return nil
	},
}
