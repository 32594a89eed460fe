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

// clone returns a copy that lasts longer than its slice.
func (o *origin) clone() *origin {
	own := *o
	own.referred, own.own = slices.Clone(o.referred), slices.Clone(o.own)
	return &own
}

// originRoom is the origins of a slice, for use again.
type originRoom struct {
	chunks [][]origin
	n      int // origins in use
}

const originChunk = 256

func (r *originRoom) next() *origin {
	if r.n == len(r.chunks)*originChunk {
		r.chunks = append(r.chunks, make([]origin, originChunk))
	}
	o := &r.chunks[r.n/originChunk][r.n%originChunk]
	*o = origin{referred: o.referred[:0], own: o.own[:0]}
	r.n++
	return o
}

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

// clueReader reads the clues of the rows of a part.
type clueReader struct {
	terms  *read.Terms
	own    map[string]bool // hosts of the site
	fields [clueFieldsN]*oneTerm
	bare   []int32 // by number of a referrer's host: the bare host in it plus 2; 1 = none; 0 = not read yet
	has    []bool  // of rows of a page
}

// newClueReader returns nil when certainly no row of the part has a clue.
func newClueReader(s *read.Slice, own map[string]bool, terms *read.Terms) *clueReader {
	r := &clueReader{terms: terms, own: own, has: make([]bool, index.PageRows)}
	for i, name := range clueFields {
		r.fields[i] = newOneTerm(s, name, nil, terms)
	}
	if !slices.ContainsFunc(r.fields[:clueHost+1], func(f *oneTerm) bool { return f != nil }) {
		return nil
	}
	return r
}

// of says which rows of a page may have a clue. The slice is valid until the next call.
func (r *clueReader) of(rows []int32) []bool {
	has := r.has[:len(rows)]
	clear(has)
	for _, f := range r.fields[:clueHost+1] {
		if f != nil {
			f.mark(rows, has)
		}
	}
	return has
}

// at reads the clue of a row, the i-th of those that of was called with. It reports false when
// there is none.
func (r *clueReader) at(i, row int, c *clue) bool {
	found := false
	for k, f := range r.fields[:clueHost+1] {
		if c.terms[k] = f.atMarked(i, row); c.terms[k] != 0 {
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

// hostReader reads the bare hosts of the urls of rows.
type hostReader struct {
	urls  *oneTerm
	found []int32 // of rows of a page
}

func newHostReader(s *read.Slice, terms *read.Terms) *hostReader {
	return &hostReader{urls: newOneTerm(s, "url", referrer.HostOf, terms)}
}

// at returns the number of a row's host plus 1, 0 when it has none.
func (r *hostReader) at(row int) int32 { return r.urls.at(row) }

// of returns the hosts of rows of a page, nil when none has one. The slice is valid until the next
// call.
func (r *hostReader) of(rows []int32) []int32 {
	if r.urls == nil {
		return nil
	}
	if r.found == nil {
		r.found = make([]int32, index.PageRows)
	}
	found := r.found[:len(rows)]
	r.urls.of(rows, found)
	return found
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
	field  read.Field
	codes  *read.Column // of the only column; nil when there are others
	page   *read.Column // the same, for rows of a page
	marked []int64      // codes of the rows that mark was called with
	memo   []int32      // by code: what at returns plus 1; 0 = not read yet
	col    index.Column
	terms  *read.Terms
	text   func(string) string // what is read of the term, "" = nothing; nil = the term itself

	texts []int32 // with field and text: by number of a term plus 1, as memo
}

// memoCodes is how many codes of a column are remembered.
const memoCodes = 1 << 16

func newOneTerm(s *read.Slice, key string, text func(string) string, terms *read.Terms) *oneTerm {
	own, shared := s.Part().Column(event.PrefixContext+key), s.Part().Column(event.PrefixContext)
	if own == nil && shared == nil {
		return nil
	}
	t := &oneTerm{terms: terms, text: text}
	if shared != nil || own.Card() > memoCodes {
		t.field = s.Field(key, terms)
		return t
	}
	t.col, t.codes, t.page, t.memo = own, s.Codes(own), s.Codes(own), make([]int32, own.Card()+1)
	return t
}

// at returns the number of a row's text plus 1, and 0 when it has none.
func (t *oneTerm) at(row int) int32 {
	if t == nil {
		return 0
	}
	if t.codes == nil {
		return t.ofField(row)
	}
	return t.ofCode(t.codes.At(row))
}

// of sets the numbers of rows of a page.
func (t *oneTerm) of(rows, to []int32) {
	if t.codes == nil {
		for i, row := range rows {
			to[i] = t.ofField(int(row))
		}
		return
	}
	for i, code := range t.page.Of(rows) {
		to[i] = t.ofCode(code)
	}
}

// mark sets has of those rows of a page that may have a text.
func (t *oneTerm) mark(rows []int32, has []bool) {
	if t.codes == nil {
		for i, row := range rows {
			has[i] = has[i] || len(t.field.Terms(int(row))) > 0
		}
		return
	}
	t.marked = t.page.Of(rows)
	for i, code := range t.marked {
		if code > 0 {
			has[i] = true
		}
	}
}

// atMarked is at for a row, the i-th of those that mark was called with.
func (t *oneTerm) atMarked(i, row int) int32 {
	switch {
	case t == nil:
		return 0
	case t.codes == nil:
		return t.ofField(row)
	}
	return t.ofCode(t.marked[i])
}

func (t *oneTerm) ofField(row int) int32 {
	id := firstTerm(t.field, row)
	if id == 0 || t.text == nil {
		return id
	}
	t.texts = grown(t.texts, int(id))
	if t.texts[id] == 0 {
		t.texts[id] = t.read(t.terms.Text(id-1)) + 1
	}
	return t.texts[id] - 1
}

func (t *oneTerm) ofCode(code int64) int32 {
	if code <= 0 || code >= int64(len(t.memo)) {
		return 0
	}
	if t.memo[code] == 0 {
		t.memo[code] = 1
		first := true
		event.CellTerms(t.col.Cell(uint32(code)), "", func(term string) {
			if first {
				t.memo[code], first = t.read(term)+1, false
			}
		})
	}
	return t.memo[code] - 1
}

// read returns the number of what is read of a term plus 1; 0 = nothing.
func (t *oneTerm) read(term string) int32 {
	if t.text != nil {
		if term = t.text(term); term == "" {
			return 0
		}
	}
	return t.terms.ID(term) + 1
}
