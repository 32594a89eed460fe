// Looking up single values: the rows that have each of some terms. It is how message ids are found.

package index

// DescendTerms calls fn with the rows of p that have a term in a field, for one term after the
// other, newest row first, until fn returns false for the term. term is its number in terms.
// Blanks and hidden rows are among them. Terms in ascending order read each page of the
// dictionary a few times, however many of its terms there are. Whoever calls it looks at p.Err afterwards.
func DescendTerms(p Part, field string, terms []string, fn func(term, row int) bool) {
	col := p.Column(field)
	if col == nil {
		return
	}
	var having clauseCond
	m := &Matcher{part: p, rows: p.Len(), few: fewMemRows, conds: []cond{&having}}
	if _, sealed := p.(*runPart); sealed {
		m.few = fewRows
	}
	for i := range terms {
		codes := col.Find("", terms[i:i+1])
		if len(codes) == 0 {
			continue
		}
		alt := altCond{columnCodes: newColumnCodes(col)}
		alt.only(codes)
		having.any = append(having.any[:0], alt)
		m.Descend(m.rows-1, func(row int) bool { return fn(i, row) })
	}
}
