package native

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// exportOf asks for an export and returns the answer, with the stream as its body.
func exportOf(t *testing.T, n *nativetest.Engine, query_, accept string, share *dialect.Share) (*dialect.Response, error) {
	t.Helper()
	api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay) }})
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	header := func(name string) string {
		if name == "Accept-Encoding" {
			return accept
		}
		return ""
	}
	res := &dialect.Response{}
	err := api.Read(t.Context(), &dialect.Request{Method: "GET", Path: "/api/v1/export", RawQuery: query_, Site: site, Header: header, Share: share}, nil, res)
	if err != nil || res.Stream == nil {
		return res, err
	}
	var b bytes.Buffer
	err = res.Stream(&b)
	res.Body = b.Bytes()
	return res, err
}

func headerOf(res *dialect.Response, name string) string {
	for _, h := range res.Header {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// An export is the question that its parameters say.
func TestExport(t *testing.T) {
	day := func(d int) int64 { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC).UnixMilli() }
	id := nativetest.SomeID
	for raw, want := range map[string]query.Export{
		"":                                      {},
		"format=ndjson":                         {},
		"user=u1&from=2026-11-20&to=2026-11-21": {Where: []query.Cond{{Field: "user", Values: []string{"u1"}}}, From: day(20), To: day(22)},
		"visit.country=DE":                      {Where: []query.Cond{{Field: "country", Values: []string{"DE"}, Visit: true}}},
		"after=" + id:                           {After: id, NoHead: true},
		"up_to=" + id:                           {UpTo: id},
		"format=csv":                            {Format: query.CSV},
		"format=csv&after=" + id:                {Format: query.CSV, After: id, NoHead: true},
		"format=csv&head=yes&after=" + id:       {Format: query.CSV, After: id},
		"format=csv&head=no":                    {Format: query.CSV, NoHead: true},
		"format=csv&columns=%22prop.a,%22%22b%22%22%22,country": {Format: query.CSV, Columns: []string{`prop.a,"b"`, "country"}},
		"format=parquet&columns=prop.a,country":                 {Format: query.Parquet, Columns: []string{"prop.a", "country"}},
	} {
		n := &nativetest.Engine{Exports: nativetest.Exports{Exported: "{}\n"}}
		res, err := exportOf(t, n, raw, "", nil)
		if err != nil || res.Status != 200 || string(res.Body) != "{}\n" || headerOf(res, exportUpTo) != id || headerOf(res, exportRows) != "7" {
			t.Errorf("%s: %d %q %q, %v", raw, res.Status, res.Header, res.Body, err)
			continue
		}
		got := n.Export
		got.Site = nil
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Errorf("%s:\n got %s\nwant %s", raw, a, b)
		}
	}
}

// What an export cannot be is said before it begins.
func TestExportRefused(t *testing.T) {
	for raw, want := range map[string]string{
		"format=xml":               "format",
		"columns=prop.a":           "columns",
		"after=x":                  "after",
		"format=csv&columns=a%0Ab": "columns",
		"format=csv&columns=%22a":  "columns",
		"up_to=x":                  "up_to",
		"format=csv&head=maybe":    "head",
		"from=yesterday":           "from",
		"limit=5":                  "limit",
		"order=asc":                "order",
	} {
		_, err := exportOf(t, &nativetest.Engine{}, raw, "", nil)
		var status *dialect.StatusError
		if !errors.As(err, &status) || status.Failure != dialect.BadRequest || status.Field != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, share := range []*dialect.Share{{}, {Numbers: true}} {
		_, err := exportOf(t, &nativetest.Engine{}, "", "", share)
		var status *dialect.StatusError
		if !errors.As(err, &status) || status.Failure != dialect.Forbidden {
			t.Errorf("a share exports: %v", err)
		}
	}
}

// An export is compressed as the client takes it.
func TestExportPacked(t *testing.T) {
	text := strings.Repeat("{\"name\":\"a\"}\n", 20_000)
	unzstd := func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }
	ungzip := func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	for _, c := range []struct {
		accept, format, want string
		open                 func(io.Reader) (io.Reader, error)
	}{
		{"", "ndjson", "", nil},
		{"br, gzip", "ndjson", "gzip", ungzip},
		{"gzip, deflate, br, zstd", "csv", "zstd", unzstd},
		{"ZSTD;q=0.5", "ndjson", "zstd", unzstd},
		{"zstd;q=0, gzip;q=1.0", "ndjson", "gzip", ungzip},
		{"gzip; q=0.000", "ndjson", "", nil},
		{"gzip, zstd", "parquet", "", nil},
	} {
		n := &nativetest.Engine{Exports: nativetest.Exports{Exported: text}}
		res, err := exportOf(t, n, "format="+c.format, c.accept, nil)
		if err != nil || headerOf(res, "Content-Encoding") != c.want || headerOf(res, "Vary") != "Accept-Encoding" {
			t.Errorf("%q: %q, %v", c.accept, res.Header, err)
			continue
		}
		body := io.Reader(bytes.NewReader(res.Body))
		if c.open != nil {
			if len(res.Body) > len(text)/10 {
				t.Errorf("%q: %d bytes of %d", c.accept, len(res.Body), len(text))
			}
			if body, err = c.open(body); err != nil {
				t.Errorf("%q: %v", c.accept, err)
				continue
			}
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != text {
			t.Errorf("%q: %d bytes, %v", c.accept, len(got), err)
		}

		// An export that breaks off has no end, however it is compressed.
		n.WriteErr = errors.New("damaged")
		res, err = exportOf(t, n, "format="+c.format, c.accept, nil)
		if err != n.WriteErr {
			t.Errorf("%q: broken off: %v", c.accept, err)
		}
		if c.open == nil || len(res.Body) == 0 { // nothing was sent yet
			continue
		}
		if body, err = c.open(bytes.NewReader(res.Body)); err == nil {
			if _, err = io.ReadAll(body); err == nil {
				t.Errorf("%q: an export that broke off looks whole", c.accept)
			}
		}
	}
}
