package dashboard

// This file draws paths: columns of where visits went, one after the other.

// PathColumn is where visits went, or where they came from.
type PathColumn struct {
	Title   string
	Rows    []PathRow // most first
	Other   uint64    // went elsewhere
	Stopped uint64
}

// PathRow is one place of a column.
type PathRow struct {
	Label  string
	Count  uint64
	Href   string // follows it; "" = it cannot be followed
	Chosen bool   // the way goes through it
}

// PathsView is columns of paths, as the template "paths" takes them.
type PathsView struct{ Columns []pathColumn }

type pathColumn struct {
	Title string
	Rows  []pathRow
}

type pathRow struct {
	Label, Count, Share string
	Width               string // of the bar
	Href                string
	Chosen              bool
	Kind                string // class: "", "other", "stopped"
}

// Paths draws columns. stopped is what the visits did that went nowhere: "Left", "Entered here".
func Paths(l *Locale, columns []PathColumn, stopped string) *PathsView {
	v := &PathsView{}
	for _, c := range columns {
		all := c.Other + c.Stopped
		for _, r := range c.Rows {
			all += r.Count
		}
		column := pathColumn{Title: c.Title}
		row := func(r PathRow, kind string) {
			column.Rows = append(column.Rows, pathRow{
				Label: r.Label, Count: l.Number(r.Count), Share: l.Share(r.Count, all), Width: percent(share(r.Count, all)),
				Href: r.Href, Chosen: r.Chosen, Kind: kind,
			})
		}
		for _, r := range c.Rows {
			row(r, "")
		}
		if c.Other > 0 {
			row(PathRow{Label: "Elsewhere", Count: c.Other}, "other")
		}
		if c.Stopped > 0 {
			row(PathRow{Label: stopped, Count: c.Stopped}, "stopped")
		}
		v.Columns = append(v.Columns, column)
	}
	return v
}
