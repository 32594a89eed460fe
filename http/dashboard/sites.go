package dashboard

import (
	"context"
	"math"
	"time"

	"cairn/http/dialect"
)

// This file is the screen of all sites.

// sitesView is the screen of all sites.
type sitesView struct {
	frameView
	Cards []siteCard
	Error string
	Next  string
}

// siteCard is one site.
type siteCard struct {
	Name, Href    string
	Waiting       bool // it has no event yet
	Visitors, Now string
	Change        Change
	Good          string // as of a tile
	Spark         *SparkView
}

// sites is GET /dashboard/sites.
func (d *Dashboard) sites(ctx context.Context, req *dialect.Request, res *dialect.Response) {
	v := d.viewer(req, res)
	if v == nil {
		return
	}
	view := new(sitesView)
	view.Title, view.Logout, view.Home = "Sites · cairn", d.path("logout"), d.path("sites")
	d.shell(req.Header("Cookie"), &view.frameView)
	l := NewLocale(req.Header("Accept-Language"), nil, d.now())
	after := formValue(req.RawQuery, "after")
	if !v.Admin {
		for _, s := range v.Sites {
			view.Cards = append(view.Cards, siteCard{Name: s.Name, Href: d.path("site", s.Name)})
		}
	} else if f := d.siteCards(ctx, v, after, l, view); f != nil {
		view.Error = f.Error
	}
	p := &page{d: d}
	p.write("sites", view)
	d.html(req, res, p.out.Bytes())
}

// siteCards fills a page of cards from the call sites.
func (d *Dashboard) siteCards(ctx context.Context, v *Viewer, after string, l *Locale, view *sitesView) *failure {
	type count struct {
		Visits   float64 `json:"visits"`
		Visitors float64 `json:"visitors"`
	}
	var a struct {
		Sites []struct {
			Name      string  `json:"name"`
			First     *string `json:"first"`
			Today     count   `json:"today"`
			Yesterday count   `json:"yesterday"`
			Days      []struct {
				Time time.Time `json:"time"`
				count
			} `json:"days"`
			Now uint64 `json:"now"`
		} `json:"sites"`
		Next *string `json:"next"`
	}
	q := &asked{answer: d.reports.Ask(ctx, v, nil, "sites", state{{"max_age", maxAge}, {"after", after}}.String())}
	if f := q.into(&a); f != nil {
		return f
	}
	for _, s := range a.Sites {
		c := siteCard{Name: s.Name, Href: d.path("site", s.Name), Waiting: s.First == nil, Now: l.Number(s.Now)}
		c.Visitors, c.Change = l.Float(s.Today.Visitors, 0), l.Ratio(s.Today.Visitors, s.Yesterday.Visitors)
		c.Good = good(c.Change, false)
		var days []float64
		for _, day := range s.Days {
			days = append(days, day.Visitors)
		}
		if len(days) > 1 {
			low, high := math.Inf(1), 0.0
			for _, n := range days {
				low, high = min(low, n), max(high, n)
			}
			c.Spark = Spark(days, "Visitors of seven days, from "+l.Float(low, 0)+" to "+l.Float(high, 0))
		}
		if c.Waiting {
			c.Href = d.path("site", s.Name, "setup")
		}
		view.Cards = append(view.Cards, c)
	}
	if a.Next != nil {
		view.Next = d.path("sites") + "?after=" + escape(*a.Next)
	}
	return nil
}
