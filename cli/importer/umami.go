package importer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cairn/engine/event"
)

// This file reads Umami's tables (modelled on version 2.19 and 3.0): website_event joined with
// session as CSV, see docs/data.md, and event_data beside it.

var umami = &preset{
	name: "umami", about: "Umami's website_event joined with session, as CSV", shapes: shapeCSV | shapeJSON,
	needs: []string{"event_id", "event_type", "created_at", "session_id", "website_id"},
	columns: map[string]string{
		"event_id": "message_id", "event_type": "@type", "event_name": "@event", "created_at": "time", "session_id": "anonymous",
		"visit_id": "session", "distinct_id": "user", "website_id": "-", "hostname": "@hostname", "url_path": "@path", "url_query": "@query",
		"page_title": "@title", "referrer_domain": "@ref_domain", "referrer_path": "@ref_path", "referrer_query": "@ref_query",
		"country": "c.country", "region": "@region", "subdivision1": "@region", "city": "c.city", "browser": "c.browser", "os": "c.os",
		"device": "c.device", "screen": "c.screen", "language": "c.language",
		"utm_source": "c.utm_source", "utm_medium": "c.utm_medium", "utm_campaign": "c.utm_campaign", "utm_content": "c.utm_content", "utm_term": "c.utm_term",
		"event_data": "props",
	},
	beside: umamiData,
}

// umamiTypes are the types of website_event.
var umamiTypes = map[string]event.Type{"1": event.Page, "2": event.Track, "3": event.Outlink, "4": event.Track}

func finishUmami(b *builder, data map[string]event.Object) error {
	url := urlOf("https", b.text("hostname"), b.text("path"), b.text("query"))
	switch kind := b.text("type"); kind {
	case "5":
		return skip("performance measurements")
	default:
		t, ok := umamiTypes[kind]
		if !ok {
			return fmt.Errorf("event_type: %.20q is not known", kind)
		}
		if b.Type = t; t == event.Page {
			b.Name = b.text("title")
		} else if b.Name = b.text("event"); b.Name == "" {
			b.Name = map[string]string{"2": "event", "3": url, "4": "pixel"}[kind]
		}
		if b.Name == "" {
			b.Name = b.text("path")
		}
	}
	b.contextText("url", url)
	b.contextText("title", b.text("title"))
	if domain := b.text("ref_domain"); domain != "" {
		b.contextText("referrer", urlOf("https", domain, b.text("ref_path"), b.text("ref_query")))
	}
	region := b.text("region")
	if _, after, ok := strings.Cut(region, "-"); ok {
		region = after
	}
	b.contextText("region", region)
	for _, m := range data[b.MessageID] {
		b.prop(m.Key, m.Value)
	}
	return nil
}

// besideName is the table of properties, and besideBytesMax how long its texts may be together:
// they are held in memory.
const (
	besideName     = "event_data.csv"
	besideBytesMax = 256 << 20
)

// isBeside reports whether a file is read together with another one.
func isBeside(name string) bool {
	base := filepath.Base(name)
	return base == besideName || base == besideName+".gz" || base == besideName+".zst"
}

// umamiData reads the properties in event_data.csv beside a file.
func umamiData(dir string) (func(*builder) error, error) {
	data := map[string]event.Object{}
	for _, ending := range []string{"", ".gz", ".zst"} {
		name := filepath.Join(dir, besideName+ending)
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		n := int64(0)
		if err := openFile(name, nil, &n, func(m *member) error { return readUmamiData(m, data) }); err != nil {
			return nil, err
		}
		break
	}
	return func(b *builder) error { return finishUmami(b, data) }, nil
}

// umamiDataColumns are the columns of event_data. data_type is 1 for a text, 2 a number, 3 a
// boolean, 4 a date, 5 an array.
var umamiDataColumns = map[string]string{
	"website_event_id": "@event", "data_key": "@key", "data_type": "@type",
	"string_value": "@string", "number_value": "@number", "date_value": "@date", "*": "-",
}

func readUmamiData(m *member, data map[string]event.Object) error {
	l, err := lookAt(&member{name: m.name, in: m.in})
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return &FileError{m.name, 0, err}
	}
	for _, need := range []string{"website_event_id", "data_key", "data_type"} {
		if !has(l.lower, need) {
			return &FileError{m.name, 0, fmt.Errorf("is not Umami's event_data: it lacks %s. It is %s", need, l.kind())}
		}
	}
	t, err := newTable(umamiDataColumns)
	if err != nil {
		return err
	}
	from, err := newCSV(m, l.columns, l.comma, t)
	if err != nil {
		return &FileError{m.name, 0, err}
	}
	var b builder
	for size := 0; ; {
		b.reset()
		_, line, err := from.next(&b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &FileError{m.name, line, err}
		}
		v := event.Str(b.text("string"))
		switch b.text("type") {
		case "2":
			if v = numberOf(b.text("number")); v.Kind == event.Absent {
				v = numberOf(b.text("string"))
			}
		case "3":
			v = event.Boolean(b.text("string") == "true")
		case "4":
			if date := b.text("date"); date != "" {
				v = event.Str(date)
			}
		}
		id, key := strings.Clone(b.text("event")), strings.Clone(b.text("key"))
		v.Text = strings.Clone(v.Text)
		if size += len(id) + len(key) + len(v.Text) + 64; size > besideBytesMax {
			return &FileError{m.name, line, fmt.Errorf("has more than %d MiB of properties; export and import a year or a month at a time", besideBytesMax>>20)}
		}
		o := data[id]
		set(&o, key, v)
		data[id] = o
	}
}
