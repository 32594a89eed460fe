// Tables: the visits of each value of a dimension.

package report

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/referrer"
)

// table has a row for each value of a dimension that some visit has. Goroutines number its rows
// together, and each counts visits in a part of its own.
type table struct {
	*dim
	mu    sync.Mutex
	n     atomic.Int32     // rows
	byKey map[string]int32 // by folded text, or by text: number of the row
	texts []string         // by row
	null  int32            // number of the row of visits without a value plus 1; 0 = none
	room  *read.Room       // for rows; nil = they are not counted

	rows   []tableRow    // of all parts that were taken
	people *read.PairSet // nil = not asked for
}

// tableRow is one value.
type tableRow struct {
	text  string
	null  bool
	shown moment // of the row of the log from which text is, of dimensions that fold
	query.VisitNumbers
}

// tableRowBytes is about what a row takes in memory: in three parts, in the sum of these, and as a
// row of the answer.
const tableRowBytes = 1 << 10

func newTable(d *dim, room *read.Room) *table {
	return &table{dim: d, byKey: make(map[string]int32), room: room}
}

// len returns how many rows there are. Several goroutines may call it.
func (t *table) len() int { return int(t.n.Load()) }

// numberOf returns the number of the row of a value. Several goroutines may call it.
func (t *table) numberOf(text string, null bool) (int32, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if null {
		if t.null == 0 {
			t.texts = append(t.texts, "")
			t.null = t.n.Add(1)
		}
		return t.null - 1, nil
	}
	key := text
	if t.fold {
		key = query.Fold(text)
	}
	i, known := t.byKey[key]
	if !known {
		if err := t.room.Add(tableRowBytes + int64(len(text))); err != nil {
			return 0, err
		}
		i = t.n.Add(1) - 1
		t.texts = append(t.texts, strings.Clone(text))
		if key == text {
			key = t.texts[i]
		}
		t.byKey[key] = i
	}
	return i, nil
}

// part returns a part without visits.
func (t *table) part() *tablePart { return &tablePart{table: t} }

// take adds what a part has counted.
func (t *table) take(p *tablePart) {
	for len(t.rows) < t.len() {
		i := len(t.rows)
		t.rows = append(t.rows, tableRow{text: t.texts[i], null: int32(i+1) == t.null})
	}
	for i := range p.rows[:min(len(p.rows), len(t.rows))] {
		from, to := &p.rows[i], &t.rows[i]
		to.VisitNumbers.Add(&from.VisitNumbers)
		if from.shown.seq != 0 && (to.shown.seq == 0 || from.shown.before(to.shown)) {
			to.text, to.shown = from.text, from.shown
		}
	}
	if p.people != nil {
		t.people.Take(p.people)
	}
}

// tablePart is what one goroutine counts of a table.
type tablePart struct {
	*table
	rows   []tableRow // by number; text and shown only where visits have several spellings
	people *read.PairSet

	// Numbers of rows plus 1; 0 = not known.
	of     *read.Terms // the texts that byText and known speak of
	byText []int32     // by number of a text
	known  map[[6]int32]knownSource
	recent [recentSources]struct {
		key [6]int32
		knownSource
	}
	without int32
	err     error
	whole   []int32 // of a dimension of the visit as a whole, by place in dim.order
}

// recentSources is how many sources are found without a look at the map.
const recentSources = 64

// knownSource is the row of what some rows of the log say about the source.
type knownSource struct {
	row  int32 // number plus 1; 0 = not known
	text string
}

// visitFacts are a visit and what its numbers and dimensions are computed from.
type visitFacts struct {
	*visit
	dims    []dimValue
	from    clue // its source row; without one seq is 0
	seconds int64
	isNew   bool
	zone    *time.Location
}

// row returns the number of the row of a visit. at is the index of the dimension in the pass.
func (t *tablePart) row(texts *read.Terms, v *visitFacts, at int) int {
	if t.of != texts {
		t.of, t.known = texts, nil
		clear(t.byText)
		clear(t.recent[:])
	}
	n := t.find(texts, v, at)
	if n >= len(t.rows) {
		t.rows = grownTo(t.rows, n)
	}
	if t.kind == dimSource && t.fold {
		t.show(n, texts, v)
	}
	return n
}

func (t *tablePart) find(texts *read.Terms, v *visitFacts, at int) int {
	switch t.kind {
	case dimField:
		return t.ofText(texts, v.dims[at].id)
	case dimSource:
		return int(t.source(texts, v).row) - 1
	case dimOther:
		return t.ofWhole(wholeValue(t.name, v))
	}
	switch {
	case v.views == 0:
		return t.none()
	case t.kind == dimEntry:
		return t.ofText(texts, v.entry.label)
	case t.kind == dimExit:
		return t.ofText(texts, v.exit.label)
	}
	return t.ofText(texts, v.entry.host)
}

// number is numberOf; the first error stays in err, and the row is then any one.
func (t *tablePart) number(text string, null bool) int32 {
	n, err := t.numberOf(text, null)
	if err != nil && t.err == nil {
		t.err = err
	}
	return n
}

// none returns the row of visits without a value.
func (t *tablePart) none() int {
	if t.without == 0 {
		t.without = t.number("", true) + 1
	}
	return int(t.without) - 1
}

