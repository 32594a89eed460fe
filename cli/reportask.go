package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/cli/config"
	"cairn/http/native"
	"cairn/http/tables"

	"golang.org/x/term"
)

// This file asks what "cairn report" prints, and says what to do when there is no answer.

const (
	// storedMax is the largest answer of a stopped store: it is kept until the store is closed.
	storedMax = 512 << 20
	// waitMax is how long an answer may take to begin. The server takes ten seconds for a question, and
	// a few more when others ask.
	waitMax = time.Minute
)

var errSilent = errors.New("it takes the question and does not answer")

// run asks and prints.
func (e *reporting) run(ctx context.Context) error {
	end, err := e.open()
	if err != nil {
		return err
	}
	defer func() { end() }()
	if e.watch > 0 {
		return e.again(ctx)
	}
	out := e.out
	e.seen = isTerminal(out)
	var kept *bytes.Buffer
	if e.server.stored { // the lock is given back before anything is printed
		kept = new(bytes.Buffer)
		e.out = kept
	}
	err = e.print(ctx, e.style(out))
	e.out = out
	if kept != nil {
		end()
		end = func() {}
	}
	if err == nil && kept != nil {
		_, err = out.Write(kept.Bytes())
	}
	return err
}

// open finds the server to ask, or opens the stopped store. end ends what was opened.
func (e *reporting) open() (end func(), err error) {
	if e.url != "" || e.watch > 0 { // a store that stays open would keep the server from starting
		var cfg *config.Config
		if e.server, cfg, err = e.reach(); err == nil && e.url == "" {
			e.dir = cfg.DataDir
		}
		return func() {}, err
	}
	cfg, _, err := config.Load(e.Flags, os.Environ())
	if err != nil {
		return func() {}, err
	}
	e.dir = cfg.DataDir
	if e.server, end, err = reachStored(&cfg, "", e.key); err != nil {
		return func() {}, err
	}
	return end, nil
}

