// Table: the check of a table that is there.

package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn/engine/sink"
)

// table is what was learnt of the table.
type table struct {
	form       sink.Form
	replicated bool

	// Of a table with the engine Distributed: where the rows are. "" = in the table itself.
	cluster, localDatabase, localTable string
}

// several reports whether several servers may have the rows. The one that is asked may lag, and count none
// although another one has some; a mutation reaches all of them.
func (t *table) several() bool { return t.replicated || t.cluster != "" }

// errNoTable says that the table or its database is missing.
var errNoTable = errors.New("there is no such table")

// look asks for the table and checks it. It returns errNoTable, or a *sink.Fault that names the column.
func (s *Sink) look(ctx context.Context) (*table, error) {
	where := "database = " + literal(s.o.Database) + " AND "
	var t table
	engine, sorting, err := s.engine(ctx, where, &t)
	if err != nil {
		return nil, err
	}
	types, err := s.types(ctx, where)
	if err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) (*table, error) {
		return nil, &sink.Fault{Code: "table", Err: fmt.Errorf("table %s.%s: "+format+`; "cairn sink schema" prints what it has to be`, append([]any{s.o.Database, s.o.Table}, args...)...)}
	}
	if t.cluster == "" {
		if !strings.HasSuffix(engine, "ReplacingMergeTree") {
			return wrong("its engine is %s, and must be ReplacingMergeTree", engine)
		}
		if sorting != "" {
			for _, key := range sorted {
				if !slices.Contains(strings.FieldsFunc(sorting, func(r rune) bool { return strings.ContainsRune("(), `", r) }), key) {
					return wrong("its sorting key is %s, and must have site, store and seq", sorting)
				}
			}
		}
	}
	if t.form, err = formOfTable(types); err == nil {
		err = checkColumns(types, t.form)
	}
	if err != nil {
		return wrong("%v", err)
	}
	return &t, nil
}

// engine asks for the engine and the sorting key.
func (s *Sink) engine(ctx context.Context, where string, t *table) (engine, sorting string, err error) {
	answer, err := s.ask(ctx, "SELECT engine, engine_full, sorting_key FROM system.tables WHERE "+where+"name = "+literal(s.o.Table)+" FORMAT JSONEachRow")
	if err != nil {
		return "", "", err
	}
	if len(answer) == 0 {
		return "", "", errNoTable
	}
	var row struct {
		Engine  string `json:"engine"`
		Full    string `json:"engine_full"`
		Sorting string `json:"sorting_key"`
	}
	if err := json.Unmarshal(answer, &row); err != nil {
		return "", "", unreadable(err)
	}
	t.replicated = strings.HasPrefix(row.Engine, "Replicated") || strings.HasPrefix(row.Engine, "Shared")
	if row.Engine == "Distributed" {
		parts := literals(row.Full)
		if len(parts) < 3 {
			return "", "", &sink.Fault{Code: "table", Err: fmt.Errorf("cannot read where %q puts its rows", row.Full)}
		}
		t.cluster, t.localDatabase, t.localTable = parts[0], parts[1], parts[2]
	}
	return row.Engine, row.Sorting, nil
}

// types asks for the columns.
func (s *Sink) types(ctx context.Context, where string) (map[string]string, error) {
	answer, err := s.ask(ctx, "SELECT name, type FROM system.columns WHERE "+where+"table = "+literal(s.o.Table)+" FORMAT JSONEachRow")
	if err != nil {
		return nil, err
	}
	types := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(answer))); ; {
		var row struct{ Name, Type string }
		if err := d.Decode(&row); err != nil {
			if len(types) > 0 && !d.More() {
				return types, nil
			}
			return nil, unreadable(err)
		}
		types[row.Name] = row.Type
	}
}

func unreadable(err error) error {
	return &sink.Fault{Passes: true, Code: "answer", Err: fmt.Errorf("the answer cannot be read: %w", err)}
}

// formOfTable returns the form of the rows that a table takes. A table stays as it is when its server gets
// a new version.
func formOfTable(types map[string]string) (sink.Form, error) {
	wide, json := strings.HasPrefix(types["time"], "DateTime64("), isJSON(types["properties"])
	switch {
	case wide && json:
		return sink.Columns, nil
	case wide:
		return sink.ColumnsText, nil
	case json:
		return 0, fmt.Errorf("column time has type %s; where properties is JSON it must be DateTime64(3, 'UTC')", types["time"])
	}
	return sink.ColumnsSeconds, nil
}

