package matomo

import (
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes what the visitor did.

// action makes the records of what was done. Of several things in one hit the first in this
// order counts: a conversion, a download, an outlink, an event, content, a search, a page
// view.
func (h *hit) action() *event.FieldError {
	switch id := h.p.integer(pIdgoal, -1); {
	case id == 0:
		return h.commerce()
	case id > 0:
		return h.conversion(id)
	}
	if url := textURL(h.p.text(pDownload)); url != "" {
		h.done(event.Download, url)
		h.reach(event.Value{}, goalFile, url)
		return nil
	}
	if url := textURL(h.p.text(pLink)); url != "" {
		h.done(event.Outlink, url)
		h.reach(event.Value{}, goalOutlink, url)
		return nil
	}
	if h.p.text(pEC) != "" && h.p.text(pEA) != "" {
		return h.event()
	}
	if h.p.text(pCN) != "" {
		return h.content()
	}
	if keyword := h.p.trimmed(pSearch, titleBytesMax); keyword != "" {
		return h.search(keyword, h.p.integer(pSearchCount, -1))
	}
	if h.p.on(pCa) {
		return h.exclude("custom action") // a plug-in sent it: it is no page view
	}
	if keyword, count := h.page.searched(h.settings.search, h.charset()); keyword != "" {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			n = -1
		}
		return h.search(keyword, h.p.integer(pSearchCount, n))
	}
	return h.view()
}

// The values of recMode: whose hits are recorded.
const (
	recVisits = 0 // those of people
	recBots   = 1 // those of bots
	recAuto   = 2 // both, people as visits and bots as bots
)

// bot adds the record of a bot's hit. It has neither visit nor visitor, and is not counted.
func (h *hit) bot() {
	r := h.batch.Add()
	*r = h.record
	r.Bots = dialect.BotsOnly
	e := &r.Event
	e.Type, e.Name, e.User, e.Anonymous, e.Uncounted = event.Page, h.title, "", "", true
	if url := textURL(h.p.text(pDownload)); url != "" {
		e.Type, e.Name = event.Download, cutBytes(url, event.MaxNameBytes)
	} else if e.Name == "" {
		e.Name = h.page.path()
	}
	e.Context = h.context()
	for _, p := range [...]param{pHTTPStatus, pBandwidth, pPfSrv} {
		if n := h.p.integer(p, -1); n >= 0 {
			e.Extra.Set(paramNames[p], event.Num(strconv.FormatInt(n, 10)))
		}
	}
	setText(&e.Extra, "source", h.p.trimmed(pSource, 50))
}

// done adds the record of an action, with the properties that any action may have.
func (h *hit) done(t event.Type, name string) *dialect.Record {
	r := h.add(t, cutBytes(name, event.MaxNameBytes))
	r.Event.Properties = h.variables(h.objects.Make(4 + len(h.p.dimensions)))
	r.Event.Extra = h.extra()
	return r
}

// view is a page view.
func (h *hit) view() *event.FieldError {
	name := h.title
	if name == "" {
		name = h.page.path()
	}
	timings := [...]param{pPfNet, pPfSrv, pPfTfr, pPfDm1, pPfDm2, pPfOnl}
	for _, p := range timings {
		if h.p.integer(p, -1) < -1 {
			return dialect.Refuse(paramNames[p], "must not be negative")
		}
	}
	e := &h.done(event.Page, name).Event
	for _, p := range timings {
		ms := h.p.integer(p, -1)
		if p == pPfSrv && ms < 0 {
			ms = h.p.integer(pGtMs, -1)
		}
		if ms >= 0 && ms <= timingMax {
			e.Extra = append(e.Extra, event.Member{Key: paramNames[p], Value: event.Num(strconv.FormatInt(ms, 10))})
		}
	}
	h.product(&e.Properties)
	h.reach(event.Value{}, goalURL, h.page.url)
	h.reach(event.Value{}, goalTitle, h.title)
	return nil
}

// timingMax is the longest time of a page's life that is kept, in milliseconds.
const timingMax = 1<<24 - 1

// event is a tracked event.
func (h *hit) event() *event.FieldError {
	category, act := h.p.trimmed(pEC, titleBytesMax), h.p.trimmed(pEA, titleBytesMax)
	switch {
	case category == "":
		return dialect.Refuse("e_c", "must not be blank")
	case act == "":
		return dialect.Refuse("e_a", "must not be blank")
	}
	e := &h.done(event.Track, act).Event
	label := h.p.trimmed(pEN, titleBytesMax)
	setText(&e.Properties, "category", category)
	setText(&e.Properties, "action", act)
	setText(&e.Properties, "label", label)
	if v, ok := h.p.number(pEV); ok {
		e.Value = event.Num(decimal(v))
	}
	value := e.Value
	h.reach(value, goalEventCategory, category)
	h.reach(value, goalEventAction, act)
	h.reach(value, goalEventName, label)
	return nil
}

// content is a content impression, or with c_i an interaction.
func (h *hit) content() *event.FieldError {
	name := h.p.trimmed(pCN, titleBytesMax)
	if name == "" {
		return dialect.Refuse("c_n", "must not be blank")
	}
	e := &h.done(event.Content, name).Event
	setText(&e.Properties, "piece", h.p.trimmed(pCP, titleBytesMax))
	setText(&e.Properties, "target", h.p.trimmed(pCT, titleBytesMax))
	setText(&e.Properties, "interaction", h.p.trimmed(pCI, titleBytesMax))
	return nil
}

