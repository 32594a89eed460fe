package engine_test

// The model of conditions: every field and operator, on the values of an event alone.

import (
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/referrer"
)

// holds reports whether e has what c names, without the negation of c's Op.
func (s *modelSite) holds(e *event.Event, c query.Cond) bool {
	exact := c.Op == "" || c.Op == query.OpNot
	switch {
	case c.Field == "user" && exact:
		p := s.persons()
		person := p.of[e.Seq-1]
		return person != nil && slices.ContainsFunc(c.Values, func(v string) bool { return p.lookup(v) == person })
	case c.Field == "user" && c.Op != query.OpHas && c.Op != query.OpHasNot:
		// Some event of the person is known by an id that fits.
		person := s.persons().of[e.Seq-1]
		return person != nil && slices.ContainsFunc(s.living(), func(o *event.Event) bool {
			if s.persons().of[o.Seq-1] != person {
				return false
			}
			ids := []string{o.User}
			if o.User == "" {
				ids = []string{o.Anonymous}
			}
			if o.Type == event.Alias {
				ids = append(ids, o.Previous)
			}
			return fits(c, false, ids)
		})
	case c.Field == "bot" && exact && slices.Equal(c.Values, []string{"false"}):
		return e.Context.Get("bot").Text != "true"
	case c.Field == "session" && exact && e.SessionOrd != 0 && slices.Contains(c.Values, s.events[e.SessionOrd-1].ID):
		return true
	}
	has, numbers := s.valuesOf(e, c.Field)
	if exact && numbers {
		c.Values = slices.Clone(c.Values)
		for _, v := range c.Values {
			c.Values = append(c.Values, termsOfQuery(v)...)
		}
	}
	fold := slices.Contains([]string{"source", "medium", "campaign", "term", "content"}, c.Field)
	if !numbers {
		has = slices.DeleteFunc(slices.Clone(has), func(v string) bool { return v == "" })
	}
	return fits(c, fold, has)
}

// valuesOf returns what an event has under a field; "" is nothing. numbers says that the texts
// of a query may mean numbers.
func (s *modelSite) valuesOf(e *event.Event, field string) (values []string, numbers bool) {
	context := func(key string) string { return strings.Join(termsOf(e.Context.Get(key)), "") }
	switch field {
	case "name":
		return []string{e.Name}, false
	case "user":
		return []string{e.User}, false
	case "anonymous":
		return []string{e.Anonymous}, false
	case "session":
		return []string{e.Session}, false
	case "type":
		return []string{string(e.Type)}, false
	case "dialect":
		return []string{string(e.Dialect)}, false
	case "message_id":
		return []string{e.MessageID}, false
	case "group":
		return e.Groups, false
	case "page":
		if path := context("path"); path != "" {
			return []string{path}, false
		}
		if e.Type == event.Page || e.Type == event.Screen {
			return []string{e.Name}, false
		}
		return nil, false
	case "host":
		return []string{plainHost(context("url"))}, false
	case "medium", "campaign", "term", "content":
		return []string{context("utm_" + field)}, false
	case "source", "channel":
		source, channel := s.origin(e)
		if field == "source" {
			return []string{source}, false
		}
		return []string{channel}, false
	case "value":
		return termsOf(e.Value), true
	}
	if path, ok := strings.CutPrefix(field, "prop."); ok {
		return s.leaves[e.Seq][path], true
	}
	if path, ok := strings.CutPrefix(field, "extra."); ok {
		return s.extras[e.Seq][path], true
	}
	return termsOf(e.Context.Get(field)), true
}

// plainHost returns the host of a url without www. and port, in lower case.
func plainHost(of string) string {
	u, err := url.Parse(of)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}

// origin returns the source and the channel of an event.
func (s *modelSite) origin(e *event.Event) (source, channel string) {
	utm := func(key string) string { return e.Context.Get("utm_" + key).Text }
	from := strings.TrimPrefix(strings.ToLower(e.Context.Get("referrer_host").Text), "www.")
	from, _, _ = strings.Cut(from, ":") // without its port
	if from == plainHost(e.Context.Get("url").Text) || slices.ContainsFunc(s.site.Hosts, func(h string) bool { return strings.TrimPrefix(strings.ToLower(h), "www.") == from }) {
		from = ""
	}
	name, kind, _ := referrer.Known(from)
	named, namedKind, known := referrer.Known(strings.ToLower(utm("source")))
	switch {
	case known:
		source = named
	case utm("source") != "":
		source = utm("source")
	case name != "":
		source = name
	default:
		source = from
	}
	is := func(pattern, text string) bool {
		return regexp.MustCompile("(?i)^(" + pattern + ")$").MatchString(text)
	}
	switch {
	case is("cpc|ppc|cpm|cpv|display|paid.*|.*-paid", utm("medium")) || e.Context.Get("click_id").Text != "":
		channel = "paid"
	case is("email|newsletter", utm("medium")) || is("email|newsletter", utm("source")) || kind == "email" || namedKind == "email":
		channel = "email"
	case kind != "":
		channel = kind
	case namedKind != "":
		channel = namedKind
	case utm("source")+utm("medium")+utm("campaign")+utm("term")+utm("content") != "":
		channel = "campaign"
	case from != "":
		channel = "website"
	default:
		channel = "direct"
	}
	return source, channel
}

// fits reports whether one of the values is what a condition names.
func fits(c query.Cond, fold bool, values []string) bool {
	return slices.ContainsFunc(values, func(have string) bool {
		switch c.Op {
		case query.OpHas, query.OpHasNot:
			return true
		case "", query.OpNot:
			return slices.ContainsFunc(c.Values, func(want string) bool { return have == want || fold && strings.EqualFold(have, want) })
		}
		return slices.ContainsFunc(c.Values, func(want string) bool {
			if c.Op == query.OpMatch || c.Op == query.OpNotMatch {
				return patternOf(want).MatchString(have)
			}
			x, isNumber := new(big.Rat).SetString(have)
			y, _ := new(big.Rat).SetString(want)
			if !isNumber || have != canon(have) || !number.MatchString(have) {
				return false
			}
			if c.Op == query.OpAtLeast {
				return x.Cmp(y) >= 0
			}
			return x.Cmp(y) <= 0
		})
	})
}

// patternOf turns a pattern into a regular expression.
func patternOf(pattern string) *regexp.Regexp {
	parts := strings.Split(strings.ReplaceAll(pattern, `\*`, "\x00"), "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(strings.ReplaceAll(p, "\x00", "*"))
	}
	return regexp.MustCompile(`(?is)^` + strings.Join(parts, ".*") + `$`)
}
