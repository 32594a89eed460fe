package dashboard

import (
	"fmt"
	"math"
	"time"
)

// This file draws the week as a grid of 7 × 24 hours.

// HoursView is the grid of weekday × hour, as the templates "hours" and "hours-table" take it.
type HoursView struct {
	Title, Alt string
	Days       []hoursDay
	Hours      []chartTick
	Table      []hoursRow
	CSV        string
}

// hoursDay is a row of the drawing: Y is its middle, Top where it begins.
type hoursDay struct {
	Name, Y, Top string
	Cells        []hoursCell
}

// hoursCell is one of 168, so what is the same in all of them stands in the template.
type hoursCell struct {
	X     string
	Level int // 0 (nothing) to hoursLevels
	Text  string
	Href  string
}

type hoursRow struct {
	Hour  string
	Cells [7]string
}

// hoursLevels is how many shades there are.
const hoursLevels = 8

// Hours draws numbers by weekday, Monday first, and hour. title says what they are: "Visits". href
// returns the address behind a cell, "" = none; nil = none anywhere.
func Hours(l *Locale, title string, numbers *[7][24]uint64, href func(day, hour int) string) *HoursView {
	v := &HoursView{Title: title}
	most, sum, mostDay, mostHour := uint64(0), uint64(0), 0, 0
	for day := range numbers {
		for hour, n := range numbers[day] {
			if sum += n; n > most {
				most, mostDay, mostHour = n, day, hour
			}
		}
	}
	var spans, places [24]string
	for hour := range 24 {
		spans[hour], places[hour] = hours(hour), percent(float64(hour)/24)
		v.Table = append(v.Table, hoursRow{Hour: fmt.Sprintf("%02d:00", hour)})
		if hour%3 == 0 {
			v.Hours = append(v.Hours, chartTick{X: places[hour], Label: v.Table[hour].Hour, Anchor: "start", Wide: hour%6 != 0})
		}
	}
	for day := range numbers {
		name := weekday(day).String()
		row := hoursDay{Name: name[:3], Y: percent((float64(day) + 0.5) / 7), Top: percent(float64(day) / 7)}
		for hour, n := range numbers[day] {
			number := l.Number(n)
			v.Table[hour].Cells[day] = number
			cell := hoursCell{
				X: places[hour], Level: level(float64(n), float64(most), hoursLevels),
				Text: name + ", " + spans[hour] + "\n" + title + ": " + number,
			}
			if href != nil {
				cell.Href = href(day, hour)
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Days = append(v.Days, row)
	}
	v.Alt = title + " by weekday and hour: none"
	if sum > 0 {
		v.Alt = fmt.Sprintf("%s by weekday and hour: %s in all, most on %ss, %s: %s", title, l.Number(sum),
			weekday(mostDay), hours(mostHour), l.Number(most))
	}
	return v
}

func weekday(day int) time.Weekday { return time.Weekday((day + 1) % 7) }

func hours(hour int) string { return fmt.Sprintf("%02d:00 – %02d:00", hour, (hour+1)%24) }

// level is the shade of x where most has the darkest one: 0 for nothing alone.
func level(x, most float64, levels int) int {
	if !(x > 0) || !(most > 0) {
		return 0
	}
	return max(1, min(levels, int(math.Ceil(x/most*float64(levels)))))
}
