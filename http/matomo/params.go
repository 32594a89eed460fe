package matomo

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads the parameters of a hit: from the query and then the body of a request, or
// from an entry of a bulk. Parameters that the protocol does not know are ignored.

// param numbers the parameters that the protocol knows.
type param uint8

const (
	pIdsite param = iota
	pRec
	pURL
	pActionName
	pID
	pSendImage
	pPing
	pBots
	pRecMode
	pNewVisit
	pCa
	pDebug
	pURLRef
	pVisitVars
	pIdvc
	pViewts
	pIdts
	pEcts
	pRcn
	pRck
	pRef
	pRefts
	pRes
	pH
	pM
	pS
	pFla
	pJava
	pQt
	pRealp
	pPdf
	pWma
	pAg
	pCookie
	pDir
	pGears
	pUA
	pUAData
	pLang
	pUID
	pCID
	pVars
	pLink
	pDownload
	pSearch
	pSearchCat
	pSearchCount
	pIdgoal
	pRevenue
	pGtMs
	pPvID
	pCharset
	pPfNet
	pPfSrv
	pPfTfr
	pPfDm1
	pPfDm2
	pPfOnl
	pEC
	pEA
	pEN
	pEV
	pCN
	pCP
	pCT
	pCI
	pPkc
	pPks
	pPkn
	pPkp
	pBandwidth
	pEcID
	pEcItems
	pEcSt
	pEcTx
	pEcSh
	pEcDt
	pToken
	pCip
	pCountry
	pRegion
	pCity
	pLat
	pLong
	pCdt
	pCdo
	pHTTPStatus
	pSource
	pCampaignName
	pCampaignKeyword
	paramCount
)

var paramNames = [paramCount]string{
	"idsite", "rec", "url", "action_name", "_id", "send_image", "ping", "bots", "recMode", "new_visit", "ca", "debug",
	"urlref", "_cvar", "_idvc", "_viewts", "_idts", "_ects", "_rcn", "_rck", "_ref", "_refts", "res", "h", "m", "s",
	"fla", "java", "qt", "realp", "pdf", "wma", "ag", "cookie", "dir", "gears", "ua", "uadata", "lang", "uid", "cid",
	"cvar", "link", "download", "search", "search_cat", "search_count", "idgoal", "revenue", "gt_ms", "pv_id", "cs",
	"pf_net", "pf_srv", "pf_tfr", "pf_dm1", "pf_dm2", "pf_onl", "e_c", "e_a", "e_n", "e_v", "c_n", "c_p", "c_t", "c_i",
	"_pkc", "_pks", "_pkn", "_pkp", "bw_bytes", "ec_id", "ec_items", "ec_st", "ec_tx", "ec_sh", "ec_dt",
	"token_auth", "cip", "country", "region", "city", "lat", "long", "cdt", "cdo", "http_status", "source",
	"", "", // a campaign sent outside of the url has many names, see campaign.go
}

var paramOf = func() map[string]param {
	m := make(map[string]param, paramCount)
	for i, name := range paramNames {
		if name != "" {
			m[name] = param(i)
		}
	}
	return m
}()

// raw is the value of a parameter as it was sent. The zero value is that of a parameter that
// was not sent. An array or object, which only an entry of a bulk can have, is its JSON.
type raw struct {
	text       string
	sent, json bool
}

// dimension is one custom dimension of a hit. An empty value clears it.
type dimension struct {
	number int
	value  string
}

// params are the parameters of one hit. A hit has some thirty of the many that there are, so
// sent lists them.
type params struct {
	v          [paramCount]raw
	sent       []param // those of v that are not zero
	dimensions []dimension
	any        bool // there is a parameter at all, known or not
}

func (p *params) reset() {
	for _, i := range p.sent {
		p.v[i] = raw{}
	}
	p.sent, p.dimensions, p.any = p.sent[:0], p.dimensions[:0], false
}

// put sets the value of a parameter that was sent.
func (p *params) put(i param, value raw) {
	if !p.v[i].sent {
		p.sent = append(p.sent, i)
	}
	p.v[i] = value
}

// dimensionsMax bounds the custom dimensions of one hit.
const dimensionsMax = 100