// print asks once and prints the answer.
func (e *reporting) print(ctx context.Context, style tables.Style) error {
	switch e.format {
	case "json", "csv":
		return e.copy(ctx)
	case "ndjson":
		answer, err := e.ask(ctx, e.question, e.query)
		if err != nil {
			return err
		}
		rows, err := tables.Rows(answer)
		if err != nil {
			return err
		}
		out := e.bytes()
		for _, row := range rows {
			if _, err := out.Write(append(row, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	r, err := e.report(ctx)
	if err != nil {
		return err
	}
	if e.format == "mail" {
		return printMail(e.out, e, r)
	}
	_, err = io.WriteString(e.out, r.Text(style))
	return err
}

// report asks once and makes the report.
func (e *reporting) report(ctx context.Context) (*tables.Report, error) {
	if e.question == nil {
		return tables.Overview(func(q *native.Question, query url.Values) ([]byte, error) { return e.ask(ctx, q, query) }, e.query, tables.Options{})
	}
	answer, err := e.ask(ctx, e.question, e.query)
	if err != nil {
		return nil, err
	}
	return tables.Read(e.question, e.query, answer, tables.Options{Zone: e.zoneOf(ctx, answer)})
}

// zoneOf is the zone of the site, for an answer that does not say it.
func (e *reporting) zoneOf(ctx context.Context, answer []byte) *time.Location {
	var of struct{ Zone string }
	if json.Unmarshal(answer, &of) == nil && of.Zone != "" || e.question.Param("site") == nil {
		return nil
	}
	if e.zone == nil {
		e.zone = time.UTC
		site, ok := native.QuestionNamed("site")
		query := url.Values{}
		if name := e.query.Get("site"); name != "" {
			query.Set("site", name)
		}
		if answer, err := e.ask(ctx, &site, query); ok && err == nil && json.Unmarshal(answer, &of) == nil {
			if zone, err := time.LoadLocation(of.Zone); err == nil {
				e.zone = zone
			}
		}
	}
	return e.zone
}

// copy prints the bytes of the answer as they are. Those of an overview are the answers of its
// questions, under their names.
func (e *reporting) copy(ctx context.Context) error {
	if e.question == nil {
		answers, err := tables.OverviewAnswers(func(q *native.Question, query url.Values) ([]byte, error) { return e.ask(ctx, q, query) }, e.query)
		if err != nil {
			return err
		}
		parts := make(map[string]json.RawMessage)
		for name, answer := range answers {
			parts[name] = answer
		}
		return json.NewEncoder(e.bytes()).Encode(parts)
	}
	res, err := e.get(ctx, e.question, e.query)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body := io.Reader(res.Body)
	if e.server.stored {
		body = &io.LimitedReader{R: res.Body, N: storedMax + 1}
	}
	n, err := io.Copy(e.bytes(), body)
	if err == nil && e.server.stored && n > storedMax {
		return errors.New("the answer is too large for a stopped store: start the server and ask that")
	}
	if err == nil && e.seen {
		_, err = io.WriteString(e.out, "\n")
	}
	return err
}

// bytes is where the bytes of an answer go. A terminal obeys some of those that a stranger sent, so it
// gets them as escapes.
func (e *reporting) bytes() io.Writer {
	if e.seen {
		return &safeWriter{out: e.out}
	}
	return e.out
}

// safeWriter makes lines of text safe for a terminal.
type safeWriter struct {
	out  io.Writer
	rest []byte // the begin of a character, or of the end of a line, whose end has not come
}

func (w *safeWriter) Write(text []byte) (int, error) {
	all := append(w.rest, text...)
	end := len(all)
	for back := 1; back < utf8.UTFMax && back <= len(all); back++ {
		if first := all[len(all)-back]; utf8.RuneStart(first) {
			if !utf8.FullRune(all[len(all)-back:]) {
				end = len(all) - back
			}
			break
		}
	}
	if end > 0 && end == len(all) && all[end-1] == '\r' { // perhaps that of a line
		end--
	}
	w.rest = append([]byte(nil), all[end:]...)
	var b strings.Builder
	for line := range strings.Lines(string(all[:end])) {
		line, whole := strings.CutSuffix(line, "\n")
		if whole {
			line = strings.TrimSuffix(line, "\r")
		}
		b.WriteString(tables.Safe(line))
		if whole {
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(w.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// ask asks a question and returns the body of its answer.
func (e *reporting) ask(ctx context.Context, q *native.Question, query url.Values) ([]byte, error) {
	res, err := e.get(ctx, q, query)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	if err == nil && len(body) > answerMax {
		err = errors.New("the answer is too large")
	}
	return body, err
}

// get asks a question. The caller closes the body. An answer that is not 200 is an error with the
// sentence of the server.
func (e *reporting) get(ctx context.Context, q *native.Question, query url.Values) (*http.Response, error) {
	address := e.server.base + q.Path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	ctx, end := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		end(nil)
		return nil, err
	}
	req.Header = e.server.header.Clone()
	patience := time.AfterFunc(cmp.Or(e.wait, waitMax), func() { end(errSilent) })
	res, err := e.server.client.Do(req)
	if !patience.Stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		end(nil)
		return nil, e.away(err)
	}
	res.Body = &endingBody{res.Body, end}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return nil, e.refused(ctx, res, body)
}

// away is the error of a server that does not answer: its address, and what to try.
func (e *reporting) away(err error) error {
	try := "Is it running? \"cairn serve\" starts it, and -url URL asks another one"
	if e.url != "" {
		try = "Is that its address, and does it run? -url names another one"
	} else if lock, busy := lockDir(e.dir, false); busy == nil {
		lock.Close()
	} else if !errors.Is(busy, fs.ErrNotExist) {
		try = fmt.Sprintf("The store cannot be opened either: %v", busy)
	}
	return unreached(e.server.where(), err, try)
}

// endingBody ends what belongs to an answer with it.
type endingBody struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

func (b *endingBody) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}

// refused is the error of an answer that is not 200: the sentence of the server.
func (e *reporting) refused(ctx context.Context, res *http.Response, body []byte) error {
	var said refusedBody
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return fmt.Errorf("the server at %s answered %s, and nothing that is from cairn. Is that the address of cairn?", e.server.where(), tables.Safe(res.Status))
	}
	text := said.Error
	if said.Field != "" && !strings.HasPrefix(text, said.Field+":") {
		text = said.Field + ": " + text
	}
	text = tables.Safe(text)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		text += ": the server at " + e.server.where() + " does not know the key. Give another one as -key KEY, -key @FILE or CAIRN_KEY"
	case said.ofSite():
		if names := e.sites(ctx); len(names) > 0 {
			text += ". There are " + strings.Join(names, ", ") + ": give one as -site"
		}
	}
	return &refusal{res.StatusCode, text}
}

// sites are the names of all sites, if the key may see them.
func (e *reporting) sites(ctx context.Context) (names []string) {
	req, err := http.NewRequestWithContext(ctx, "GET", e.server.base+allSitesPath, nil)
	if err != nil {
		return nil
	}
	req.Header = e.server.header.Clone()
	res, err := e.server.client.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil
	}
	for _, name := range siteNames(body) {
		names = append(names, tables.Safe(name))
	}
	return names
}

// isTerminal says whether what is written is seen by a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// style is how a report is written to w.
func (e *reporting) style(w io.Writer) tables.Style {
	if !isTerminal(w) {
		return tables.Style{Param: "-"}
	}
	s := tables.Style{Param: "-", Draw: true, Width: 80}
	if wide, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && wide > 0 {
		s.Width = wide
	}
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}
