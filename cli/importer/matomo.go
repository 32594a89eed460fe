package importer

import (
	"errors"
	"fmt"
	"strings"

	"cairn/engine/event"
)

// This file reads the rows of Matomo's log tables (modelled on 4 and 5), as the query in
// docs/data.md gives them: a row an action, and a row a conversion.

var matomo = &preset{
	name: "matomo", about: "Matomo's log tables as TSV, or Live.getLastVisitsDetails as JSON", shapes: shapeCSV,
	needs: []string{"idvisit", "idvisitor", "server_time", "idlink_va", "url"},
	columns: map[string]string{
		"idsite": "-", "idvisit": "session", "idvisitor": "anonymous", "user_id": "user", "server_time": "time", "idlink_va": "@action",
		"interaction_position": "@position", "idpageview": "-", "time_spent_ref_action": "-",
		"url": "@url", "url_type": "@url_type", "url_prefix": "@url_prefix", "title": "@title", "title_type": "@title_type",
		"event_category": "@category", "event_action": "@event", "custom_float": "@float", "search_cat": "@search_cat", "search_count": "@search_count",
		"content_name": "@content", "content_piece": "@piece", "content_target": "@target", "content_interaction": "@interaction",
		"idgoal": "@goal", "goal_name": "@goal_name", "buster": "@buster", "idorder": "@order", "items": "@items",
		"revenue": "@revenue", "revenue_subtotal": "@subtotal", "revenue_tax": "@tax", "revenue_shipping": "@shipping", "revenue_discount": "@discount",
		"referer_type": "@ref_type", "referer_url": "@ref_url", "referer_name": "@ref_name", "referer_keyword": "@ref_keyword",
		"config_os": "@os", "config_os_version": "c.os_version", "config_browser_name": "@browser", "config_browser_version": "c.browser_version",
		"config_device_type": "@device", "config_device_brand": "c.brand", "config_device_model": "c.model", "config_resolution": "@resolution",
		"location_country": "@country", "location_region": "c.region", "location_city": "c.city", "location_browser_lang": "@lang",
		"location_latitude": "c.latitude", "location_longitude": "c.longitude", "location_ip": "-",
	},
	finish: finishMatomo,
}

// matomoPrefixes are the beginnings of addresses that log_action.url_prefix stands for.
var matomoPrefixes = map[string]string{"0": "http://", "1": "http://www.", "2": "https://", "3": "https://www."}

func finishMatomo(b *builder) error {
	url := matomoPrefixes[b.text("url_prefix")] + b.text("url")
	if b.Anonymous = strings.ToLower(b.Anonymous); b.Anonymous == "0000000000000000" {
		b.Anonymous = ""
	}
	goal := b.text("goal")
	switch action := b.text("action"); {
	case goal != "":
		if err := matomoConversion(b, goal); err != nil {
			return err
		}
		b.MessageID = "c" + b.Session + "-" + goal + "-" + b.text("buster")
		b.contextText("url", url)
	case action == "":
		return errors.New("idlink_va: neither an action nor a conversion (idgoal)")
	default:
		b.MessageID = "a" + action
		if err := matomoAction(b, url); err != nil {
			return err
		}
	}
	// What the visit came from belongs to its first action.
	if position := b.text("position"); position == "" && goal == "" || position == "1" {
		matomoReferrer(b, b.text("ref_type"), b.text("ref_url"), b.text("ref_name"), b.text("ref_keyword"))
	}
	b.contextText("os", coded(matomoSystems, b.text("os")))
	b.contextText("browser", coded(matomoBrowsers, b.text("browser")))
	b.contextText("device", matomoDevices[b.text("device")])
	if size := b.text("resolution"); size != "unknown" && size != "0x0" {
		b.contextText("screen", size)
	}
	if country := b.text("country"); country != "xx" && country != "" {
		b.contextText("country", strings.ToUpper(country))
	}
	if lang, _, _ := strings.Cut(b.text("lang"), ","); lang != "xx" {
		b.contextText("language", lang)
	}
	return nil
}