// search is a search on the site. A count below 0 means that none was sent.
func (h *hit) search(keyword string, count int64) *event.FieldError {
	e := &h.done(event.Search, keyword).Event
	setText(&e.Properties, "category", h.p.trimmed(pSearchCat, 200))
	if count >= 0 {
		e.Properties.Set("count", event.Num(strconv.FormatInt(count, 10)))
	}
	return nil
}

// setText sets a property unless it is empty.
func setText(o *event.Object, key, value string) {
	if value != "" {
		o.Set(key, event.Str(value))
	}
}

// variables adds custom variables, and the custom dimensions that the site accepts.
func (h *hit) variables(o event.Object) event.Object {
	for _, d := range h.p.dimensions {
		for _, taken := range h.settings.Dimensions {
			if d.number != taken {
				continue
			}
			v := event.Value{Kind: event.Null} // it was cleared
			if text := cutChars(strings.TrimSpace(d.value), dimCharsMax); text != "" {
				v = event.Str(text)
			}
			o = append(o, event.Member{Key: "dimension" + strconv.Itoa(d.number), Value: v})
		}
	}
	o = h.customVariables(o, "_cvar", pVisitVars)
	return h.customVariables(o, "cvar", pVars)
}

// customVariableMax is the last slot there is.
const customVariableMax = 5

// customVariables adds {"1":["name","value"]} as an object of its names. An entry of another
// shape is skipped.
func (h *hit) customVariables(o event.Object, key string, p param) event.Object {
	slots := h.slots(p)
	if len(slots) == 0 {
		return o
	}
	values := h.objects.Make(len(slots))
	for _, slot := range slots {
		if name := cutBytes(slot.name, event.MaxKeyBytes); name != "" {
			values.Set(name, event.Str(slot.value))
		}
	}
	return append(o, event.Member{Key: key, Value: event.Raw(string(event.AppendObject(nil, values)))})
}

// variable is a custom variable.
type variable struct {
	slot        int
	name, value string
}

// slots reads a parameter of custom variables.
func (h *hit) slots(p param) (list []variable) {
	text := h.p.v[p].text
	if text == "" || len(text) > event.MaxEventBytes {
		return nil
	}
	o, err := h.inner.Object([]byte(text), jsonLimits)
	if err != nil {
		return nil
	}
	for _, m := range o {
		slot, err := strconv.Atoi(m.Key)
		if err != nil || slot < 1 || slot > customVariableMax {
			continue
		}
		pair, err := m.Value.Array(&h.inner)
		if err != nil || len(pair) != 2 {
			continue
		}
		name, ok := scalar(pair[0])
		value, ok2 := scalar(pair[1])
		if ok && ok2 {
			list = append(list, variable{slot, cutChars(strings.TrimSpace(name), varCharsMax), cutChars(strings.TrimSpace(value), varCharsMax)})
		}
	}
	return list
}

// jsonLimits are the limits of JSON in a parameter.
var jsonLimits = event.Limits{Depth: 8, Members: 256, KeyBytes: 1024, StringBytes: event.MaxEventBytes}

// scalar is the text of a string or number.
func scalar(v event.Value) (string, bool) {
	return v.Text, v.Kind == event.String || v.Kind == event.Number
}

// extra has the parameters without a field of their own.
func (h *hit) extra() event.Object {
	o := h.attribution(h.objects.Make(14))
	number := func(p param) {
		if n := h.p.integer(p, -1); n >= 0 {
			o = append(o, event.Member{Key: paramNames[p], Value: event.Num(strconv.FormatInt(n, 10))})
		}
	}
	text := func(key, value string) {
		if value != "" {
			o = append(o, event.Member{Key: key, Value: event.Str(value)})
		}
	}
	text("local_time", h.localTime())
	text("plugins", h.plugins())
	if h.p.on(pCookie) {
		number(pCookie)
	}
	text("pv_id", h.p.trimmed(pPvID, 6))
	if h.inside {
		text("urlref", h.referrer)
	}
	number(pBandwidth)
	for _, p := range [...]param{pIdvc, pViewts, pIdts, pEcts} {
		number(p)
	}
	return o
}

// attribution is the campaign or page that the visitor first came from, as the client
// remembers it.
func (h *hit) attribution(o event.Object) event.Object {
	for _, p := range [...]param{pRcn, pRck, pRef} {
		value := h.p.text(p)
		if p != pRef {
			value = cutChars(strings.TrimSpace(event.Unescape(value)), campaignCharsMax)
		}
		if value = cutChars(value, refCharsMax); value != "" {
			o = append(o, event.Member{Key: paramNames[p], Value: event.Str(value)})
		}
	}
	if n := h.p.integer(pRefts, 0); n > 0 {
		o = append(o, event.Member{Key: paramNames[pRefts], Value: event.Num(strconv.FormatInt(n, 10))})
	}
	return o
}

// localTime is the visitor's clock, HH:MM:SS, if any of it was sent.
func (h *hit) localTime() string {
	if h.p.text(pH) == "" && h.p.text(pM) == "" && h.p.text(pS) == "" {
		return ""
	}
	b := make([]byte, 0, 8)
	for i, p := range [...]param{pH, pM, pS} {
		n, most := h.p.integer(p, 0), int64(59)
		if i == 0 {
			most = 23
		} else {
			b = append(b, ':')
		}
		if n < 0 || n > most {
			n = 0
		}
		b = append(b, byte('0'+n/10), byte('0'+n%10))
	}
	return string(b)
}

// plugins names the plug-ins, comma-separated.
func (h *hit) plugins() string {
	names := make([]byte, 0, 32)
	for _, p := range plugIns {
		if !h.p.on(p) {
			continue
		}
		if len(names) > 0 {
			names = append(names, ',')
		}
		names = append(names, paramNames[p]...)
	}
	return string(names)
}
