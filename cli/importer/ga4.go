package importer

import (
	"cairn/engine/event"
)

// ga4 is a table events_* of Google Analytics 4 in BigQuery as JSON lines (modelled on the schema
// of 2025).
var ga4 = &preset{
	name: "ga4", about: "Google Analytics 4's BigQuery export as JSON lines", shapes: shapeJSON,
	needs: []string{"event_name", "event_timestamp", "user_pseudo_id|user_id", "event_params"},
	columns: map[string]string{
		"event_name": "@event", "event_timestamp": "time", "event_date": "-", "event_previous_timestamp": "-", "event_params": "@params",
		"user_pseudo_id": "anonymous", "user_id": "user", "user_properties": "@user_properties", "event_value_in_usd": "-",
		"event_bundle_sequence_id": "-", "event_server_timestamp_offset": "-", "user_first_touch_timestamp": "-", "user_ltv": "-",
		"batch_event_index": "-", "batch_page_id": "-", "batch_ordering_id": "-", "stream_id": "-", "platform": "extra.platform",
		"privacy_info": "-", "is_active_user": "-", "event_dimensions": "-", "items": "@items",
		"geo/country": "c.country", "geo/region": "c.region", "geo/city": "c.city", "geo/*": "-",
		"device/category": "c.device", "device/operating_system": "c.os", "device/operating_system_version": "c.os_version",
		"device/web_info/browser": "c.browser", "device/web_info/browser_version": "c.browser_version", "device/browser": "c.browser",
		"device/browser_version": "c.browser_version", "device/web_info/*": "-",
		"device/language": "c.language", "device/mobile_brand_name": "c.brand", "device/mobile_model_name": "c.model", "device/*": "-",
		"collected_traffic_source/manual_source": "c.utm_source", "collected_traffic_source/manual_medium": "c.utm_medium",
		"collected_traffic_source/manual_campaign_name": "c.utm_campaign", "collected_traffic_source/manual_term": "c.utm_term",
		"collected_traffic_source/manual_content": "c.utm_content", "collected_traffic_source/gclid": "c.click_id", "collected_traffic_source/*": "-",
		"traffic_source/source": "@first_source", "traffic_source/medium": "@first_medium", "traffic_source/name": "@first_name", "traffic_source/*": "-",
		"session_traffic_source_last_click": "-",
		"ecommerce/transaction_id":          "@order", "ecommerce/purchase_revenue": "@revenue", "ecommerce/tax_value": "prop.tax",
		"ecommerce/shipping_value": "prop.shipping", "ecommerce/*": "-",
	},
	finish: finishGA4,
}

// newGA4Params is the table of parameters that have a place of their own.
func newGA4Params() *table {
	t, err := newTable(map[string]string{
		"page_location": "c.url", "page_title": "c.title", "page_referrer": "c.referrer", "ga_session_id": "@session",
		"source": "c.utm_source", "medium": "c.utm_medium", "campaign": "c.utm_campaign", "term": "c.utm_term", "content": "c.utm_content",
		"firebase_screen": "@screen", "firebase_screen_class": "@screen_class", "screen_name": "@screen", "value": "value", "transaction_id": "@order",
		"ga_session_number": "-", "engaged_session_event": "-", "session_engaged": "-", "batch_ordering_id": "-", "batch_page_id": "-",
		"entrances": "-", "ignore_referrer": "-", "engagement_time_msec": "extra.engagement_time_msec", "gclid": "c.click_id",
		"search_term": "@search", "link_url": "@link", "file_name": "@file", "outbound": "@outbound", "*": "prop.*",
	})
	if err != nil {
		panic(err) // the table is a constant
	}
	return t
}

func finishGA4(b *builder) error {
	name := b.text("event")
	switch name {
	case "session_start", "first_visit", "first_open", "user_engagement":
		return skip("beginnings of sessions and engagement")
	}
	if b.params == nil {
		b.params = newGA4Params()
	}
	params := b.params
	for _, v := range b.array(b.get("params")) {
		o, err := v.Object(&b.parser)
		if err != nil {
			continue
		}
		key := textOf(o.Get("key"))
		if value := b.ga4Value(o.Get("value")); key != "" && value.Kind != event.Absent {
			b.put(params.find(key), key, value)
		}
	}
	if session := b.text("session"); session != "" {
		b.Session = session + "." + b.Anonymous
	}
	switch b.Type, b.Name = event.Track, name; name {
	case "page_view":
		if b.Type, b.Name = event.Page, textOf(b.Context.Get("title")); b.Name == "" {
			b.Name = textOf(b.Context.Get("url"))
		}
	case "screen_view":
		if b.Type, b.Name = event.Screen, b.text("screen"); b.Name == "" {
			b.Name = b.text("screen_class")
		}
	case "view_search_results":
		if term := b.text("search"); term != "" {
			b.Type, b.Name = event.Search, term
		}
	case "file_download":
		if link := b.text("link"); link != "" {
			b.Type, b.Name = event.Download, link
		}
	case "click":
		if link := b.text("link"); link != "" && b.text("outbound") == "true" {
			b.Type, b.Name = event.Outlink, link
		}
	case "purchase":
		b.Type, b.Name = event.Order, b.text("order")
		b.propText("order_id", b.Name)
		if revenue := numberOf(b.text("revenue")); revenue.Kind == event.Number {
			b.Value = revenue
		}
		b.items()
	}
	if b.Type == event.Track {
		b.propText("search_term", b.text("search"))
		b.propText("link_url", b.text("link"))
		b.items()
	}
	b.contextText("utm_source", filled(b.text("first_source")))
	b.contextText("utm_medium", filled(b.text("first_medium")))
	b.contextText("utm_campaign", filled(b.text("first_name")))
	return nil
}

// ga4Value is the one of string_value, int_value, float_value and double_value that is there.
func (b *builder) ga4Value(v event.Value) event.Value {
	o, err := v.Object(&b.parser)
	if err != nil {
		return event.Value{}
	}
	for _, key := range [...]string{"string_value", "int_value", "float_value", "double_value"} {
		one := o.Get(key)
		if one.Kind == event.Absent || one.Kind == event.Null {
			continue
		}
		if key != "string_value" && one.Kind == event.String { // BigQuery writes INT64 as a text
			return numberOf(one.Text)
		}
		return one
	}
	return event.Value{}
}

// ga4Items are the parts of an item that are kept, by cairn's names of an order's items.
var ga4Items = [...][2]string{{"item_id", "sku"}, {"item_name", "name"}, {"item_category", "category"}, {"price", "price"}, {"quantity", "quantity"}}

// items makes the property items of what was bought or looked at.
func (b *builder) items() {
	list := b.array(b.get("items"))
	if len(list) == 0 {
		return
	}
	out := []byte{'['}
	for _, v := range list {
		o, err := v.Object(&b.parser)
		if err != nil {
			continue
		}
		var item event.Object
		for _, pair := range ga4Items {
			one := o.Get(pair[0])
			if one.Kind == event.String && (pair[1] == "price" || pair[1] == "quantity") {
				one = numberOf(one.Text)
			}
			if one.Kind != event.Absent && one.Kind != event.Null && filled(textOf(one)) != "" {
				item = append(item, event.Member{Key: pair[1], Value: one})
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = event.AppendObject(out, item)
	}
	b.prop("items", event.Raw(string(append(out, ']'))))
}
