package dashboard

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// This file draws retention: a table of cohorts, and the curve of their average.

// Cohort is the people of one period, and how many of them came back in each later one.
type Cohort struct {
	Start time.Time
	Size  uint64
	Cells []CohortCell
}

// CohortCell is one period of a cohort.
type CohortCell struct {
	Users uint64
	Open  bool   // the period is not over
	Href  string // these people; "" = none
}

// CohortsView is the table of cohorts, as the template "cohorts" takes it.
type CohortsView struct {
	Caption string
	Period  string // heading of the first column: "Week"
	Columns []cohortColumn
	Average []string // one for each column; "" = none
	Rows    []cohortRow
}

type cohortRow struct {
	Name, Machine, Size string
	Cells               []cohortCell
}

type cohortColumn struct{ Name, Long string }

type cohortCell struct {
	Text, Title string
	Level       int // 0 to cohortLevels
	Open        bool
	Href        string
}

// cohortLevels is how many shades a cell has. The darkest one is light enough for its number.
const cohortLevels = 10

// Cohorts draws cohorts; period is day, week or month. The average of a column is NaN where no cell
// of it is over. Averages may be fewer than the columns.
func Cohorts(l *Locale, period string, cohorts []Cohort, average []float64) *CohortsView {
	v := &CohortsView{Caption: "Came back, by first " + period, Period: stepHeading(period)}
	columns, most := 0, 0.0 // the darkest cell is that of the highest share there is
	for _, c := range cohorts {
		columns = max(columns, len(c.Cells))
		for _, cell := range c.Cells {
			most = math.Max(most, share(cell.Users, c.Size))
		}
	}
	for i := range columns {
		number := l.Number(uint64(i + 1))
		v.Columns = append(v.Columns, cohortColumn{Name: "+" + number, Long: number + " " + plural(period, i+1) + " later"})
		text := ""
		if i < len(average) && !math.IsNaN(average[i]) {
			text = l.rounded(average[i])
		}
		v.Average = append(v.Average, text)
	}
	for _, c := range cohorts {
		row := cohortRow{Name: strings.TrimPrefix(l.Step(c.Start, period), "week from "), Machine: l.Machine(c.Start), Size: l.Number(c.Size)}
		for i, cell := range c.Cells {
			view := cohortCell{
				Text: nothing, Open: cell.Open, Href: cell.Href, Level: level(share(cell.Users, c.Size), most, cohortLevels),
				Title: l.Number(cell.Users) + " of " + row.Size + ", " + v.Columns[i].Long,
			}
			if c.Size > 0 {
				view.Text = l.rounded(share(cell.Users, c.Size))
				view.Title += ": " + l.Share(cell.Users, c.Size)
			}
			if cell.Open {
				view.Title += " so far; the " + period + " is not over"
			}
			row.Cells = append(row.Cells, view)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Curve is the chart of the averages of cohorts, up to the last one that there is.
func Curve(period string, average []float64) *Chart {
	for len(average) > 0 && math.IsNaN(average[len(average)-1]) {
		average = average[:len(average)-1]
	}
	c := &Chart{Title: "Came back", Unit: UnitShare, Interval: period, Now: average, Running: len(average)}
	for i := range average {
		c.Labels = append(c.Labels, strconv.Itoa(i+1))
	}
	return c
}

// rounded is Percent in the little room of a cell: whole percents from 10 on.
func (l *Locale) rounded(share float64) string {
	if share >= 0.0995 && share < 1 {
		return l.Float(math.Min(math.Round(share*100), 99), 0) + space + "%"
	}
	return l.Percent(share)
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
