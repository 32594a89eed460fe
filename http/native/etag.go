package native

import (
	"strconv"
	"strings"

	"cairn/engine/query"
)

// This file says whether a caller has an answer already: ETag and If-None-Match. A tag names the
// query and the answer that the engine keeps, as "answer.query". So it holds as long as that
// answer is given again, and a caller who has it costs no work. Calls that take a range have one. An
// answer of live has none: it is of the instant when it was asked.

// have returns the tags of the engine's answers to this query that the caller has, separated by
// commas; "" = none.
func (c *reading) have() string {
	var tags []string
	own := "." + c.queryTag()
	for tag := range strings.SplitSeq(c.req.Header("If-None-Match"), ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		tag = strings.TrimSuffix(strings.TrimPrefix(tag, `"`), `"`)
		if answer, ok := strings.CutSuffix(tag, own); ok && len(tags) < ifNoneMatchMax {
			tags = append(tags, answer)
		}
	}
	return strings.Join(tags, ",")
}

// ifNoneMatchMax is how many tags of one query a request may name; more are not looked at.
const ifNoneMatchMax = 8

// queryTag names the query and the form of its answer.
func (c *reading) queryTag() string { return strconv.FormatUint(c.hash("max_age", "site"), 36) }

// fresh is how new the answer of a call is to be that is no report.
func (c *reading) fresh() *query.Fresh {
	return &query.Fresh{Now: c.query.now, MaxAge: c.query.maxAge(), Tag: c.have()}
}

// has adds the header that says what an answer is true of. It reports whether the caller has the
// answer already: the call is then answered, with 304.
func (c *reading) has(as query.AsOf) bool {
	if as.Tag != "" {
		c.res.Header = append(c.res.Header, [2]string{"ETag", `"` + as.Tag + "." + c.queryTag() + `"`})
	}
	c.same = as.Same
	return as.Same
}
