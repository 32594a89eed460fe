package nativetest

import (
	"context"
	"fmt"
	"io"

	"cairn/engine/query"
)

// Exports is what the Engine exports.
type Exports struct {
	Export   query.Export // the last question
	Exported string       // the answer to every export
	WriteErr error        // the error after it
}

// BeginExport answers with an export of Exported.
func (n *Engine) BeginExport(_ context.Context, q query.Export) (query.ExportRun, error) {
	if n.Err != nil {
		return nil, n.Err
	}
	n.Export = q
	n.Asked = fmt.Sprintf("export %s%s [%d,%d) %v without a head %t", q.Site.Name, filters(q.Where), q.From, q.To, q.Format, q.NoHead)
	return exportRun{n.Exported, n.WriteErr}, nil
}

// exportRun is an export whose text is known.
type exportRun struct {
	text string
	err  error
}

// Plan implements query.ExportRun.
func (r exportRun) Plan() query.ExportPlan { return query.ExportPlan{UpTo: SomeID, Rows: 7} }

// Write implements query.ExportRun.
func (r exportRun) Write(_ context.Context, w io.Writer) (done query.Exported, err error) {
	if _, err = io.WriteString(w, r.text); err == nil {
		err = r.err
	}
	return done, err
}
