package opentracker

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// values are the parameters of a read, each with all its values in order.
type values map[string][]string

// valuesMax bounds the number of parameters of a read.
const valuesMax = 512

// parseValues reads the query and a form in the body. Unknown names are kept and not used.
func parseValues(req *dialect.Request) (values, error) {
	q, n := values{}, 0
	for _, encoded := range []string{req.RawQuery, string(req.Body)} {
		for name, value := range dialect.Form(encoded) {
			switch n++; {
			case n > valuesMax:
				return nil, dialect.Refuse("", "at most "+strconv.Itoa(valuesMax)+" parameters")
			case len(value) > valueBytesMax:
				return nil, dialect.Refuse("", "a value has at most 4096 bytes")
			}
			q[name] = append(q[name], text(value))
		}
	}
	return q, nil
}

// first looks for the first of names with a value that is not empty, and returns the last
// such value.
func (q values) first(names ...string) string {
	for _, name := range names {
		for i := len(q[name]) - 1; i >= 0; i-- {
			if q[name][i] != "" {
				return q[name][i]
			}
		}
	}
	return ""
}

// number is a parameter of digits from least to most, def when it is absent.
func (q values) number(name string, def, least, most int) (int, error) {
	s := q.first(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || !dialect.IsDigits(s) || n < least || n > most {
		return 0, dialect.Refuse(name, "must be a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

// choice is a parameter with a fixed list of values, the first the default.
func (q values) choice(name string, of ...string) (string, error) {
	s := q.first(name)
	if s == "" {
		return of[0], nil
	}
	if !slices.Contains(of, s) {
		return "", dialect.Refuse(name, "must be one of "+strings.Join(of, ", "))
	}
	return s, nil
}

// Credential is the credential of a read: a key as bearer token or parameter, a ticket, or a
// login, which is the site's name with a key as the password.
func (protocol) Credential(req *dialect.Request) dialect.Credential {
	q, err := parseValues(req)
	if err != nil {
		return dialect.Credential{}
	}
	site := q.first("site", "si", "login")
	if scheme, key, _ := strings.Cut(strings.TrimSpace(req.Header("Authorization")), " "); strings.EqualFold(scheme, "bearer") {
		return dialect.Credential{Kind: dialect.CredentialKey, ID: site, Secret: strings.TrimSpace(key)}
	}
	if ticket := q.first("ticketId"); ticket != "" {
		return dialect.Credential{Kind: dialect.CredentialTicket, ID: site, Secret: ticket}
	}
	return dialect.Credential{Kind: dialect.CredentialKey, ID: site, Secret: q.first("key", "password")}
}

// Read answers the counters, the views and the login.
func (protocol) Read(ctx context.Context, req *dialect.Request, r dialect.Reader, res *dialect.Response) error {
	err := read(ctx, req, r, res)
	if err == nil {
		res.Header = append(res.Header, noStore)
	}
	return err
}

func read(ctx context.Context, req *dialect.Request, r dialect.Reader, res *dialect.Response) error {
	q, err := parseValues(req)
	if err != nil {
		return err
	}
	if slices.Contains(loginPaths, req.Path) {
		return login(q, r, res)
	}
	if q.first("site", "si") == "" {
		return dialect.Refuse("site", "required")
	}
	callback := q.first("callback")
	if callback != "" && !isFunction(callback) {
		return dialect.Refuse("callback", "must be the name of a function")
	}
	req.State = &answer{callback: callback}
	read := reading{Reader: r, query: q, site: q.first("site", "si"), now: req.ReceivedUnixMilli, callback: callback}
	if req.Site != nil {
		read.home = req.Site.Location
	}
	switch {
	case slices.Contains(countsPaths, req.Path):
		return read.counts(ctx, res)
	case strings.HasSuffix(req.Path, "/event"):
		return read.event(ctx, res)
	case strings.HasSuffix(req.Path, "/events"):
		return read.events(ctx, res)
	case strings.HasSuffix(req.Path, "/session"):
		return read.object(ctx, res, "sid")
	}
	return read.object(ctx, res, "uid")
}

// reading is one read while it is answered.
type reading struct {
	dialect.Reader
	query    values
	site     string
	home     *time.Location
	now      int64
	callback string
}

// answer fills res with JSON, or JSONP.
func (r *reading) answer(res *dialect.Response, body []byte) {
	res.Status, res.ContentType = 200, typeJSON
	if r.callback == "" {
		res.Body = body
		return
	}
	res.ContentType = typeJS
	out := append(append(res.Body[:0], r.callback...), '(')
	res.Body = append(append(out, body...), ");"...)
}

// ticketDefault and ticketMax are how long a ticket lasts, in seconds.
const (
	ticketDefault = 60
	ticketMax     = 24 * 3600
)

// login answers a client that has a key of the site with a ticket.
func login(q values, r dialect.Reader, res *dialect.Response) error {
	seconds, err := q.number("expires", ticketDefault, 1, ticketMax)
	if err != nil {
		return err
	}
	res.Status, res.ContentType = 200, typeText
	res.Body = append(res.Body[:0], r.Ticket(time.Duration(seconds)*time.Second)...)
	return nil
}

// property is the name that counters have for a property of this protocol; shown goes the
// other way.
func property(name string) string {
	if name = strings.TrimRight(name, "!"); name == "ti" {
		return titleKey
	}
	return name
}

func shown(property string) string {
	if property == titleKey {
		return "ti"
	}
	return property
}

// asked are the values of a property as counters have them.
func asked(property string, list []string) []string {
	out := make([]string, 0, len(list))
	for _, value := range list {
		if property == "country" {
			value = dialect.CountryCode(value)
		}
		out = append(out, value)
	}
	return out
}

// named is a value of a property as this protocol shows it.
func named(property, value string) string {
	if property == "country" {
		return dialect.CountryName(value)
	}
	return value
}

// member appends "name":text, with the comma before it where one is needed.
func member(dst []byte, name, text string) []byte {
	if c := dst[len(dst)-1]; c != '{' {
		dst = append(dst, ',')
	}
	return event.AppendString(append(event.AppendString(dst, name), ':'), text)
}

// memberOrNull is member with null for "".
func memberOrNull(dst []byte, name, text string) []byte {
	if text != "" {
		return member(dst, name, text)
	}
	if c := dst[len(dst)-1]; c != '{' {
		dst = append(dst, ',')
	}
	return append(event.AppendString(dst, name), ":null"...)
}
