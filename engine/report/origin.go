// Origins: where a visit came from. That is its source row: the earliest row with a utm_*, a
// click id or a referrer that is no page of the site.

package report

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/read"
	"cairn/engine/referrer"
	"cairn/index"
)

// The fields that make a row a source row, in the order of clue.terms.
var clueFields = [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id", "referrer_host", "referrer"}

const (
	clueSource = iota
	clueMedium
	clueCampaign
	clueTerm
	clueContent
	clueClick
	clueHost
	clueReferrer
	clueFieldsN
)

// clue is what one row says about where its visitor came from.
type clue struct {
	moment
	terms [clueFieldsN]int32 // number of the text plus 1; 0 = absent
	host  int32              // of the referrer, bare: number plus 1; 0 = none, or a host of the site
}

// campaign reports whether the row has a utm_* or a click id.
func (c *clue) campaign() bool {
	for _, id := range c.terms[:clueClick+1] {
		if id != 0 {
			return true
		}
	}
	return false
}

// tagged reports whether the row has a utm_*.
func (c *clue) tagged() bool {
	for _, id := range c.terms[:clueContent+1] {
		if id != 0 {
			return true
		}
	}
	return false
}

// origin is what the rows of a visit say about where it came from.
type origin struct {
	campaign clue    // the earliest row with a utm_* or a click id; without one seq is 0
	referred []clue  // the earliest row of each other host
	own      []int32 // bare hosts of the visit's urls beyond visit.host
	tagged   bool    // some row has a utm_*
}

// hostsMax is how many hosts of its pages, and how many that refer to it, a visit remembers.
const hostsMax = 1000

func (o *origin) take(c *clue) {
	o.tagged = o.tagged || c.tagged()
	if c.campaign() && (o.campaign.seq == 0 || c.before(o.campaign.moment)) {
		o.campaign = *c
	}
	if c.host == 0 {
		return
	}
	for i := range o.referred {
		if have := &o.referred[i]; have.host == c.host {
			if c.before(have.moment) {
				*have = *c
			}
			return
		}
	}
	if len(o.referred) < hostsMax {
		o.referred = append(o.referred, *c)
	}
}

func (o *origin) ownHost(host int32) {
	if !slices.Contains(o.own, host) && len(o.own) < hostsMax {
		o.own = append(o.own, host)
	}
}

// merge adds what an older slice says.
func (o *origin) merge(older *origin) {
	o.tagged = o.tagged || older.tagged
	if older.campaign.seq != 0 && (o.campaign.seq == 0 || older.campaign.before(o.campaign.moment)) {
		o.campaign = older.campaign
	}
	for i := range older.referred {
		o.take(&older.referred[i])
	}
	for _, host := range older.own {
		o.ownHost(host)
	}
}

// clueReader reads the clues of the rows of a slice.
type clueReader struct {
	terms  *read.Terms
	own    map[string]bool // hosts of the site
	fields [clueFieldsN]*oneTerm
	urls   *oneTerm
	hosts  []int32 // by number of a text: the bare host in it plus 2; 1 = none; 0 = not read yet
	bare   []int32 // by number of a referrer's host: the bare host, as in hosts
}

func newClueReader(s *read.Slice, own map[string]bool, terms *read.Terms) *clueReader {
	r := &clueReader{terms: terms, own: own, urls: newOneTerm(s, "url", terms)}
	for i, name := range clueFields {
		r.fields[i] = newOneTerm(s, name, terms)
	}
	return r
}

// any reports whether some row of the slice may have a clue.
func (r *clueReader) any() bool {
	return slices.ContainsFunc(r.fields[:clueHost+1], func(f *oneTerm) bool { return f != nil })
}

// at reads the clue of a row. It reports false when there is none.
func (r *clueReader) at(row int, c *clue) bool {
	found := false
	for i, f := range r.fields[:clueHost+1] {
		if c.terms[i] = f.at(row); c.terms[i] != 0 {
			found = true
		}
	}
	if !found {
		return false
	}
	c.host = 0
	if id := c.terms[clueHost]; id != 0 {
		c.host = r.bareHost(id)
		c.terms[clueReferrer] = r.fields[clueReferrer].at(row)
	}
	return c.host != 0 || c.campaign()
}

// bareHost returns the bare host of a referrer, 0 for a host of the site.
func (r *clueReader) bareHost(id int32) int32 {
	r.bare = grown(r.bare, int(id))
	if r.bare[id] == 0 {
		r.bare[id] = 1
		if host := referrer.BareHost(r.terms.Text(id - 1)); host != "" && !r.own[host] {
			r.bare[id] = r.terms.ID(host) + 2
		}
	}
	return r.bare[id] - 1
}

// host returns the bare host of a row's url, 0 when it has none.
func (r *clueReader) host(row int) int32 {
	id := r.urls.at(row)
	if id == 0 {
		return 0
	}
	r.hosts = grown(r.hosts, int(id))
	if r.hosts[id] == 0 {
		r.hosts[id] = 1
		if host := referrer.HostOf(r.terms.Text(id - 1)); host != "" {
			r.hosts[id] = r.terms.ID(host) + 2
		}
	}
	return r.hosts[id] - 1
}

// grown returns a slice that has an element i.
func grown(s []int32, i int) []int32 {
	for len(s) <= i {
		s = append(s, 0)
	}
	return s
}

// oneTerm reads the first term of a context key. nil is a reader of rows without the key.
type oneTerm struct {
	field read.Field
	codes *read.Column // of the only column; nil when there are others
	memo  []int32      // by code: what at returns plus 1; 0 = not read yet
	col   index.Column
	terms *read.Terms
}

// memoCodes is how many codes of a column are remembered in a slice.
const memoCodes = 1 << 16

func newOneTerm(s *read.Slice, key string, terms *read.Terms) *oneTerm {
	own, shared := s.Part().Column(event.PrefixContext+key), s.Part().Column(event.PrefixContext)
	if own == nil && shared == nil {
		return nil
	}
	t := &oneTerm{terms: terms}
	if shared != nil || own.Card() > memoCodes {
		t.field = s.Field(key, terms)
		return t
	}
	t.col, t.codes, t.memo = own, s.Codes(own), make([]int32, own.Card()+1)
	return t
}

// at returns the number of a row's text plus 1, and 0 when it has none.
func (t *oneTerm) at(row int) int32 {
	if t == nil {
		return 0
	}
	if t.codes == nil {
		return firstTerm(t.field, row)
	}
	code := t.codes.At(row)
	if code <= 0 || code >= int64(len(t.memo)) {
		return 0
	}
	if t.memo[code] == 0 {
		t.memo[code] = 1
		event.CellTerms(t.col.Cell(uint32(code)), "", func(term string) {
			if t.memo[code] == 1 {
				t.memo[code] = t.terms.ID(term) + 2
			}
		})
	}
	return t.memo[code] - 1
}
