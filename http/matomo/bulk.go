package matomo

import (
	"bytes"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes many hits in one body:
//
//	{"requests":["?idsite=1&rec=1…", {"idsite":1,…}, null],"token_auth":"…","send_image":0}

// bulk is what Reply needs to know of a bulk.
type bulk struct {
	entries []entry
	trusted bool // its token is valid for one of its sites
}

// entry is one of the requests of a bulk. Its records are [from, to) in the batch. An entry
// without records is accepted and stores nothing.
type entry struct {
	index    int // as it was sent
	from, to int
	empty    bool // an empty text: neither tracked nor invalid
}

// decodeBulk decodes each entry, in the order of the array. A body that is not JSON is
// refused as a whole.
func (d *decoder) decodeBulk(req *dialect.Request, b *dialect.Batch) error {
	d.bulk = bulk{entries: d.bulk.entries[:0]}
	d.asked.bulk = &d.bulk
	b.Partial = true
	body := bytes.Trim(bytes.TrimSpace(bytes.TrimPrefix(req.Body, []byte("\uFEFF"))), "'")
	var tooMany bool
	var texts event.Parser
	type sent struct {
		text   string
		object event.Object
		kind   event.Kind
	}
	var list []sent
	rest, found, err := d.parser.Batch(body, bulkLimits, "requests", func(i int, raw []byte, o event.Object, fault *event.FieldError) {
		if i >= entriesMax {
			tooMany = true
			return
		}
		if fault == nil {
			list = append(list, sent{object: o, kind: event.JSON})
			return
		}
		v, err := texts.Value(raw, bulkLimits)
		switch {
		case err != nil:
			v.Kind = event.Absent
		case v.Kind == event.JSON && v.Text == "[]":
			v.Kind = event.Null
		}
		list = append(list, sent{text: v.Text, kind: v.Kind})
	})
	if err != nil {
		return dialect.Refuse("requests", "the body is not JSON")
	}
	if tooMany {
		return &dialect.StatusError{Failure: dialect.TooLarge, Field: "requests", Msg: "a bulk has at most 10000 requests"}
	}
	switch v := rest.Get("send_image"); v.Kind {
	case event.String, event.Number:
		d.asked.noImage = v.Text == "0"
	}
	if !found {
		return nil
	}
	token := ""
	if v := rest.Get("token_auth"); v.Kind == event.String {
		token = v.Text
	}
	if token == "" {
		token = dialect.Bearer(req.Header("Authorization"))
	}
	d.bulk.trusted = token != "" && req.Find != nil && req.Find(dialect.Credential{Kind: dialect.CredentialSiteID, Secret: token}) != nil
	h := &d.hit
	for i, s := range list {
		e := entry{index: i, from: len(b.Records)}
		h.begin(d, req, b)
		switch s.kind {
		case event.String:
			e.empty = !h.entry(s.text)
		case event.JSON:
			if s.object == nil {
				h.refused(dialect.Refuse("requests", "must be a text or an object"))
			}
			h.p.object(s.object)
		case event.Null:
		default:
			h.refused(dialect.Refuse("requests", "must be a text or an object"))
		}
		if h.p.any && len(b.Records) == e.from {
			own := token
			if own == "" {
				own = h.p.text(pToken)
			}
			if err := h.decode(own); err != nil {
				h.refused(err)
			}
			d.bulk.trusted = d.bulk.trusted || h.trusted && token != ""
		}
		for k := e.from; k < len(b.Records); k++ {
			if err := b.Records[k].Err; err != nil {
				err.Index = i
			}
		}
		e.to = len(b.Records)
		if e.to >= recordsMax {
			return &dialect.StatusError{Failure: dialect.TooLarge, Field: "requests", Msg: "too many goals are reached at once"}
		}
		d.bulk.entries = append(d.bulk.entries, e)
	}
	return nil
}

// bulkLimits are those of each entry; the body as a whole is bounded by its route.
var bulkLimits = event.Limits{Depth: 8, Members: 512, KeyBytes: 1024, StringBytes: event.MaxEventBytes}

// entry takes the parameters of a text, which may be a whole url: they are between ? and #.
// A text without ? is a query by itself. ok is false for an empty text.
func (h *hit) entry(text string) (ok bool) {
	if _, query, found := strings.Cut(text, "?"); found {
		text = query
	}
	text, _, _ = strings.Cut(text, "#")
	if strings.TrimSpace(text) == "" {
		return false
	}
	h.p.form(text, true)
	return h.p.any
}
