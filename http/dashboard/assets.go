package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"cairn/http/dialect"
)

// This file holds what a browser keeps: one style, one script, and the icon. Each is the files of
// a kind in assets/ joined in the order of their names, under a name that holds its hash.

//go:embed assets
var assetFiles embed.FS

// asset is a file as it is sent.
type asset struct {
	name          string // with its hash
	contentType   string
	plain, packed []byte
}

// They are made when the first page is: a command that serves none does not wait for them.
var (
	style  = sync.OnceValue(func() *asset { return joinAssets("cairn", ".css", "text/css; charset=utf-8") })
	script = sync.OnceValue(func() *asset { return joinAssets("cairn", ".js", "text/javascript; charset=utf-8") })
	icon   = sync.OnceValue(func() *asset { return joinAssets("icon", ".svg", "image/svg+xml") })
)

// joinAssets joins the files of one kind.
func joinAssets(name, ext, contentType string) *asset {
	a := &asset{contentType: contentType}
	names, err := fs.Glob(assetFiles, "assets/*"+ext)
	if err != nil || len(names) == 0 {
		panic("no assets " + ext)
	}
	for _, file := range names {
		body, err := assetFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		a.plain = append(a.plain, body...)
	}
	sum := sha256.Sum256(a.plain)
	a.name = name + "-" + hex.EncodeToString(sum[:6]) + ext
	a.packed = pack(nil, a.plain, gzip.BestCompression)
	return a
}

// pack appends the gzip of body.
func pack(dst, body []byte, level int) []byte {
	out := bytes.NewBuffer(dst)
	z, err := gzip.NewWriterLevel(out, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return out.Bytes()
}

// asset is GET /dashboard/assets/NAME.
func (d *Dashboard) asset(req *dialect.Request, res *dialect.Response) {
	name := path.Base(req.Path)
	for _, a := range []*asset{style(), script(), icon()} {
		if a.name != name {
			continue
		}
		res.Status, res.ContentType = 200, a.contentType
		head(res, "Cache-Control", "public, max-age=31536000, immutable")
		head(res, "Cross-Origin-Resource-Policy", "same-origin")
		head(res, "Vary", "Accept-Encoding")
		if acceptsGzip(req) {
			head(res, "Content-Encoding", "gzip")
			res.Body = append(res.Body[:0], a.packed...)
		} else {
			res.Body = append(res.Body[:0], a.plain...)
		}
		return
	}
	d.plain(res, 404, "there is no such file; load the page again")
}

// acceptsGzip says whether a client takes gzip.
func acceptsGzip(req *dialect.Request) bool {
	for part := range strings.SplitSeq(req.Header("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000"
		}
	}
	return false
}

// head adds a header.
func head(res *dialect.Response, name, value string) {
	res.Header = append(res.Header, [2]string{name, value})
}

// plain is an answer in a sentence.
func (d *Dashboard) plain(res *dialect.Response, status int, text string) {
	res.Status, res.ContentType = status, "text/plain; charset=utf-8"
	res.Body = append(append(res.Body[:0], text...), '\n')
	head(res, "Cache-Control", "no-store")
}