// ofText returns the row of a text; id is its number plus 1.
func (t *tablePart) ofText(texts *read.Terms, id int32) int {
	if id == 0 {
		return t.none()
	}
	if int(id) >= len(t.byText) {
		t.byText = grownTo(t.byText, int(id))
	}
	if t.byText[id] == 0 {
		t.byText[id] = t.number(texts.Text(id-1), false) + 1
	}
	return int(t.byText[id]) - 1
}

// ofWhole returns the row of a place in dim.order.
func (t *tablePart) ofWhole(place int) int {
	if t.whole == nil {
		t.whole = make([]int32, len(t.order))
	}
	if t.whole[place] == 0 {
		t.whole[place] = t.number(t.order[place], false) + 1
	}
	return int(t.whole[place]) - 1
}

// source returns the row of where a visit came from.
func (t *tablePart) source(texts *read.Terms, v *visitFacts) *knownSource {
	key := v.sourceKey(t.name)
	recent := &t.recent[uint32(key[0]*31+key[1]*7+key[2]*5+key[3]*3+key[4]+key[5])%recentSources]
	if recent.row != 0 && recent.key == key {
		return &recent.knownSource
	}
	known, is := t.known[key]
	if !is {
		if known.text = sourceText(texts, t.name, v); known.text == "" {
			known.row = int32(t.none()) + 1
		} else {
			known.text = strings.Clone(known.text)
			known.row = t.number(known.text, false) + 1
		}
		if t.known == nil {
			t.known = make(map[[6]int32]knownSource)
		}
		t.known[key] = known
	}
	recent.key, recent.knownSource = key, known
	return &recent.knownSource
}

// show has the row show the text of a visit, if that is of the earliest row of the log so far.
func (t *tablePart) show(n int, texts *read.Terms, v *visitFacts) {
	r, seen := &t.rows[n], v.sourceAt(t.name)
	if r.shown.seq != 0 && !seen.before(r.shown) {
		return
	}
	if text := t.source(texts, v).text; text != "" {
		r.text, r.shown = text, seen
	}
}

// sourceKey returns all that sourceText depends on.
func (v *visitFacts) sourceKey(name string) (key [6]int32) {
	c := &v.from.terms
	switch name {
	case "medium":
		key[0] = c[clueMedium]
	case "content":
		key[0] = c[clueContent]
	case "campaign":
		if key[0] = c[clueCampaign]; v.remembers(name) {
			key[0] = v.remembered[0]
		}
	case "term":
		if key[0] = c[clueTerm]; v.remembers(name) {
			key[0] = v.remembered[1]
		}
	case "referrer":
		key[0] = c[clueReferrer]
	case "referrer_host":
		key[0] = c[clueHost]
	default:
		key = [6]int32{c[clueSource], c[clueMedium], flag(v.from.tagged()), flag(c[clueClick] != 0), v.from.host, flag(v.remembers("campaign"))}
	}
	return key
}

func flag(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

// sourceAt returns the moment of the row that says the source.
func (v *visitFacts) sourceAt(name string) moment {
	if v.remembers(name) {
		return v.entry.moment
	}
	return v.from.moment
}

// remembers reports whether the campaign, or the term, is the one that the client of the visit
// remembers, because no row has a campaign.
func (v *visitFacts) remembers(name string) bool {
	if v.remembered[0] == 0 || v.origin != nil && v.origin.tagged {
		return false
	}
	return name == "campaign" || name == "term"
}

// sourceText returns where a visit came from, by the name of a dimension.
func sourceText(texts *read.Terms, name string, v *visitFacts) string {
	text := func(id int32) string {
		if id == 0 {
			return ""
		}
		return texts.Text(id - 1)
	}
	switch name {
	case "medium":
		return text(v.from.terms[clueMedium])
	case "content":
		return text(v.from.terms[clueContent])
	case "campaign":
		if v.remembers(name) {
			return text(v.remembered[0])
		}
		return text(v.from.terms[clueCampaign])
	case "term":
		if v.remembers(name) {
			return text(v.remembered[1])
		}
		return text(v.from.terms[clueTerm])
	case "referrer":
		return referrer.Bare(text(v.from.terms[clueReferrer]))
	case "referrer_host":
		return text(v.from.terms[clueHost])
	}
	facts := referrer.Facts{
		Source: text(v.from.terms[clueSource]), Medium: text(v.from.terms[clueMedium]),
		Campaign: v.from.tagged(), Click: v.from.terms[clueClick] != 0, Host: text(v.from.host),
	}
	if name == "source" {
		return facts.Name()
	}
	channel := facts.Channel()
	if channel == "direct" && v.remembers("campaign") {
		return "campaign"
	}
	return channel
}

// wholeValue returns the value of a dimension of the visit as a whole: its place in dim.order.
func wholeValue(name string, v *visitFacts) int {
	switch name {
	case "new":
		if v.isNew {
			return 0
		}
		return 1
	case "length":
		for i := len(lengths) - 1; ; i-- {
			if v.seconds >= lengths[i].from {
				return i
			}
		}
	case "depth":
		for i := len(depths) - 1; ; i-- {
			if int64(v.views) >= depths[i].from {
				return i
			}
		}
	}
	weekday := int(calendar.Day(v.start, v.zone)+3) % 7
	hour := time.UnixMilli(v.start).In(v.zone).Hour()
	switch name {
	case "weekday":
		return weekday
	case "hour":
		return hour
	}
	return weekday*24 + hour
}