func isJSON(typ string) bool { return typ == "JSON" || strings.HasPrefix(typ, "JSON(") }

// checkColumns names the columns that are missing or have a wrong type.
func checkColumns(types map[string]string, form sink.Form) error {
	var missing, wrong []string
	for _, c := range columnsOf(form) {
		typ, ok := types[c.name]
		switch {
		case !ok:
			missing = append(missing, c.name)
		case !c.fits(typ, form):
			wrong = append(wrong, fmt.Sprintf("column %s has type %s, and needs %s", c.name, typ, c.needs(form)))
		}
	}
	if len(missing) == 1 {
		wrong = append([]string{"column " + missing[0] + " is missing"}, wrong...)
	} else if len(missing) > 1 {
		wrong = append([]string{"columns " + strings.Join(missing, ", ") + " are missing"}, wrong...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

// plain takes the wrappers off a type that change nothing of what it takes.
func plain(typ string) string {
	for _, wrapper := range []string{"LowCardinality(", "Nullable("} {
		if inner, ok := strings.CutPrefix(typ, wrapper); ok {
			typ = strings.TrimSuffix(inner, ")")
		}
	}
	return typ
}

// fits reports whether a type takes what the column gets.
func (c column) fits(typ string, form sink.Form) bool {
	switch bare := plain(typ); c.kind {
	case numbers:
		return bare == "UInt64"
	case texts, words:
		return bare == "String"
	case times:
		// Without a zone the days of the table would be those of the server.
		if form == sink.ColumnsSeconds {
			return typ == "DateTime('UTC')" || typ == "DateTime('Etc/UTC')"
		}
		scale, zone, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(typ, "DateTime64("), ")"), ", ")
		return strings.HasPrefix(typ, "DateTime64(") && (zone == "'UTC'" || zone == "'Etc/UTC'") && slices.Contains([]string{"3", "4", "5", "6"}, scale)
	case millis:
		return slices.Contains([]string{"UInt16", "UInt32", "UInt64", "Int16", "Int32", "Int64"}, bare)
	case objects:
		return isJSON(typ) && form == sink.Columns || bare == "String" && form != sink.Columns
	case lists:
		inner, ok := strings.CutPrefix(typ, "Array(")
		return ok && plain(strings.TrimSuffix(inner, ")")) == "String"
	case floats:
		return typ == "Nullable(Float64)" || typ == "Nullable(Float32)"
	default:
		return bare == "UInt8" || bare == "Bool"
	}
}

// needs names the type that a column needs.
func (c column) needs(form sink.Form) string {
	switch form {
	case sink.Columns:
		return Version{25, 3}.typeOf(column{kind: c.kind})
	case sink.ColumnsText:
		return Version{20, 3}.typeOf(column{kind: c.kind})
	}
	return Version{18, 16}.typeOf(column{kind: c.kind})
}

// literals returns the first arguments of "Distributed('cluster', 'database', 'table', …)". Names in it
// may lack quotes.
func literals(engine string) (parts []string) {
	_, args, _ := strings.Cut(engine, "(")
	for len(parts) < 3 {
		args = strings.TrimLeft(args, " ,")
		if args == "" || args[0] == ')' {
			break
		}
		if quote := args[0]; quote == '\'' || quote == '`' || quote == '"' {
			var b strings.Builder
			i := 1
			for ; i < len(args) && args[i] != quote; i++ {
				if args[i] == '\\' && i+1 < len(args) {
					i++
				}
				b.WriteByte(args[i])
			}
			parts, args = append(parts, b.String()), args[min(i+1, len(args)):]
			continue
		}
		end := strings.IndexAny(args, ",)")
		if end < 0 {
			end = len(args)
		}
		parts, args = append(parts, strings.TrimSpace(args[:end])), args[end:]
	}
	return parts
}

// create makes the table, and its database.
func (s *Sink) create(ctx context.Context) error {
	for _, statement := range []string{"CREATE DATABASE IF NOT EXISTS " + name(s.o.Database), Schema(s.server.version, s.o.Database, s.o.Table, s.o.Days)} {
		if _, err := s.client.ask(ctx, time.Minute, statement); err != nil {
			return err
		}
	}
	return nil
}
