package dashboard

import "strings"

// This file is the panel of properties: which there are, or the values of one.

// properties is the panel of one property's values, or of which properties there are.
func (p *page) properties() *panel {
	n := &panel{name: "properties", title: "Properties", lines: rowsShort}
	name, full := p.state.get("_prop"), p.state.get("_full") == "properties"
	if name == "" {
		n.wide = full
		n.ask = func() *asked { return p.ask("fields", fieldsOwn) }
		n.view = func(q *asked) (body, *failure) { return p.propertyList(q, full) }
		return n
	}
	t := &table{call: "breakdown", by: "prop." + name, own: state{{"by", "prop." + name}}, columns: metricsOf("events", "users", "share"), short: 2, filter: "prop." + name}
	n.title, n.wide = name, full
	n.links = []link{{Text: "Properties", Href: p.href(p.state.notFull().without("_prop"))}, {Text: name, Href: p.href(p.state), On: true}}
	p.fill(n, t, full)
	return n
}

// fieldsOwn asks for all fields of the site.
var fieldsOwn = state{{"limit", "1000"}}

// propertyList is the list of properties to choose from.
func (p *page) propertyList(q *asked, full bool) (body, *failure) {
	var a struct {
		frameAnswer
		Fields []struct {
			Field    string   `json:"field"`
			Kind     string   `json:"kind"`
			Examples []string `json:"examples"`
		} `json:"fields"`
	}
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	v := &tableView{Caption: "Properties", Head: "Property"}
	count, search := 0, strings.ToLower(p.state.get("search"))
	for _, f := range a.Fields {
		path, ok := strings.CutPrefix(f.Field, "prop.")
		if !ok || full && !strings.Contains(strings.ToLower(path), search) {
			continue
		}
		if count++; count <= rowsShort || full {
			v.Rows = append(v.Rows, rowView{Text: path, Title: path, Href: p.href(p.state.notFull().with("_prop", path)), Code: true, In: strings.Join(f.Examples, ", ")})
		}
	}
	if v.Count = p.locale.Number(uint64(count)); full {
		v.Full, v.Back, v.searchView = true, p.href(p.state.notFull()), p.search("search")
	} else if count > rowsShort && !p.embedded() {
		v.All, v.AllText = p.href(p.state.anew().with("_full", "properties")), textAll+v.Count
	}
	if len(v.Rows) == 0 && search == "" {
		return body{Empty: &emptyView{Text: p.noProperties()}}, nil
	}
	v.Note = textPropertiesOf
	return body{Table: v}, nil
}

// noProperties says why there are none.
func (p *page) noProperties() string {
	switch {
	case p.viewer.Share != nil && !p.viewer.Share.People:
		return textSharedNone
	case p.info.Events == 0 && p.info.Name != "":
		return textNoEvents
	}
	return textNoProperties
}
