// Schema: the columns of the table, and the statement that makes it for a version of the server.

package clickhouse

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/sink"
)

// dataKind is what a column has, whatever its type is called in a version.
type dataKind int8

const (
	numbers dataKind = iota // whole numbers of 64 bits, not below 0
	texts                   // any text
	words                   // a text that many rows share
	times                   // a moment, in UTC, to the millisecond
	millis                  // the milliseconds of a moment, where its column has whole seconds
	objects                 // an object of JSON
	lists                   // a list of texts
	floats                  // a number or nothing
	flags                   // 0 or 1
)

// column is a column of the table.
type column struct {
	name string
	kind dataKind
}

// columns are the columns in their order, without those of milliseconds. They are those that
// export.RowColumns lists.
var columns = []column{
	{"store", numbers}, {"site", words}, {"seq", numbers}, {"id", texts}, {"received", times}, {"time", times},
	{"dialect", words}, {"type", words}, {"name", words},
	{"user", texts}, {"anonymous", texts}, {"previous", texts}, {"person", numbers},
	{"session", texts}, {"session_of", texts}, {"value", floats}, {"value_text", texts}, {"message_id", texts}, {"groups", lists},
	{"url", texts}, {"path", texts}, {"title", texts}, {"referrer", texts}, {"referrer_host", words},
	{"browser", words}, {"browser_version", words}, {"os", words}, {"os_version", words}, {"platform", words},
	{"device", words}, {"brand", words}, {"model", words}, {"language", words},
	{"country", words}, {"region", words}, {"city", words}, {"timezone", words}, {"latitude", floats}, {"longitude", floats},
	{"asn", words}, {"ip", texts}, {"screen", words}, {"bot", flags},
	{"utm_source", words}, {"utm_medium", words}, {"utm_campaign", words}, {"utm_term", words}, {"utm_content", words}, {"click_id", texts},
	{"properties", objects}, {"extra", objects}, {"increments", objects},
}

// sorted are the columns that tell rows apart. They end the sorting key.
var sorted = []string{"site", "store", "seq"}

// window is how many INSERTs the table remembers: see insert_deduplication_token.
const window = 10_000

// columnsOf returns the columns of a table whose rows have a form.
func columnsOf(form sink.Form) []column {
	list := slices.Clone(columns)
	if form == sink.ColumnsSeconds {
		for i := 0; i < len(list); i++ {
			if list[i].kind == times {
				list = slices.Insert(list, i+1, column{list[i].name + "_ms", millis})
			}
		}
	}
	return list
}

// formOf is the form of the rows of a new table.
func (v Version) formOf() sink.Form {
	switch {
	case v.hasJSON():
		return sink.Columns
	case v.hasMilliseconds():
		return sink.ColumnsText
	}
	return sink.ColumnsSeconds
}

// typeOf returns the type of a column of a new table.
func (v Version) typeOf(c column) string {
	switch c.kind {
	case numbers:
		if c.name == "seq" && v.hasCodecs() {
			return "UInt64 CODEC(Delta, LZ4)" // rows lie in its order within a day and a name
		}
		return "UInt64"
	case words:
		if v.hasLowCardinality() {
			return "LowCardinality(String)"
		}
	case times:
		if v.hasMilliseconds() {
			return "DateTime64(3, 'UTC')"
		}
		return "DateTime('UTC')"
	case millis:
		return "UInt16"
	case objects:
		if v.hasJSON() {
			return "JSON"
		}
	case lists:
		return "Array(String)"
	case floats:
		return "Nullable(Float64)"
	case flags:
		return "UInt8"
	}
	return "String"
}

// Schema returns the statement that makes the table on a server of a version. The table forgets rows
// after days, 0 = never.
func Schema(v Version, database, table string, days int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s.%s\n(\n", name(database), name(table))
	list := columnsOf(v.formOf())
	for i, c := range list {
		end := ","
		if i == len(list)-1 && !v.hasIndexes() {
			end = ""
		}
		fmt.Fprintf(&b, "    %s %s%s\n", name(c.name), v.typeOf(c), end)
	}
	if v.hasIndexes() {
		b.WriteString("    INDEX seqs seq TYPE minmax GRANULARITY 1\n")
	}
	b.WriteString(")\nENGINE = ReplacingMergeTree\nPARTITION BY toYYYYMM(received)\nORDER BY (site, toDate(time), name, store, seq)")
	if days > 0 && v.hasTTL() {
		fmt.Fprintf(&b, "\nTTL toDateTime(received) + INTERVAL %d DAY", days)
	}
	var settings []string
	if v.hasWindow() {
		settings = append(settings, fmt.Sprintf("non_replicated_deduplication_window = %d", window))
	}
	if v.hasFsync() {
		settings = append(settings, "fsync_after_insert = 1", "fsync_part_directory = 1")
	}
	if len(settings) > 0 {
		b.WriteString("\nSETTINGS " + strings.Join(settings, ", "))
	}
	return b.String()
}
