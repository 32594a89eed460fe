package native

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cairn/http/native/nativetest"
)

// These tests send requests for what the table of calls says of each parameter: that it is refused beyond
// its bounds with its sentence, taken within them, and that its absence means what the table says.

// tried is a call that is asked with one parameter changed.
type tried struct {
	*route
	path string     // with ids
	base url.Values // with which it is answered
}

// eachCall calls do with each call that is answered at once.
func eachCall(t *testing.T, do func(t *testing.T, c tried)) {
	for _, r := range table {
		if r == sendRoute || r.body > 0 { // TestImportParameter; a body comes first, or has no parameters
			continue
		}
		t.Run(r.id, func(t *testing.T) {
			path, raw, _ := strings.Cut(sample(r), "?")
			if r.id == "removeSite" {
				path = strings.Replace(path, "shop", "blog", 1) // the other one is configured
			}
			base, err := url.ParseQuery(raw)
			if err != nil {
				t.Fatal(err)
			}
			do(t, tried{r, path, base})
		})
	}
}

// cursors name the query as it was written, or the start of a server.
var cursors = regexp.MustCompile(`"(next|cursor)":"[^"]*"`)

// ask asks with some values of a parameter in place of those that it has. It returns the status, the error
// and all that the engine was asked and has answered.
func (c tried) ask(t *testing.T, name string, values ...string) (status int, refused nativeError, answer string) {
	t.Helper()
	query := url.Values{}
	for k, v := range c.base {
		query[k] = v
	}
	if query.Del(name); values != nil {
		query[name] = values
	}
	return c.send(t, query)
}

func (c tried) send(t *testing.T, query url.Values) (int, nativeError, string) {
	t.Helper()
	n := nativetest.Full()
	res := call(t, n, "UTC", c.method, c.path+"?"+query.Encode())
	answer := n.Asked + "\n" + cursors.ReplaceAllString(string(res.Body), "")
	if res.Stream != nil {
		return res.Status, nativeError{}, answer
	}
	if res.Status >= 400 {
		return res.Status, errorOf(t, res), answer
	}
	return res.Status, nativeError{}, answer
}

// refuses fails the test unless the call refuses some values of a parameter with a sentence.
func (c tried) refuses(t *testing.T, name, sentence string, values ...string) {
	t.Helper()
	status, bad, _ := c.ask(t, name, values...)
	if status != http.StatusBadRequest || bad.Field != name || bad.Error != name+": "+sentence {
		t.Errorf("%s=%.40q: %d %q %q, want %q", name, values, status, bad.Field, bad.Error, sentence)
	}
}

func TestParametersAreRefused(t *testing.T) {
	eachCall(t, func(t *testing.T, c tried) {
		c.refuses(t, "unheard_of", "no such parameter here", "1")
		for _, p := range c.params {
			if p.kind == filterKind || p == paramSite {
				continue
			}
			if p.kind == singleKind {
				c.refuses(t, p.name, "given more than once", "1", "1")
			}
			if status, bad, _ := c.ask(t, p.name+"!", "1"); status != 400 || bad.Error != p.name+"!: "+p.name+" is no filter and takes = alone" {
				t.Errorf("%s!=1: %d %s", p.name, status, bad.Error)
			}
			for wrong, sentence := range p.wrong() {
				c.refuses(t, p.name, sentence, wrong)
			}
			if p.countMax > 0 && p != paramSaved { // of which the store knows none
				c.refuses(t, p.name, p.counts(), p.many(p.countMax+1)...)
			}
			if p.countMin > 1 {
				c.refuses(t, p.name, p.counts(), p.many(p.countMin-1)...)
			}
			if p.required {
				if status, bad, _ := c.ask(t, p.name); status != 400 || bad.Field != p.name {
					t.Errorf("without %s: %d %+v", p.name, status, bad)
				}
			}
			if p.filter {
				if status, bad, _ := c.ask(t, p.name, p.many(max(p.countMin, 1), "nothing%3Dx")...); status != 400 || bad.Field != p.name {
					t.Errorf("%s=nothing%%3Dx: %d %+v", p.name, status, bad)
				}
			}
		}
	})
}

// wrong are values that a parameter may not have, each with what is said of it.
func (p *param) wrong() map[string]string {
	wrong := map[string]string{}
	sentence := p.sentence(p.values, p.most)
	switch {
	case p.narrow: // narrowed
	case p.some:
		for _, text := range []string{"zzz", p.values[0] + ",", p.values[0] + ",zzz", strings.ToUpper(p.values[0])} {
			wrong[text] = "must be some of " + strings.Join(p.values, ", ") + ", separated by commas"
		}
	case p.values != nil:
		wrong["zzz"], wrong[p.values[0]+" "] = sentence, sentence
	case p.number:
		for _, text := range []string{"zzz", "1.5", "+1", "1e1", " 1", strconv.FormatInt(p.least-1, 10), strconv.FormatInt(p.most+1, 10), "99999999999999999999"} {
			wrong[text] = sentence
		}
	case p.valid != nil:
		wrong["zzz"] = sentence
	case p.bytesMax > 0:
		wrong[strings.Repeat("x", p.bytesMax+1)] = sentence
	}
	return wrong
}

