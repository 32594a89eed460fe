// Tables: the visits of each value of a dimension.

package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/referrer"
)

// table has a row for each value of a dimension that some visit has.
type table struct {
	*dim
	rows   []tableRow
	byText []int32          // by number of a text: index of the row plus 1; 0 = not known
	byKey  map[string]int32 // by folded text, or by text: index of the row
	null   int32            // index of the row of visits without a value plus 1; 0 = none
	people *read.PairSet    // nil = not asked for
	known  map[[6]int32]knownSource
}

// tableRow is one value.
type tableRow struct {
	text  string
	null  bool
	shown moment // of the row from which text is
	query.VisitNumbers
}

// knownSource is the row of what some rows of the log say about the source.
type knownSource struct {
	row  int32
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

// row returns the index of the row of a visit.
func (t *table) row(texts *read.Terms, v *visitFacts, at int) int {
	switch t.kind {
	case dimField:
		return t.ofText(texts, v.dims[at].id)
	case dimEntry:
		if v.views == 0 {
			return t.none()
		}
		return t.ofText(texts, v.entry.label)
	case dimExit:
		if v.views == 0 {
			return t.none()
		}
		return t.ofText(texts, v.exit.label)
	case dimHost:
		if v.views == 0 {
			return t.none()
		}
		return t.ofText(texts, v.entry.host)
	case dimSource:
		return t.ofSource(texts, v)
	}
	return t.ofKey(t.whole(v), moment{})
}

// none returns the row of visits without a value.
func (t *table) none() int {
	if t.null == 0 {
		t.rows = append(t.rows, tableRow{null: true})
		t.null = int32(len(t.rows))
	}
	return int(t.null) - 1
}

// ofText returns the row of a text; id is its number plus 1.
func (t *table) ofText(texts *read.Terms, id int32) int {
	if id == 0 {
		return t.none()
	}
	t.byText = grown(t.byText, int(id))
	if t.byText[id] == 0 {
		t.rows = append(t.rows, tableRow{text: texts.Text(id - 1)})
		t.byText[id] = int32(len(t.rows))
	}
	return int(t.byText[id]) - 1
}

// ofKey returns the row of a text that is compared by t.fold. seen is the row of the log that has
// it: of several spellings the earliest is shown.
func (t *table) ofKey(text string, seen moment) int {
	if text == "" {
		return t.none()
	}
	key := text
	if t.fold {
		key = query.Fold(text)
	}
	if t.byKey == nil {
		t.byKey = make(map[string]int32)
	}
	i, known := t.byKey[key]
	if !known {
		i = int32(len(t.rows))
		t.byKey[strings.Clone(key)] = i
		t.rows = append(t.rows, tableRow{text: strings.Clone(text), shown: seen})
	} else if r := &t.rows[i]; t.fold && r.text != text && seen.before(r.shown) {
		r.text, r.shown = strings.Clone(text), seen
	} else if t.fold && r.text == text && seen.before(r.shown) {
		r.shown = seen
	}
	return int(i)
}

// ofSource returns the row of where a visit came from.
func (t *table) ofSource(texts *read.Terms, v *visitFacts) int {
	key := v.sourceKey(t.name)
	seen := v.sourceAt(t.name)
	known, is := t.known[key]
	if !is {
		known.text = sourceText(texts, t.name, v)
		known.row = int32(t.ofKey(known.text, seen))
		if t.known == nil {
			t.known = make(map[[6]int32]knownSource)
		}
		t.known[key] = known
	} else if t.fold && known.text != "" && seen.before(t.rows[known.row].shown) {
		t.ofKey(known.text, seen)
	}
	return int(known.row)
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

// whole returns the value of a dimension of the visit as a whole.
func (t *table) whole(v *visitFacts) string { return wholeValue(t.name, v) }

func wholeValue(name string, v *visitFacts) string {
	switch name {
	case "new":
		return strconv.FormatBool(v.isNew)
	case "length":
		for i := len(lengths) - 1; ; i-- {
			if v.seconds >= lengths[i].from {
				return lengths[i].name
			}
		}
	case "depth":
		for i := len(depths) - 1; ; i-- {
			if int64(v.views) >= depths[i].from {
				return depths[i].name
			}
		}
	}
	weekday := int(calendar.Day(v.start, v.zone)+3)%7 + 1
	hour := time.UnixMilli(v.start).In(v.zone).Hour()
	switch name {
	case "weekday":
		return strconv.Itoa(weekday)
	case "hour":
		return strconv.Itoa(hour)
	}
	return fmt.Sprintf("%d-%02d", weekday, hour)
}
