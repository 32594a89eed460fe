package importer

import (
	"strings"

	"cairn/engine/event"
)

// matomoLive reads the visits of Matomo's Live.getLastVisitsDetails (modelled on 5): each has its
// actions.
var matomoLive = &preset{
	name: "matomo", about: matomo.about, shapes: shapeJSON,
	needs:   []string{"idvisit", "visitorid", "actiondetails"},
	columns: map[string]string{"*": "@"},
	many:    matomoVisit,
}

// matomoVisit emits the events of a visit.
func matomoVisit(b *builder, emit func() error) error {
	visit := event.Object(append([]event.Member(nil), b.vars...))
	of := func(key string) string { return textOf(visit.Get(key)) }
	actions := b.array(visit.Get("actionDetails"))
	if len(actions) == 0 {
		return skip("visits without actions")
	}
	seen := false
	for _, v := range actions {
		action, err := v.Object(&b.parser)
		if err != nil {
			return refusal{"actionDetails: is not a list of objects"}
		}
		b.clear()
		at := func(key string) string { return textOf(action.Get(key)) }
		if !matomoLiveAction(b, at, action) {
			continue
		}
		b.Session, b.Anonymous, b.User = of("idVisit"), strings.ToLower(of("visitorId")), of("userId")
		b.moment(slotTime, "timestamp", action.Get("timestamp"))
		b.MessageID = matomoLiveID(b, at)
		if !seen {
			seen = true
			matomoReferrer(b, of("referrerType"), of("referrerUrl"), of("referrerName"), of("referrerKeyword"))
		}
		for _, pair := range [...][2]string{
			{"operatingSystemName", "os"}, {"operatingSystemVersion", "os_version"}, {"browserName", "browser"}, {"browserVersion", "browser_version"},
			{"deviceType", "device"}, {"deviceBrand", "brand"}, {"deviceModel", "model"}, {"resolution", "screen"}, {"regionCode", "region"},
			{"city", "city"}, {"latitude", "latitude"}, {"longitude", "longitude"}, {"languageCode", "language"},
		} {
			if text := of(pair[0]); text != "Unknown" && text != "unknown" {
				b.contextText(pair[1], text)
			}
		}
		if country := of("countryCode"); country != "xx" {
			b.contextText("country", strings.ToUpper(country))
		}
		if err := emit(); err != nil {
			return err
		}
	}
	if !seen {
		return skip("visits without actions")
	}
	return nil
}

// matomoLiveAction makes the event of an action. It is false for one that is none.
func matomoLiveAction(b *builder, at func(string) string, action event.Object) bool {
	url := at("url")
	switch at("type") {
	case "action":
		b.Type, b.Name = event.Page, at("pageTitle")
		if b.Name == "" {
			b.Name = at("title")
		}
		b.contextText("title", b.Name)
		if b.Name == "" {
			b.Name = pathOf(url)
		}
	case "outlink":
		b.Type, b.Name, url = event.Outlink, url, ""
	case "download":
		b.Type, b.Name, url = event.Download, url, ""
	case "search":
		b.Type, b.Name = event.Search, at("siteSearchKeyword")
		b.propText("category", at("siteSearchCategory"))
		b.prop("count", numberOf(at("siteSearchCount")))
	case "event":
		b.Type, b.Name = event.Track, at("eventAction")
		b.propText("category", at("eventCategory"))
		b.propText("action", at("eventAction"))
		b.propText("label", at("eventName"))
		b.Value = numberOf(at("eventValue"))
	case "content":
		b.Type, b.Name = event.Content, at("contentName")
		b.propText("piece", at("contentPiece"))
		b.propText("target", at("contentTarget"))
		b.propText("interaction", at("contentInteraction"))
	case "goal":
		b.Type, b.Name = event.Goal, at("goalName")
		b.prop("goal_id", numberOf(at("goalId")))
		b.Value = positive(at("revenue"))
	case "ecommerceOrder", "ecommerceAbandonedCart":
		if b.Type, b.Name = event.Cart, ""; at("type") == "ecommerceOrder" {
			b.Type, b.Name = event.Order, at("orderId")
			b.propText("order_id", b.Name)
		}
		b.Value = numberOf(at("revenue"))
		for _, pair := range [...][2]string{{"revenueSubTotal", "subtotal"}, {"revenueTax", "tax"}, {"revenueShipping", "shipping"}, {"revenueDiscount", "discount"}} {
			b.prop(pair[1], positive(at(pair[0])))
		}
		b.liveItems(action.Get("itemDetails"))
	default:
		return false
	}
	b.contextText("url", url)
	return true
}

// liveItems makes the property items of the items of an order.
func (b *builder) liveItems(v event.Value) {
	out := []byte{'['}
	for _, one := range b.array(v) {
		o, err := one.Object(&b.parser)
		if err != nil {
			continue
		}
		var item event.Object
		for _, pair := range [...][2]string{{"itemSKU", "sku"}, {"itemName", "name"}, {"itemCategory", "category"}, {"price", "price"}, {"quantity", "quantity"}} {
			value := o.Get(pair[0])
			if text := textOf(value); text == "" {
				continue
			} else if pair[1] == "price" || pair[1] == "quantity" {
				value = numberOf(text)
			}
			item = append(item, event.Member{Key: pair[1], Value: value})
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = event.AppendObject(out, item)
	}
	if len(out) > 1 {
		b.prop("items", event.Raw(string(append(out, ']'))))
	}
}

// matomoLiveID is the id that the row of the same action has in Matomo's tables. A conversion's
// random part is not in the answer: its time stands for it.
func matomoLiveID(b *builder, at func(string) string) string {
	switch b.Type {
	case event.Goal:
		return "c" + b.Session + "-" + at("goalId") + "-t" + at("timestamp")
	case event.Order:
		return "c" + b.Session + "-0-o" + at("orderId")
	case event.Cart:
		return "c" + b.Session + "--1-t" + at("timestamp")
	}
	if id := at("pageId"); id != "" {
		return "a" + id
	}
	return ""
}
