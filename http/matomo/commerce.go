package matomo

import (
	"html"
	"strconv"
	"strings"

	"cairn/engine/event"
)

// This file decodes shopping: product views, carts and orders.

// commerce is a hit with idgoal=0: an order if it has ec_id, else the present state of the
// cart.
func (h *hit) commerce() *event.FieldError {
	items, ok := h.items()
	if !ok {
		return h.exclude("ec_items")
	}
	id := h.p.trimmed(pEcID, 100)
	typ := event.Cart
	if id != "" {
		typ = event.Order
	}
	r := h.add(typ, id)
	e := &r.Event
	r.Hit.Order = typ == event.Order
	e.Properties = h.variables(h.objects.Make(8 + len(h.p.dimensions)))
	total, _ := h.p.number(pRevenue)
	e.Value = event.Num(money(total))
	setText(&e.Properties, "order_id", id)
	if typ == event.Order {
		for _, p := range [...]struct {
			param param
			key   string
		}{{pEcSt, "subtotal"}, {pEcTx, "tax"}, {pEcSh, "shipping"}, {pEcDt, "discount"}} {
			if v, ok := h.p.number(p.param); ok {
				e.Properties.Set(p.key, event.Num(money(v)))
			}
		}
	}
	if items != "" {
		e.Properties.Set("items", event.Raw(items))
	}
	e.Extra = h.extra()
	return nil
}

// items reads ec_items, an array of [sku, name, category, price, quantity], and writes it as
// objects. Text that is not JSON counts as absent. JSON that is not an array is refused (ok
// is false).
func (h *hit) items() (text string, ok bool) {
	sent := strings.TrimSpace(h.p.v[pEcItems].text)
	if sent == "" || len(sent) > event.MaxEventBytes {
		return "", true
	}
	list, err := h.inner.Value([]byte(sent), jsonLimits)
	if err != nil {
		return "", true
	}
	if list.Kind != event.JSON {
		return "", list.Kind == event.Null
	}
	var b []byte
	n := 0
	for _, item := range h.elements(list) {
		field := h.elements(item)
		at := func(i int) event.Value {
			if i < len(field) {
				return field[i]
			}
			return event.Value{}
		}
		sku := h.joined(at(0))
		if sku == "" {
			continue
		}
		if n++; n > itemsMax {
			break
		}
		o := h.objects.Make(5)
		o = append(o, event.Member{Key: "sku", Value: event.Str(sku)})
		setText(&o, "name", h.joined(at(1)))
		if list := h.categories(at(2)); len(list) == 1 {
			o = append(o, event.Member{Key: "category", Value: event.Str(list[0])})
		} else if len(list) > 1 {
			o = append(o, event.Member{Key: "category", Value: event.Raw(string(event.AppendStrings(nil, list)))})
		}
		price, quantity := 0.0, int64(1)
		if text, ok := scalar(at(3)); ok {
			price, _ = parseFloat(strings.TrimSpace(text))
		}
		if text, ok := scalar(at(4)); ok {
			if q, ok := parseFloat(strings.TrimSpace(text)); ok && int64(q) != 0 && q < 1<<53 && q > -1<<53 {
				quantity = int64(q)
			}
		}
		o = append(o, event.Member{Key: "price", Value: event.Num(money(price))},
			event.Member{Key: "quantity", Value: event.Num(strconv.FormatInt(quantity, 10))})
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = event.AppendObject(b, o)
	}
	if n == 0 {
		return "", true
	}
	return "[" + string(b) + "]", true
}

// elements are those of an array, or the values of an object: PHP writes an array with gaps
// as an object.
func (h *hit) elements(v event.Value) []event.Value {
	if v.Kind != event.JSON {
		return nil
	}
	if !v.IsObject() {
		list, err := v.Array(&h.inner)
		if err != nil {
			return nil
		}
		return list
	}
	o, err := v.Object(&h.inner)
	if err != nil {
		return nil
	}
	var list []event.Value
	for _, m := range o {
		list = append(list, m.Value)
	}
	return list
}

// joined is a text, or the texts of an array with commas between them. Some senders escape
// HTML, which is undone.
func (h *hit) joined(v event.Value) string {
	if text, ok := scalar(v); ok {
		return productText(text)
	}
	var texts []string
	for _, e := range h.elements(v) {
		if text, ok := scalar(e); ok {
			texts = append(texts, productText(text))
		}
	}
	return strings.Join(texts, ",")
}

func productText(text string) string {
	return cutChars(strings.TrimSpace(html.UnescapeString(text)), 255)
}

// categoriesMax is how many categories a product has.
const categoriesMax = 5

// categories are the first five that are not empty.
func (h *hit) categories(v event.Value) (list []string) {
	if text, ok := scalar(v); ok {
		if text = productText(text); text != "" {
			list = append(list, text)
		}
		return list
	}
	for _, e := range h.elements(v) {
		text, ok := scalar(e)
		if text = productText(text); ok && text != "" && len(list) < categoriesMax {
			list = append(list, text)
		}
	}
	return list
}

// product adds the product or category that a page shows. Older clients send it as
// custom variables of the page, in slots 2 to 5.
func (h *hit) product(o *event.Object) {
	sku, name, price := h.p.trimmed(pPks, 255), h.p.trimmed(pPkn, 255), h.p.text(pPkp)
	category := h.p.v[pPkc].text
	for _, v := range h.slots(pVars) {
		switch {
		case v.slot == 2 && v.name == "_pkp" && price == "":
			price = v.value
		case v.slot == 3 && v.name == "_pks" && sku == "":
			sku = v.value
		case v.slot == 4 && v.name == "_pkn" && name == "":
			name = v.value
		case v.slot == 5 && v.name == "_pkc" && category == "":
			category = v.value
		}
	}
	setText(o, "product_sku", sku)
	setText(o, "product_name", name)
	if price != "" {
		if f, ok := parseFloat(strings.TrimSpace(price)); ok {
			o.Set("product_price", event.Num(money(f)))
		}
	}
	if category == "" || len(category) > event.MaxNameBytes {
		return
	}
	v, err := h.inner.Value([]byte(category), jsonLimits)
	if err != nil || v.Kind == event.Number {
		v = event.Str(category)
	}
	switch list := h.categories(v); len(list) {
	case 0:
	case 1:
		o.Set("product_category", event.Str(list[0]))
	default:
		o.Set("product_category", event.Raw(string(event.AppendStrings(nil, list))))
	}
}