// matomoAction makes the event of a row of log_link_visit_action.
func matomoAction(b *builder, url string) error {
	title := b.text("title")
	kind := b.text("url_type")
	switch {
	case b.text("event") != "":
		b.Type, b.Name = event.Track, b.text("event")
		b.propText("category", b.text("category"))
		b.propText("action", b.text("event"))
		b.propText("label", title)
		b.Value = numberOf(b.text("float"))
		b.contextText("url", url)
	case b.text("content") != "":
		b.Type, b.Name = event.Content, b.text("content")
		b.propText("piece", b.text("piece"))
		b.propText("target", b.text("target"))
		b.propText("interaction", b.text("interaction"))
		b.contextText("url", url)
	case b.text("title_type") == "8":
		b.Type, b.Name = event.Search, title
		b.propText("category", b.text("search_cat"))
		b.prop("count", numberOf(b.text("search_count")))
		b.contextText("url", url)
	case kind == "2":
		b.Type, b.Name = event.Outlink, url
	case kind == "3":
		b.Type, b.Name = event.Download, url
	case kind == "1" || kind == "4" || kind == "":
		b.Type, b.Name = event.Page, title
		b.contextText("url", url)
		b.contextText("title", title)
		if b.Name == "" {
			b.Name = pathOf(url)
		}
	default:
		return fmt.Errorf("url_type: %.20q is not known", kind)
	}
	return nil
}

// pathOf is the path of an address.
func pathOf(url string) string {
	if _, after, ok := strings.Cut(url, "://"); ok {
		url = after
	}
	if at := strings.IndexByte(url, '/'); at >= 0 {
		url, _, _ = strings.Cut(url[at:], "?")
		return url
	}
	return "/"
}

// matomoConversion makes the event of a row of log_conversion: goal 0 is an order, -1 a cart.
func matomoConversion(b *builder, goal string) error {
	switch goal {
	case "0":
		if b.Type, b.Name = event.Order, b.text("order"); b.Name == "" {
			return errors.New("idorder: is missing")
		}
		b.propText("order_id", b.Name)
	case "-1":
		b.Type = event.Cart
	default:
		b.Type = event.Goal
		if b.Name = b.text("goal_name"); b.Name == "" {
			b.Name = "goal " + goal
		}
		b.prop("goal_id", numberOf(goal))
		b.Value = positive(b.text("revenue"))
		return nil
	}
	b.Value = numberOf(b.text("revenue"))
	for _, name := range []string{"subtotal", "tax", "shipping", "discount"} {
		b.prop(name, positive(b.text(name)))
	}
	b.extra("items", positive(b.text("items"))) // how many
	return nil
}

// matomoReferrer puts where a visit came from: 1 direct, 2 a search engine, 3 a website, 6 a
// campaign, 7 a social network.
func matomoReferrer(b *builder, kind, url, name, keyword string) {
	switch kind {
	case "2", "3", "7", "search", "website", "social":
		b.contextText("referrer", url)
		if keyword != "" && (kind == "2" || kind == "search") {
			b.extra("referrer_keyword", event.Str(keyword))
		}
	case "6", "campaign":
		b.contextText("referrer", url)
		b.contextText("utm_campaign", name)
		b.contextText("utm_term", keyword)
	}
}

// coded is the name of a code, or the code where it has none.
func coded(names map[string]string, code string) string {
	if name, ok := names[code]; ok {
		return name
	}
	return code
}

// The codes that Matomo's tables have for systems, browsers and devices, as far as they are common.
var (
	matomoSystems = map[string]string{
		"WIN": "Windows", "MAC": "macOS", "LIN": "Linux", "AND": "Android", "IOS": "iOS", "IPA": "iPadOS", "COS": "Chrome OS", "UBT": "Linux",
		"DEB": "Linux", "FED": "Linux", "ARL": "Linux", "MIN": "Linux", "SSE": "Linux", "TIZ": "Tizen", "WPH": "Windows Phone", "WMO": "Windows Mobile",
		"HAR": "HarmonyOS", "KOS": "KaiOS", "BLB": "BlackBerry OS", "FOS": "Firefox OS", "PS3": "PlayStation", "XBX": "Xbox", "TVO": "tvOS",
		"WAS": "watchOS", "BSD": "FreeBSD", "UNK": "",
	}
	matomoBrowsers = map[string]string{
		"CH": "Chrome", "CM": "Chrome", "CI": "Chrome", "CR": "Chrome", "CV": "Chrome", "HC": "Chrome", "FF": "Firefox", "FM": "Firefox", "SF": "Safari", "MF": "Safari",
		"PS": "Edge", "ED": "Edge", "IE": "Internet Explorer", "IM": "Internet Explorer", "OP": "Opera", "OM": "Opera", "OI": "Opera", "SB": "Samsung Internet",
		"AN": "Android Browser", "BR": "Brave", "VI": "Vivaldi", "YA": "Yandex Browser", "UC": "UC Browser", "DD": "DuckDuckGo", "MI": "MIUI Browser", "UNK": "",
	}
	matomoDevices = map[string]string{
		"0": "desktop", "1": "smartphone", "2": "tablet", "3": "smartphone", "4": "console", "5": "tv", "6": "car", "10": "smartphone", "12": "wearable",
	}
)