// set takes one parameter. Within one source the last value of a name wins. From a later
// source (over is false) a value is taken only when the name has none yet. array says that
// the name ended in brackets: the value is then an array, and counts as absent.
func (p *params) set(name string, value raw, over bool) {
	p.any = true
	i, ok := paramOf[name]
	if !ok {
		if strings.IndexByte(name, '[') > 0 {
			name, _, _ = strings.Cut(name, "[")
			value = raw{sent: true, json: true}
		}
		if strings.ContainsAny(name, ". ") {
			name = variableNames.Replace(strings.TrimLeft(name, " "))
		}
		if number, ok := dimensionNumber(name); ok {
			p.setDimension(number, value, over)
			return
		}
		i, ok = paramOf[name]
	}
	if !ok {
		if i, ok = campaignParam(name); !ok || value.text == "" {
			return
		}
		over = over && !p.v[i].sent // of several names of one parameter the first with a value wins
	}
	if over || !p.v[i].sent {
		p.put(i, value)
	}
}

// variableNames changes a name as PHP does.
var variableNames = strings.NewReplacer(".", "_", " ", "_")

// dimensionNumber is the N of dimensionN.
func dimensionNumber(name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, "dimension")
	if !ok || digits == "" || len(digits) > 3 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, true
}

func (p *params) setDimension(number int, value raw, over bool) {
	if value.json {
		return
	}
	for i := range p.dimensions {
		if p.dimensions[i].number == number {
			if over {
				p.dimensions[i].value = value.text
			}
			return
		}
	}
	if len(p.dimensions) < dimensionsMax {
		p.dimensions = append(p.dimensions, dimension{number, value.text})
	}
}

// form takes the parameters of a query string or form.
func (p *params) form(text string, over bool) {
	for name, value := range dialect.Form(text) {
		p.set(name, raw{text: value, sent: true}, over)
	}
}

// request takes the parameters of a request that is not a bulk: those of the query, and
// those of the form in the body that the query does not have.
func (p *params) request(req *dialect.Request, body string) {
	p.form(req.RawQuery, true)
	if body == "" || req.Method != "POST" {
		return
	}
	media := req.Header("Content-Type")
	if kind, arguments, err := mime.ParseMediaType(media); err == nil && kind == "multipart/form-data" {
		p.multipart(body, arguments["boundary"])
		return
	}
	// The body's own last value of a name wins, unless the query has the name.
	var own params
	own.form(body, true)
	p.lay(&own)
}

// lay takes the parameters of below that p does not have.
func (p *params) lay(below *params) {
	p.any = p.any || below.any
	for _, i := range below.sent {
		if !p.v[i].sent {
			p.put(i, below.v[i])
		}
	}
	for _, d := range below.dimensions {
		p.setDimension(d.number, raw{text: d.value}, false)
	}
}

// partsMax bounds the parts of a multipart body.
const partsMax = 1000

// multipart takes the text parts of a form and ignores files. A malformed part ends it, as
// in PHP, and does not refuse the request.
func (p *params) multipart(body, boundary string) {
	if boundary == "" {
		return
	}
	var own params
	r := multipart.NewReader(strings.NewReader(body), boundary)
	for range partsMax {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) || err != nil {
			break
		}
		if part.FormName() == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part) // the body is bounded
		if err != nil {
			break
		}
		own.set(part.FormName(), raw{text: string(value), sent: true}, true)
	}
	p.lay(&own)
}

// object takes the parameters of an entry of a bulk that is an object.
func (p *params) object(o event.Object) {
	for _, m := range o {
		switch m.Value.Kind {
		case event.String, event.Number:
			p.set(m.Key, raw{text: m.Value.Text, sent: true}, true)
		case event.Bool:
			text := "0"
			if m.Value.Text == "true" {
				text = "1"
			}
			p.set(m.Key, raw{text: text, sent: true}, true)
		case event.JSON:
			p.set(m.Key, raw{text: m.Value.Text, sent: true, json: true}, true)
		default:
			p.any = true // null counts as absent
		}
	}
}

// isBulk says that a body is a bulk. Its Content-Type says nothing: browsers send a bulk as a
// form.
func isBulk(body []byte) bool {
	b := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\uFEFF")), " \t\r\n'")
	return len(b) > 0 && b[0] == '{' && (bytes.Contains(b, []byte(`"requests"`)) || bytes.Contains(b, []byte(`'requests'`)))
}