// many are n values of a list.
func (p *param) many(n int, one ...string) (values []string) {
	for i := range n {
		switch {
		case one != nil:
			values = append(values, one[0])
		case p.filter:
			values = append(values, "name%3D"+strconv.Itoa(i))
		case p.values != nil:
			values = append(values, p.values[i%len(p.values)])
		default:
			values = append(values, "prop.p"+strconv.Itoa(i))
		}
	}
	return values
}

// What the call bounds closer than the table does is refused with the closer bound.
func TestNarrowParametersAreRefused(t *testing.T) {
	sentences := map[string]string{
		"visits sort":            "must be one of visits, visitors, new_visits, views, bounces, bounce_rate, views_per_visit, duration, duration_timed, duration_median, value",
		"visits metrics":         "must be some of visits, visitors, new_visits, views, events, bounces, bounce_rate, views_per_visit, duration, duration_timed, duration_median, separated by commas",
		"funnelEntities at":      "must be a number from 1 to 2",
		"retentionEntities cell": "must be a number from 0 to 0",
	}
	eachCall(t, func(t *testing.T, c tried) {
		for _, p := range c.params {
			if !p.narrow {
				continue
			}
			sentence := sentences[c.id+" "+p.name]
			if sentence == "" {
				t.Errorf("%s is not tried", p.name)
			}
			c.refuses(t, p.name, sentence, "zzz")
			if p.number {
				c.refuses(t, p.name, sentence, strconv.FormatInt(p.least-1, 10))
				c.refuses(t, p.name, sentence, strconv.FormatInt(p.most, 10))
			} else {
				c.refuses(t, p.name, sentence, p.values[len(p.values)-2])
			}
		}
	})
}

// unseen are parameters that change nothing of what the test's engine is asked and answers.
var unseen = []string{
	"funnelEntities interval", // which it takes as funnel does
	"removeSite now",          // the last question is another one
	"listRejected limit",      // nothing was refused
}

func TestParametersAreTaken(t *testing.T) {
	eachCall(t, func(t *testing.T, c tried) {
		_, _, without := c.send(t, c.base)
		for _, p := range c.params {
			if p.kind == filterKind || c.id == "retentionEntities" && (p == paramRange || p == paramPeriod) { // not all of which have the cohort
				continue
			}
			given, all := c.ready(p), p.values
			if p.number {
				all = []string{strconv.FormatInt(p.least, 10)}
				if !p.narrow {
					all = append(all, strconv.FormatInt(p.most, 10))
				}
			}
			if p.some {
				all = append(all, strings.Join(p.values, ","))
			}
			answers := map[string]bool{}
			for _, value := range append(all, p.examples...) {
				status, bad, answer := given.ask(t, p.name, value)
				if answers[answer] = true; status != 200 {
					t.Errorf("%s=%s: %d %s", p.name, value, status, bad.Error)
				}
			}
			if len(all) > 1 && len(answers) < 2 && !slices.Contains(unseen, c.id+" "+p.name) {
				t.Errorf("the call does not read %s: it does the same with each of %q", p.name, all)
			}
			if p.absent == "" || c.base.Has(p.name) {
				continue
			}
			if status, bad, explicit := c.ask(t, p.name, p.absent); status != 200 || explicit != without {
				t.Errorf("%s=%s is not the same as its absence: %d %s", p.name, p.absent, status, bad.Error)
			}
		}
	})
}

// ready is the call with all that a parameter needs besides.
func (c tried) ready(p *param) tried {
	switch c.id + " " + p.name {
	case "aggregate format": // a table has rows
		return c.with("by", "name")
	case "visits sort", "visits metrics":
		return c.with("goal", "type=order")
	case "paths anchor":
		return c.with("start", "type=page")
	case "removeSite keep", "removeSite dry_run", "removeSite now", "removeSite reason":
		return c.with("purge", "1")
	}
	if p.name == "interval" { // at most 1,000 steps
		return c.with("range", "30m")
	}
	return c
}

// with is the call with other values of a parameter.
func (c tried) with(name string, values ...string) tried {
	base := url.Values{}
	for k, v := range c.base {
		base[k] = v
	}
	if base.Del(name); values != nil {
		base[name] = values
	}
	return tried{c.route, c.path, base}
}

// Whether events are imported is said by import=1 alone.
func TestImportParameter(t *testing.T) {
	for query, want := range map[string]string{"import=2": "import: must be 1", "import=true": "import: must be 1", "import=1&import=1": "import: given more than once", "x=1": "x: no such parameter here"} {
		res, _ := send(t, "application/json", query, `{"name":"a"}`, nil)
		if bad := errorOf(t, res); res.Status != 400 || bad.Error != want {
			t.Errorf("%s: %d %s", query, res.Status, bad.Error)
		}
	}
}
