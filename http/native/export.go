package native

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"cairn/engine/query"
	"cairn/http/adminlog"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// This file exports the events of a site: GET /api/v1/export streams all that a question selects.
// The question is checked, and the export takes its place among those that run, before the head of
// the answer is sent.

// exportFormats are the values of format.
var exportFormats = map[string]struct {
	format      query.ExportFormat
	contentType string
	packed      bool // by itself
}{
	"ndjson":  {query.NDJSON, "application/x-ndjson", false},
	"csv":     {query.CSV, "text/csv; charset=utf-8", false},
	"parquet": {query.Parquet, "application/vnd.apache.parquet", true},
}

// Headers of an export.
const (
	exportUpTo = "Cairn-Up-To" // the cursor after which a later export has what came since
	exportRows = "Cairn-Rows"  // so many rows are looked at
)

// exportEvents is GET /api/v1/export.
func (n *API) exportEvents(ctx context.Context, c *reading) error {
	name := c.query.choice("format")
	form := exportFormats[name]
	q := query.Export{Site: c.site, Where: c.query.conds(), Format: form.format}
	var err error
	if q.From, q.To, err = c.query.timeRange(c.site.Location); err != nil {
		return err
	}
	q.After, q.UpTo = c.query.single["after"], c.query.single["up_to"]
	if columns := c.query.single["columns"]; columns != "" {
		if form.format == query.NDJSON {
			return badField("columns", "NDJSON has no columns")
		}
		r := csv.NewReader(strings.NewReader(columns)) // a name may have a comma
		if q.Columns, err = r.Read(); err != nil || r.InputOffset() != int64(len(columns)) {
			return badField("columns", "must be one line of CSV")
		}
	}
	head := c.query.choice("head")
	q.NoHead = head == "no" || head == "" && q.After != "" // what goes on has one already
	run, err := n.engine.BeginExport(ctx, q)
	if err != nil {
		if err == query.ErrBadCursor && q.UpTo != "" && q.After == "" {
			return badField("up_to", err.Error())
		}
		return engineError(err)
	}
	plan := run.Plan()
	file := fileName(c.site.Name+"-events-"+time.UnixMilli(c.query.now).In(location(c.site)).Format(time.DateOnly), name)
	c.res.ContentType = form.contentType
	c.res.Header = append(c.res.Header,
		[2]string{"Content-Disposition", `attachment; filename="` + file + `"`},
		[2]string{"Vary", "Accept-Encoding"},
		[2]string{"X-Accel-Buffering", "no"}, // for nginx
		[2]string{exportRows, strconv.FormatUint(plan.Rows, 10)})
	if plan.UpTo != "" {
		c.res.Header = append(c.res.Header, [2]string{exportUpTo, plan.UpTo})
	}
	n.options.Note(c.req, adminlog.Entry{Action: adminlog.Export, What: name})
	packing := ""
	if !form.packed {
		if packing = packingOf(c.req.Header("Accept-Encoding")); packing != "" {
			c.res.Header = append(c.res.Header, [2]string{"Content-Encoding", packing})
		}
	}
	c.res.Stream = func(w io.Writer) error {
		packed := packer(packing, w)
		if _, err := run.Write(ctx, packed); err != nil {
			return err
		}
		return packed.Close()
	}
	return nil
}

// packingOf chooses how an answer is compressed: "zstd", "gzip" or "" for not at all.
func packingOf(accepted string) string {
	best := ""
	for part := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if q, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q="); ok {
			if w, err := strconv.ParseFloat(q, 64); err != nil || w <= 0 {
				continue
			}
		}
		if name == "zstd" || name == "gzip" && best == "" {
			best = name
		}
	}
	return best
}

const (
	// packedBytes is how much of a compressed answer is sent at once.
	packedBytes = 32 << 10

	// packWindow bounds the memory of zstd.
	packWindow = 1 << 20
)

// packer returns a writer that compresses what it passes to w. Close writes the end, and does not
// close w.
func packer(packing string, w io.Writer) io.WriteCloser {
	out := bufio.NewWriterSize(w, packedBytes)
	switch packing {
	case "zstd":
		z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow), zstd.WithLowerEncoderMem(true))
		if err == nil { // the options are good
			return packed{z, out}
		}
	case "gzip":
		z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err == nil {
			return packed{z, out}
		}
	}
	return plain{w}
}

// packed is a compressing writer over a buffer.
type packed struct {
	io.WriteCloser
	out *bufio.Writer
}

func (p packed) Close() error {
	if err := p.WriteCloser.Close(); err != nil {
		return err
	}
	return p.out.Flush()
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
