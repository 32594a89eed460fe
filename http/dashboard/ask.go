package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file asks the native API what a screen needs: each question once, a few at a time, and in
// the order of the panels.

// A page waits so long for its answers before it is sent; panels without one are fetched later.
// With _wait=1, and for a fragment, it waits as long as a question may take.
const (
	waitShort = 150 * time.Millisecond
	waitLong  = 12 * time.Second
)

// asksMax is how many questions of a page are under way at once. A session may have one more.
const asksMax = 3

// maxAge is how old an answer may be, in seconds.
const maxAge = "10"

// question is what the state of the page asks of a call, with parameters of its own.
func (p *page) question(call string, own state) string {
	return p.state.question(p.d.reports, call, own)
}

// question is what a state asks of a call of the API, with parameters of its own. What the call does not
// take is left out, and so is what belongs to the panels of a screen.
func (s state) question(api Reports, call string, own state) string {
	takes := func(param string) bool {
		is, _ := api.Takes(call, param)
		return is
	}
	var q state
	for _, p := range s {
		param, group := p.key, keeps[p.key]
		switch {
		case !p.ofAPI(), group == "own", group == "rows", own.has(p.key) && !strings.HasSuffix(p.key, "!"): // what is asked for takes the place of what the screen has; of filters see leaves
			continue
		case group == "compare" && s.get("range") == "all":
			continue
		case strings.HasPrefix(p.key, "visit."):
			param = "visit."
		case group == "":
			param = "name" // a call takes all plain filters or none
		}
		if takes(param) {
			q = append(q, p)
		}
	}
	for _, p := range own {
		if p.value != "" && s.leaves(p) { // an own parameter without a value takes one of the state away
			q = append(q, p)
		}
	}
	for _, p := range s.bars(own) { // a value that is asked for and is not: nothing satisfies that
		q = append(q, p, pair{p.key + "!", p.value})
	}
	if takes("range") || call == "sites" { // what is live is asked for this instant
		q = append(q, pair{"max_age", maxAge})
	}
	return q.String()
}

// leaves says whether the filters of a state let through what a call of its own asks for: both are
// alternatives of one field, and both hold.
func (s state) leaves(own pair) bool {
	if !own.ofAPI() || keeps[own.key] != "" || strings.HasSuffix(own.key, "!") {
		return true
	}
	theirs := s.all(own.key)
	return len(theirs) == 0 || slices.Contains(theirs, own.value)
}

// bars are conditions of a call of its own of which the filters of the state leave nothing, one a field.
func (s state) bars(own state) (none state) {
	for _, p := range own {
		let := func(o pair) bool { return o.key == p.key && (o.value == "" || s.leaves(o)) }
		if !slices.ContainsFunc(own, let) && !none.has(p.key) {
			none = append(none, p)
		}
	}
	return none
}

// asks are the questions of a page.
type asks struct {
	ctx   context.Context
	ask   func(ctx context.Context, site *dialect.Site, call, query string) Answer
	slots chan struct{}
	list  map[string]*asked
	idle  bool // nothing more is asked: questions are only written down
}

// asked is a question that is under way or answered.
type asked struct {
	call, query string
	done        chan struct{}
	answer      Answer // once done is closed

	visits *overviewAnswer // the answer as the panels that share it read it; nil = not read yet
}

func newAsks(ctx context.Context, r Reports, v *Viewer) *asks {
	return &asks{
		ctx: ctx,
		ask: func(ctx context.Context, site *dialect.Site, call, query string) Answer {
			return r.Ask(ctx, v, site, call, query)
		},
		slots: make(chan struct{}, asksMax),
		list:  map[string]*asked{},
	}
}

// begin asks, unless the same has been asked.
func (a *asks) begin(site *dialect.Site, call, query string) *asked {
	key := call + "?" + query
	if q := a.list[key]; q != nil {
		return q
	}
	q := &asked{call: call, query: query, done: make(chan struct{})}
	if a.idle {
		close(q.done)
		return q
	}
	a.list[key] = q
	go func() {
		defer close(q.done)
		a.slots <- struct{}{}
		q.answer = a.ask(a.ctx, site, call, query)
		<-a.slots
	}()
	return q
}

// ready waits for an answer until late ends, and says whether it is there.
func (q *asked) ready(late context.Context) bool {
	select {
	case <-q.done:
		return true
	default:
	}
	select {
	case <-q.done:
		return true
	case <-late.Done():
		return false
	}
}

// failure is the body of an answer that is no 200.
type failure struct {
	Error string `json:"error"`
	Field string `json:"field"`
	File  string `json:"file"`

	status int           // of the answer; 0 = the answer was a 200 that cannot be read
	wait   time.Duration // when to ask again
}

// into decodes the answer. It returns nil when that is a 200 that can be read.
func (q *asked) into(v any) *failure {
	if q.answer.Status == 200 {
		err := json.Unmarshal(q.answer.Body, v)
		if err == nil {
			return nil
		}
		return &failure{Error: err.Error()}
	}
	f := &failure{status: q.answer.Status, wait: q.answer.Wait}
	if json.Unmarshal(q.answer.Body, f) != nil || f.Error == "" {
		f.Error = "the answer could not be read"
	}
	return f
}
