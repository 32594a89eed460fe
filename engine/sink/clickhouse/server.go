// Server: what a server can do. Its version tells about types; about settings the server is asked.

package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"
)

// Version is the version of a server: year and number, such as 25.3.
type Version struct{ Year, Number int }

// ParseVersion reads the first two numbers of a version such as "25.3.2.39".
func ParseVersion(text string) (v Version, err error) {
	year, rest, ok := strings.Cut(text, ".")
	number, _, _ := strings.Cut(rest, ".")
	if ok {
		if v.Year, err = strconv.Atoi(year); err == nil {
			v.Number, err = strconv.Atoi(number)
		}
	}
	if !ok || err != nil || v.Year < 1 || v.Number < 0 {
		return v, fmt.Errorf("%q is not a version of ClickHouse; use for example 25.3", text)
	}
	return v, nil
}

// String implements fmt.Stringer.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Year, v.Number) }

// from reports whether the version is that or a later one.
func (v Version) from(year, number int) bool {
	return v.Year > year || v.Year == year && v.Number >= number
}

// The versions from which on the schema uses something. Each is the first in which it works without a
// setting that allows it.
func (v Version) hasJSON() bool           { return v.from(25, 3) }
func (v Version) hasMilliseconds() bool   { return v.from(20, 3) }
func (v Version) hasLowCardinality() bool { return v.from(19, 4) }
func (v Version) hasTTL() bool            { return v.from(19, 17) }
func (v Version) hasCodecs() bool         { return v.from(20, 3) }
func (v Version) hasIndexes() bool        { return v.from(20, 3) }
func (v Version) hasWindow() bool         { return v.from(22, 3) }
func (v Version) hasFsync() bool          { return v.from(22, 3) }
func (v Version) takesZstd() bool         { return v.from(22, 3) }
func (v Version) hasFailReason() bool     { return v.from(20, 3) }

// server is what was learnt of a server.
type server struct {
	version  Version
	zone     string
	settings map[string]bool // of those in settingsAsked, what it knows
}

// settingsAsked are the settings that depend on the version.
var settingsAsked = []string{"insert_deduplication_token", "async_insert", "insert_distributed_sync", "type_json_skip_duplicated_paths", "mutations_sync"}

// meet asks the server who it is.
func (c *client) meet(ctx context.Context) (*server, error) {
	answer, err := c.ask(ctx, time.Minute, "SELECT version(), timezone() FORMAT TabSeparated")
	if err != nil {
		return nil, err
	}
	text, zone, _ := strings.Cut(strings.TrimSpace(string(answer)), "\t")
	s := &server{zone: zone, settings: map[string]bool{}}
	if s.version, err = ParseVersion(text); err != nil {
		return nil, &sink.Fault{Code: "no_clickhouse", Err: fmt.Errorf("the answer is not that of ClickHouse: %q", shorten(answer))}
	}
	answer, err = c.ask(ctx, time.Minute, "SELECT name FROM system.settings WHERE name IN ("+list(settingsAsked)+") FORMAT TabSeparated")
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(string(answer)) {
		s.settings[name] = true
	}
	return s, nil
}

// list returns texts as SQL literals with commas.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return strings.Join(quoted, ", ")
}

// literal returns a text as a literal of SQL.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// name returns a text as a name in SQL.
func name(text string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(text) + "`"
}
